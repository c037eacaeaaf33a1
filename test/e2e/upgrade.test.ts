/** A newer berth takes the place of an older one, over the same state, while tasks run. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { script, taskId } from './aws-sdk.ts';
import type { Sdk } from './aws-sdk.ts';
import { openFixture } from './fixture.ts';
import { formerBerth, whyNoFormer } from './former-berth.ts';
import { endpoint, root, until } from './platform.ts';
import type { Platform } from './platform.ts';
import { containersOf, processesOf, supervisorOf } from './processes.ts';

let platform: Platform;
let sdk: Sdk;
let ending: AsyncDisposableStack | undefined;

function schemaVersion(): number {
  const database = new DatabaseSync(join(platform.state, 'control/berth.db'), { readOnly: true });
  try {
    return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  } finally {
    database.close();
  }
}

const why = whyNoFormer();

describe('an upgrade from the berth before the last change of the schema', { skip: why ?? false }, () => {
  before(async () => {
    ({ platform, sdk, ending } = await openFixture({ home: formerBerth() }));
  });
  after(() => ending?.disposeAsync());

  it('keeps every task running, and takes their supervisors back', async () => {
    const counts = script('i=0; while :; do i=$((i+1)); echo n $i; sleep 0.05; done', { stopTimeout: 2 });
    const serves = script('mkdir /w; echo served > /w/index.html; exec httpd -f -p 80 -h /w', {
      stopTimeout: 2,
      portMappings: [{ containerPort: 80 }],
    });
    const tags = [{ key: 'berth:endpoint', value: 'old' }];
    const ran = [
      ...(await sdk.running(await sdk.run(await sdk.register('counts', [counts])))),
      ...(await sdk.running(await sdk.run(await sdk.register('serves', [serves]), { tags }))),
    ];
    const [stopped] = await sdk.stopped(await sdk.run(await sdk.register('ended', [script('exit 7')])));
    await until('it is served', async () => (await endpoint(platform, 'old')) === 'served');
    const processes = () => ran.map((task) => [supervisorOf(platform, taskId(task)), ...containersOf(taskId(task))]);
    const [former, formerVersion] = [processes(), schemaVersion()];

    const programOf = (pid: number | undefined) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '';
    for (const [supervisor] of former) assert.ok(programOf(supervisor).startsWith(`${platform.home}/`), programOf(supervisor));

    await platform.ok(['down', '--keep-tasks'], { timeoutMs: 120_000 });
    assert.deepEqual(processes(), former, 'tasks ended with the platform');
    platform.home = root;
    await platform.ok(['up'], { timeoutMs: 300_000 });

    assert.ok(schemaVersion() > formerVersion, `the schema was of version ${formerVersion}, and is of ${schemaVersion()}`);
    assert.deepEqual(processes(), former);
    assert.ok(programOf(processesOf(platform)?.worker).startsWith(`${root}/.berth/bin/`));
    for (const [index, task] of (await sdk.running(ran)).entries()) {
      assert.deepEqual(task.startedAt, ran[index]?.startedAt);
      assert.equal(task.healthStatus, 'UNKNOWN');
      assert.equal(task.connectivity, 'CONNECTED');
    }
    assert.equal((await sdk.describe([stopped?.taskArn ?? '']))[0]?.containers?.[0]?.exitCode, 7);
    await until('it is served again', async () => (await endpoint(platform, 'old')) === 'served');
    const before = (await sdk.lines(ran[0] ?? '', 'main')).length;
    const lines = await until('more lines', async () => {
      const now = await sdk.lines(ran[0] ?? '', 'main');
      return now.length > before + 20 && now;
    });
    assert.deepEqual(
      lines,
      lines.map((_, index) => `n ${index + 1}`),
      'lines are missing, or there twice',
    );

    await sdk.stop(ran);
    for (const task of await sdk.stopped(ran)) assert.equal(task.stopCode, 'UserInitiated');
    const again = await sdk.running(await sdk.run('counts'));
    await sdk.stop(again);
    await sdk.stopped(again);
  });
});
