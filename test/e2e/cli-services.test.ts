/** Services by the command line: behind one URL, scaled, deployed, rolled back, forgotten; and the demo, which makes one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { getPage, jsonOf, refused } from './cli-tools.ts';
import type { Row } from './cli-tools.ts';
import { platformFixture } from './fixture.ts';
import { until } from './platform.ts';

const { platform } = await platformFixture();

const get = (name: string) => getPage(platform, name);
const rows = (...args: string[]): Promise<Row[]> => jsonOf(platform, 'ps', ...args);

describe('a service', () => {
  const serve = "mkdir /w; echo hello > /w/index.html; echo serving; trap 'exit 0' TERM; httpd -f -p 80 -h /w & wait";

  it('puts two tasks, both on port 80, behind one URL', async () => {
    const ran = JSON.parse(
      await platform.ok([
        'run',
        'pair',
        '--image',
        'busybox',
        '--port',
        '80',
        '--count',
        '2',
        '--json',
        '--',
        'sh',
        '-c',
        `hostname > /name; ${serve.replace('echo hello', 'cat /name')}`,
      ]),
    ) as { url: string; httpStatus: number; tasks: Row[] };
    assert.equal(ran.httpStatus, 200);
    assert.equal(ran.tasks.length, 2);
    const seen = new Set<string>();
    await until('both tasks answer', async () => {
      seen.add((await get('pair')).body.trim());
      return seen.size === 2;
    });
    const addresses = ran.tasks.map((task) => `ip-${task.address.replaceAll('.', '-')}.ec2.internal`);
    assert.deepEqual([...seen].toSorted(), addresses.toSorted());
    // `berth run` tags it `berth:exec=on`: there is a way into each of its tasks.
    const inside = await Promise.all(ran.tasks.map((task) => platform.ok(['exec', task.id, '--', 'hostname'])));
    assert.deepEqual(inside.map((name) => name.trim()).toSorted(), addresses.toSorted());
  });

  it('scales, deploys and rolls back without losing a request, and says what happened', async () => {
    let failed = 0;
    let asked = 0;
    let over = false;
    const load = (async () => {
      while (!over) {
        const page = await get('pair');
        asked += 1;
        if (page.status !== 200 || page.activator !== undefined) failed += 1;
      }
    })();
    try {
      assert.match(await platform.ok(['scale', 'pair', '3'], { timeoutMs: 60_000 }), /3 running/);
      assert.match(await platform.ok(['deploy', 'pair', '--env', 'NEWS=1'], { timeoutMs: 90_000 }), /successful/);
      assert.match(await platform.ok(['rollback', 'pair'], { timeoutMs: 90_000 }), /back to pair:1 .*successful/);
    } finally {
      over = true;
      await load;
    }
    assert.equal(failed, 0, `${failed} of ${asked} requests failed`);
    const now = await rows('pair');
    assert.equal(now.length, 3);
    assert.ok(now.every((row) => row.url === `http://pair.localhost:${platform.endpointPort}`));
    assert.match(await platform.ok(['services']), /pair +3 of 3 +pair:1 +completed +http:\/\/pair\.localhost/);
    const said = await platform.ok(['events', 'pair', '--tail', '100']);
    assert.match(said, /has started 1 tasks: \(task [0-9a-f]{8}\)/);
    assert.match(said, /has reached a steady state/);
    await platform.ok(['scale', 'pair', '2'], { timeoutMs: 60_000 });
  });

  it('tells why a deployment failed, and goes on with what ran before', async () => {
    const failing = await platform.berth(['deploy', 'pair', '--image', 'no.such.registry.invalid/none:1']);
    refused(failing, 1, /CannotPullContainerError/);
    refused(await platform.berth(['scale', 'pair', 'many']), 2, /whole number/);
    refused(await platform.berth(['scale', 'nothing', '1']), 4, /no service is called 'nothing'; there are: .*pair/);
    assert.equal((await get('pair')).status, 200);
  });

  it('forgets a name, and refuses while it runs', async () => {
    refused(await platform.berth(['rm', 'pair']), 1, /2 task\(s\) of 'pair' run/);
    assert.match(await platform.ok(['rm', 'pair', '--force']), /Forgot pair: 2 definition\(s\), its logs, stopped 2 task\(s\)/);
    assert.deepEqual(await rows('pair'), []);
    refused(await platform.berth(['rm', 'pair']), 4, /nothing called 'pair'/);
    refused(await platform.berth(['stop', 'pair']), 4, /no running task is called 'pair'/);
  });
});

it('berth demo ends with a URL, and only checks when it is there already', async () => {
  const url = new RegExp(`http://demo\\.localhost:${platform.endpointPort} +answers`);
  assert.match(await platform.ok(['demo'], { timeoutMs: 120_000 }), url);
  assert.match((await get('demo')).body, /nginx|berth/i);
  const again = await platform.ok(['demo']);
  assert.match(again, url);
  assert.match(again, /runs since the last demo, answers 200/);
  await platform.ok(['stop', 'demo']);
});
