/** All applications of `test/e2e/wild`, some in other kinds of sandbox, and what of a task comes back after kill -9 of all that looks after it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressOf } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { until } from '../e2e/platform.ts';
import { processesOf } from '../e2e/processes.ts';
import { applications } from '../e2e/wild/applications.ts';
import { body, runApplication } from '../e2e/wild/run.ts';

const { platform, sdk } = await platformFixture({ busybox: false });

async function stop(task: { taskArn?: string | undefined }): Promise<void> {
  await sdk.stop([task.taskArn ?? '']);
  await sdk.stopped([task.taskArn ?? ''], 120);
}

describe('a definition from the wild', () => {
  for (const [name, application] of Object.entries(applications)) {
    it(`${name} runs unchanged and does its job`, async () => stop(await runApplication(platform, sdk, application)));
  }
  for (const name of ['migration', 'queue', 'proxied', 'memcached'] as const) {
    it(`${name} does so in gVisor`, async () => stop(await runApplication(platform, sdk, applications[name], 'gvisor', 3)));
  }
  for (const name of ['migration', 'memcached'] as const) {
    it(`${name} does so in a microVM`, async () => stop(await runApplication(platform, sdk, applications[name], 'microvm', 6)));
  }
});

describe('kill -9 of control plane and host agent, and of both', () => {
  const rounds = [['control'], ['host'], ['control', 'host']] as const;
  it('a task keeps its identity, its health, its data and its log', async () => {
    const task = await runApplication(platform, sdk, applications.wordpress);
    const url = `http://${addressOf(task)}:80/`;
    const seen = async () => {
      const [now] = await sdk.describe([task]);
      const containers = (now?.containers ?? []).map(({ name, runtimeId, imageDigest, healthStatus, lastStatus }) => ({ name, runtimeId, imageDigest, healthStatus, lastStatus })); // prettier-ignore
      return { status: now?.lastStatus, health: now?.healthStatus, startedAt: now?.startedAt, attachments: now?.attachments, containers };
    };
    const before = await seen();
    const requests = (await sdk.lines(task, 'nginx')).length;
    let hits = 2;
    for (const victims of rounds) {
      const running = await until('every process of the platform', async () => processesOf(platform));
      for (const victim of victims) process.kill(running[victim], 'SIGKILL');
      hits++;
      // What it serves needs nobody of berth's.
      await until(`hits ${hits}`, async () => (await body(url)).includes(`hits ${hits} posts ${hits}`));
      await until('the platform', async () => /"CONNECTED"/.test((await platform.berth(['status', '--json'])).stdout));
      await until('the same task', async () => JSON.stringify(await seen()) === JSON.stringify(before));
    }
    assert.equal(before.status, 'RUNNING');
    // Each request wrote one line, also those while nobody was there to take it.
    await until('each line once', async () => (await sdk.lines(task, 'nginx')).length === requests + rounds.length);
    await stop(task);
  });
});
