/** What a container finds where it runs: the part of the conformance suite for the kinds that really run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerSpec, TaskSpec } from '#domain/task-spec.ts';
import type { ExecRequest } from '#supervisor/exec-calls.ts';
import type { Ran, Rig } from './sandbox.ts';
import { eventually, execWitness, runs, stateOf } from './witness.ts';

const MIB = 1024 * 1024;
const CLOCK_OFF_MS = 2000;

export function placesOf(rig: Rig): void {
  const linesOf = async (script: string, change: Partial<ContainerSpec> = {}, task: Partial<TaskSpec> = {}) => {
    const { w } = await rig.toEnd([rig.script(script, change)], task);
    return w.text('app').trim().split('\n');
  };
  insideOf(rig, linesOf);
  neighboursOf(rig);
  commandsOf(rig);
}

type LinesOf = (script: string, change?: Partial<ContainerSpec>, task?: Partial<TaskSpec>) => Promise<string[]>;

function insideOf(rig: Rig, linesOf: LinesOf): void {
  test('the command of the image when the definition has none, in the environment of both', async () => {
    const image = await rig.toEnd([rig.script('', { entryPoint: null, command: null })]);
    assert.equal(image.w.text('app'), 'from the image\n');
    const env = await linesOf('env', { environment: { FROM: 'definition', EMPTY: '' } });
    for (const wanted of ['FROM=definition', 'EMPTY=', 'PATH=/bin', 'HOME=/root']) assert.ok(env.includes(wanted), `${wanted} in ${env}`);
    assert.ok(env.some((line) => /^HOSTNAME=ip-100-\d+-0-\d+$/.test(line)));
  });

  test('the user, the groups of the image and the working directory', async () => {
    const web = await linesOf('id; pwd; echo $HOME', { user: 'web', workingDirectory: '/home/web' });
    assert.deepEqual(web, ['uid=1001(web) gid=1002(web) groups=1003(staff)', '/home/web', '/home/web']);
    assert.deepEqual(await linesOf('id -u; id -g', { user: '4000:5000' }), ['4000', '5000']);
    const nobody = await rig.toEnd([rig.script('id', { user: 'nobody-knows' })]);
    assert.match(stateOf(nobody.w, 'app').failure?.message ?? '', /nobody-knows/);
  });

  test('a root of its own that ends with it, read-only where that is wanted', async () => {
    assert.deepEqual(await linesOf('echo x > /new && cat /new'), ['x']);
    assert.deepEqual(await linesOf('ls /new 2>/dev/null || echo gone'), ['gone']);
    const script = 'touch /x 2>&1 | head -1; touch /tmp/x && echo tmp; touch /dev/shm/x && echo shm';
    const found = await linesOf(script, { readOnlyRoot: true, tmpfs: [{ path: '/tmp', sizeBytes: MIB, options: ['mode=1777'] }] });
    assert.match(found[0] ?? '', /Read-only file system/);
    assert.deepEqual(found.slice(1), ['tmp', 'shm']);
  });

  test('the names of the task: host name, hosts and resolver as they were projected', async () => {
    const paths = ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'];
    const { w, plan } = await rig.toEnd([rig.script(`hostname; cat ${paths.join(' ')}; echo x 2>/dev/null > /etc/hosts && echo written`)]);
    const files = paths.map((path) => plan.files[path]);
    assert.equal(w.text('app'), `${plan.network.hostname}\n${files.join('')}`);
  });

  test('the time of the machine, and it goes on', async () => {
    const before = Date.now();
    const [first, second] = (await linesOf('date +%s; sleep 1.2; date +%s')).map((text) => Number(text) * 1000);
    assert.ok(first !== undefined && second !== undefined);
    // `date` cuts off the fraction.
    assert.ok(first >= before - CLOCK_OFF_MS - 1000 && second <= Date.now() + CLOCK_OFF_MS, `${first}, ${second} since ${before}`);
    assert.ok(second - first >= 1000);
  });

  test('every line is kept, however fast they come', async () => {
    const count = 50_000;
    const { w } = await rig.toEnd([rig.script(`seq 1 ${count}`)]);
    assert.ok(w.text('app') === Array.from({ length: count }, (_, n) => `${n + 1}\n`).join(''));
  });
}

function neighboursOf(rig: Rig): void {
  test('the containers of a task share its volumes and localhost', async () => {
    const mount = (readOnly: boolean) => [{ volume: 'data', path: '/data', readOnly }];
    const writer = rig.script('echo shared > /data/file; echo hi | nc -l -p 8080', {
      name: 'writer',
      essential: false,
      mounts: mount(false),
    });
    const reader = rig.script(
      'until [ -s /data/file ]; do sleep 0.02; done; cat /data/file; until nc 127.0.0.1 8080 </dev/null 2>/dev/null; do sleep 0.02; done; touch /data/x 2>&1',
      { mounts: mount(true), dependsOn: [{ container: 'writer', condition: 'START' }] },
    );
    const { w } = await rig.toEnd([writer, reader], { volumes: [{ name: 'data', kind: 'scratch' }] });
    assert.match(w.text('app'), /^shared\nhi\ntouch: \/data\/x: Read-only file system\n$/);
  });

  test('each task has an address: the router and other tasks reach it, and two may listen on one port', async () => {
    const { plan, dial, patienceMs } = rig.sandbox();
    const serve = async (name: string): Promise<Ran> => {
      const ran = await rig.run(await plan([rig.script(`while :; do echo I am ${name} | nc -l -p 80; done`)]));
      await ran.w.until('it runs', () => runs(ran.w, 'app'));
      return ran;
    };
    const servers = [await serve('a'), await serve('b')];
    for (const [n, name] of ['a', 'b'].entries()) {
      const target = servers[n];
      assert.ok(target);
      const heard = await eventually(
        'an answer',
        patienceMs,
        () => dial(target.plan, 80),
        (text) => text !== '',
      );
      assert.equal(heard, `I am ${name}\n`);
    }
    const ip = servers[0]?.plan.network.ip ?? '';
    const script = `ip -4 addr show eth0 | grep -o "inet [0-9.]*"; until nc ${ip} 80 </dev/null 2>/dev/null; do sleep 0.02; done`;
    const client = await rig.toEnd([rig.script(script)]);
    assert.equal(client.w.text('app'), `inet ${client.plan.network.ip}\nI am a\n`);
    const stats = await servers[0]?.sandbox.stats();
    assert.ok((stats?.network?.rxPackets ?? 0) > 0 && (stats?.network?.txBytes ?? 0) > 0, JSON.stringify(stats?.network));
    for (const server of servers) await rig.finish(server);
  });
}

function commandsOf(rig: Rig): void {
  test('a command that is run inside is in the container, as its user and in its environment unless asked otherwise', async () => {
    const { plan, patienceMs, limits } = rig.sandbox();
    const script = 'echo mine > /tmp/file; echo up; while :; do sleep 0.05; done';
    const spec = rig.script(script, { user: 'web', workingDirectory: '/home/web', environment: { FROM: 'definition' } });
    const ran = await rig.run(await plan([spec]));
    await ran.w.until('it runs', () => ran.w.text('app') === 'up\n');
    const run = async (text: string, change: Partial<ExecRequest> = {}) => {
      const request = { container: 'app', command: ['sh', '-c', text], tty: null, ...change };
      const seen = await execWitness(ran.sandbox, request, { patienceMs });
      seen.process.end();
      assert.equal(await seen.code(), 0, seen.err());
      return seen.out();
    };
    const look = 'echo $(id -u) $(id -g) $(pwd) $FROM $MORE; cat /tmp/file; hostname';
    assert.equal(await run(look), `1001 1002 /home/web definition\nmine\n${ran.plan.network.hostname}\n`);
    const other = { user: 'root', cwd: '/tmp', env: { FROM: 'exec', MORE: 'more' } };
    assert.equal(await run(look, other), `0 0 /tmp exec more\nmine\n${ran.plan.network.hostname}\n`);
    assert.match(await run('ps'), /while :; do sleep/);
    const named = limits.terminalName ? /^\/dev\/pts\/\d+\r\nxterm\r\n$/ : /^not a tty\r\nxterm\r\n$/;
    assert.match(await run('tty; test -t 0 && echo $TERM', { tty: { cols: 80, rows: 24 } }), named);
    const running = async () => Number((await run('ps | grep -c "[s]leep 4321" || true')).trim());
    const begun = await execWitness(ran.sandbox, { container: 'app', command: ['sleep', '4321'], tty: null }, { patienceMs });
    assert.equal(await running(), 1);
    begun.process.close();
    await eventually('its end', patienceMs, running, (count) => count === 0);
    await rig.finish(ran);
  });
}
