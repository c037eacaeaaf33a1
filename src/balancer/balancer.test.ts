/** The balancer against a real HAProxy and the real holder of its sockets: names under .localhost, and what a reload, a kill and a bad configuration do. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { isFault } from '#base/fault.ts';
import { freePort } from '#base/testing.ts';
import { clock, forward, group, listener, request, startRig, target, until } from './testing.ts';
import type { Rig } from './testing.ts';

const note = { state: 'starting', detail: 'task 1 pulls its image' } as const;
const named = (rig: Rig, name: string) => request(rig.port, '/', { host: name });

describe('names under .localhost', { concurrency: false }, () => {
  let rig: Rig;
  before(async () => void (rig = await startRig()));
  after(() => rig.close());
  const apply = (...endpoints: Parameters<Rig['apply']>[0]['endpoints'] & object) => rig.apply({ endpoints });

  it('says which names there are to a name that nobody has', async () => {
    await apply({ name: 'web', targets: [], note });
    const seen = await named(rig, 'nope.localhost');
    assert.equal(seen.status, 404);
    assert.match(seen.body, /“nope”.*\nKnown here: web\.localhost/);
  });

  it('answers with a clear page until the port answers, then with the target, with no reload between', async () => {
    const targetPort = await freePort();
    const pid = await rig.haproxyPid();
    await apply({ name: 'web', targets: [{ id: 'aaaaaaaaaaaaaaaa', ip: '127.0.0.1', port: targetPort }], note });
    for (let i = 0; i < 10; i++) {
      const seen = await named(rig, 'web.localhost');
      assert.deepEqual([seen.status, seen.body], [503, '“web” is starting\ntask 1 pulls its image\n']);
    }
    await rig.serve((_req, res) => res.end('hello from a'), targetPort);
    await until(async () => (await named(rig, `WEB.localhost:${rig.port}`)).body === 'hello from a');
    assert.equal(await rig.haproxyPid(), pid);
  });

  it('takes a new name in while the others answer without a gap', async () => {
    const port = await rig.serve((_req, res) => res.end('b'));
    const web = { name: 'web', targets: [{ id: 'bbbbbbbbbbbbbbbb', ip: '127.0.0.1', port }], note };
    await apply(web);
    await until(async () => (await named(rig, 'web.localhost')).body === 'b');
    let reloading = true;
    let failures = 0;
    const load = (async () => {
      while (reloading) if ((await named(rig, 'web.localhost')).body !== 'b') failures += 1;
    })();
    for (const name of ['one', 'two', 'three']) await apply(web, { name, targets: [], note });
    reloading = false;
    await load;
    assert.equal(failures, 0);
  });

  it('drops a target that is gone', async () => {
    await apply({ name: 'web', targets: [], note: { state: 'stopped', detail: 'exit code 3' } });
    const seen = await named(rig, 'web.localhost');
    assert.deepEqual([seen.status, seen.body], [503, '“web” is stopped\nexit code 3\n']);
  });

  it('leads an alias to the load balancer that has the name', async () => {
    const [port = 0] = rig.ports;
    const fixed = { kind: 'fixed', status: 200, contentType: 'text/plain', body: 'from the load balancer' } as const;
    const listeners = [listener('l1', port, { otherwise: fixed })];
    await rig.apply({ aliases: [{ name: 'shop', ip: '127.0.0.1', port, tls: false }], listeners });
    const seen = await named(rig, `shop.localhost:${rig.port}`);
    assert.deepEqual([seen.status, seen.body], [200, 'from the load balancer']);
  });
});

describe('a HAProxy that comes and goes', { concurrency: false }, () => {
  let rig: Rig;
  let wish: Parameters<Rig['apply']>[0];
  let lb = 0;
  before(async () => {
    rig = await startRig();
    const port = await rig.serve((_req, res) => res.end('hello'));
    [lb = 0] = rig.ports;
    wish = { listeners: [listener('l1', lb, { otherwise: forward('g1') })], groups: [group('g1', { targets: [target(port)] })] };
    await rig.apply(wish);
    await until(async () => (await rig.apply(wish)).targets[0]?.status === 'up');
    // The file is written as what is up.
    await rig.apply(wish);
  });
  after(() => rig.close());

  it('killed: connections wait, its targets are back with it, and only what was under way fails', async () => {
    let running = true;
    const failed: number[] = [];
    let longest = 0;
    let answered = 0;
    const load = async () => {
      while (running) {
        const begun = clock.now();
        if ((await request(lb)).body === 'hello') answered += 1;
        else failed.push(clock.now());
        longest = Math.max(longest, clock.now() - begun);
      }
    };
    const workers = [load(), load(), load(), load()];
    for (let round = 0; round < 3; round++) {
      const pid = await rig.haproxyPid();
      // Below a second of life it would be started less eagerly.
      await clock.sleep(1200);
      process.kill(pid, 'SIGKILL');
      await until(async () => (await rig.haproxyPid().catch(() => pid)) !== pid);
    }
    await clock.sleep(300);
    running = false;
    await Promise.all(workers);
    assert.ok(failed.length <= 3 * workers.length, `${failed.length} of ${answered} failed`);
    assert.ok(longest < 5000, `the longest took ${longest} ms`);
    assert.equal((await rig.apply(wish)).targets[0]?.status, 'up');
  });

  it('a balancer that knows nothing finds all as it should be: nothing is reloaded', async () => {
    const pid = await rig.haproxyPid();
    const another = rig.another();
    const seen = await another.apply({ endpoints: [], aliases: [], listeners: [], groups: [], ...wish });
    assert.equal(seen.targets[0]?.status, 'up');
    assert.equal(await rig.haproxyPid(), pid);
  });

  it('a configuration that HAProxy refuses is told in its words, and what ran goes on', async () => {
    const pid = await rig.haproxyPid();
    const bad = listener('l2', rig.ports[1] ?? 0, {
      tls: { certificates: [`${rig.dir}/bad.pem`], minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', alpn: [] },
    });
    writeFileSync(`${rig.dir}/bad.pem`, 'no certificate');
    await assert.rejects(rig.apply({ ...wish, listeners: [...(wish.listeners ?? []), bad] }), (error) => {
      assert.ok(isFault(error, 'Unavailable'));
      assert.match(error.message, /^HAProxy refused its configuration: .*bad\.pem/);
      return true;
    });
    assert.equal((await request(lb)).body, 'hello');
    assert.equal(await rig.haproxyPid(), pid);
    await rig.apply(wish);
    assert.equal(await rig.haproxyPid(), pid);
    await until(async () => (await request(rig.ports[1] ?? 0)).status === 0);
  });

  it('reloads under load refuse nobody', async () => {
    let running = true;
    let failures = 0;
    let answered = 0;
    const load = async () => {
      while (running) {
        if ((await request(lb)).body === 'hello') answered += 1;
        else failures += 1;
      }
    };
    const workers = [load(), load(), load()];
    for (let round = 0; round < 5; round++) {
      const body = `round ${round}`;
      const more = listener('l2', rig.ports[1] ?? 0, { otherwise: { kind: 'fixed', status: 200, contentType: 'text/plain', body } });
      await rig.apply({ ...wish, listeners: [...(wish.listeners ?? []), more] });
      assert.equal((await request(rig.ports[1] ?? 0)).body, body);
    }
    running = false;
    await Promise.all(workers);
    assert.equal(failures, 0);
    assert.ok(answered > 0);
    await rig.apply(wish);
    assert.equal((await request(rig.ports[1] ?? 0)).status, 0);
  });

  it('after a reload what comes over an old connection meets what holds now, and the connection ends with it', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const told = (body: string) => ({ otherwise: { kind: 'fixed' as const, status: 200, contentType: 'text/plain', body } });
    const at = rig.ports[1] ?? 0;
    const apply = (body: string) => rig.apply({ ...wish, listeners: [...(wish.listeners ?? []), listener('l2', at, told(body))] });
    try {
      await apply('before');
      const before = await request(at, '/', {}, { agent });
      assert.deepEqual([before.body, before.headers.connection], ['before', undefined]);
      await apply('after');
      const handedOver = await request(at, '/', {}, { agent });
      assert.deepEqual([handedOver.body, handedOver.headers.connection], ['after', 'close']);
      const fresh = await request(at, '/', {}, { agent });
      assert.deepEqual([fresh.body, fresh.headers.connection], ['after', undefined]);
    } finally {
      agent.destroy();
    }
    await rig.apply(wish);
  });

  it('a certificate that is not there yet leaves its listener out, and is told', async () => {
    const path = `${rig.dir}/later.pem`;
    const secure = listener('l3', rig.ports[2] ?? 0, {
      tls: { certificates: [path], minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', alpn: ['h2'] },
    });
    const seen = await rig.apply({ ...wish, listeners: [...(wish.listeners ?? []), secure] });
    assert.deepEqual(seen.missing, [path]);
    assert.equal((await request(lb)).body, 'hello');
  });
});
