/** Tasks with volumes of both kinds while the host agent is killed at any moment: what was written stays, and nothing is left over. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListClustersCommand, TagResourceCommand } from '@aws-sdk/client-ecs';
import { script } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { until } from '../e2e/platform.ts';
import { processesOf } from '../e2e/processes.ts';

const ROUNDS = Number(process.env['BERTH_VOLUME_ROUNDS'] ?? 30);
const { platform, sdk } = await platformFixture();
const extensions = [{ key: 'berth:extensions', value: 'volumes' }];
const roleArn = 'arn:aws:iam::123456789012:role/ecsInfrastructure';
const dir = join(platform.state, 'host/volumes');
const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(dir)).length; // prettier-ignore
const loops = () => execFileSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], { encoding: 'utf8' }).split('\n').filter((line) => line.includes(dir)).length; // prettier-ignore

before(async () => {
  const { clusterArns = [] } = await sdk.ecs.send(new ListClustersCommand({}));
  await sdk.ecs.send(new TagResourceCommand({ resourceArn: clusterArns[0], tags: extensions }));
});

it(`${ROUNDS} rounds of tasks with volumes, the host agent killed in each`, async () => {
  const docker = { scope: 'shared' as const, autoprovision: true };
  const definition = await sdk.register(
    'soak',
    [
      script("echo line >> /named/log; sync; echo x > /own/file; trap 'exit 0' TERM; while :; do sleep 0.1; done", {
        mountPoints: [
          { sourceVolume: 'named', containerPath: '/named' },
          { sourceVolume: 'own', containerPath: '/own' },
        ],
      }),
    ],
    {
      volumes: [
        { name: 'named', dockerVolumeConfiguration: docker },
        { name: 'own', configuredAtLaunch: true },
      ],
      tags: extensions,
    },
  );
  const volumeConfigurations = [{ name: 'own', managedEBSVolume: { roleArn, sizeInGiB: 1 } }];
  let ran = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const kind = round % 2 === 0 ? 'container' : 'gvisor';
    const tasks = await sdk.run(definition, { count: 2, volumeConfigurations, tags: [{ key: 'berth:isolation', value: kind }] });
    await sleep((round * 37) % 400);
    const { host } = await until('the host agent', async () => processesOf(platform));
    process.kill(host, 'SIGKILL');
    await sleep((round * 53) % 900);
    await sdk.stop(tasks);
    const ended = await sdk.stopped(tasks);
    ran += ended.filter((task) => task.startedAt !== undefined).length;
  }
  const left = () => readdirSync(dir).length;
  await until('volumes of tasks go', async () => left() === 1);
  assert.equal(mounts(), 0);
  await until('loop devices go', async () => loops() === 0);
  const last = await sdk.toEnd('soak-read', [script('wc -l < /named/log', { mountPoints: [{ sourceVolume: 'named', containerPath: '/named' }] })], { volumes: [{ name: 'named', dockerVolumeConfiguration: docker }], tags: extensions }); // prettier-ignore
  assert.ok(Number(last.printed['main']?.[0]) >= ran, `${last.printed['main']} lines of ${ran} tasks that ran`);
  assert.ok(ran > 0);
});
