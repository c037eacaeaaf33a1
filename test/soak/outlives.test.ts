/**
 * What tasks have on their host goes on while everything of the platform is killed, again and again: an access point's directory in a container,
 * in gVisor and in a microVM, and faults of their networks. BERTH_SOAK_ROUNDS (default: 5).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { EFSClient, CreateAccessPointCommand, CreateFileSystemCommand, CreateMountTargetCommand } from '@aws-sdk/client-efs';
import { script } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { until } from '../e2e/platform.ts';
import { processesOf } from '../e2e/processes.ts';

const ROUNDS = Number(process.env['BERTH_SOAK_ROUNDS'] ?? 5);
const kinds = ['container', 'gvisor', 'microvm'] as const;
const { platform, sdk } = await platformFixture({ upArgs: ['--accel', 'tcg'], maxAttempts: 10 });

it(`directories and faults of tasks of each kind through ${ROUNDS} rounds of kill -9`, async () => {
  const efs = new EFSClient(sdk.config);
  const { FileSystemId: fileSystemId = '' } = await efs.send(new CreateFileSystemCommand({ CreationToken: 'soak' }));
  await efs.send(new CreateMountTargetCommand({ FileSystemId: fileSystemId, SubnetId: (await sdk.subnets())[0] }));
  const point = await efs.send(
    new CreateAccessPointCommand({
      ClientToken: 'soak',
      FileSystemId: fileSystemId,
      PosixUser: { Uid: 1000, Gid: 1001 },
      RootDirectory: { Path: '/app', CreationInfo: { OwnerUid: 1000, OwnerGid: 1001, Permissions: '0755' } },
    }),
  );
  // Each write is whole, is read back, and is owned by the access point's user; a fault stays what it is.
  const text = `API=$ECS_AGENT_URI/fault/v1/network-packet-loss; KIND=$(hostname)
    ask() { wget -q -O - --header 'content-type: application/json' --post-data "$2" $API/$1 2>/dev/null; echo; } # refused while the host agent is away
    ask start '{"LossPercent":100,"Sources":["192.0.2.0/24"]}'
    n=0; while :; do n=$((n+1)); echo $n >> /data/$KIND && [ "$(tail -n 1 /data/$KIND)" = $n ] && [ "$(stat -c %u /data/$KIND)" = 1000 ] || echo lost $n; [ $((n % 20)) = 0 ] && ask status '{}'; sleep 0.05; done`;
  const definition = await sdk.register('outlives', [script(text, { mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }] })], {
    enableFaultInjection: true,
    volumes: [
      {
        name: 'data',
        efsVolumeConfiguration: { fileSystemId, transitEncryption: 'ENABLED', authorizationConfig: { accessPointId: point.AccessPointId } },
      },
    ],
  });
  const begun = await Promise.all(kinds.map((kind) => sdk.run(definition, { tags: [{ key: 'berth:isolation', value: kind }] })));
  const tasks = await sdk.running(begun.flat(), 200);
  const heard = async () => await Promise.all(tasks.map((task) => sdk.lines(task, 'main').catch(() => [] as string[])));
  const grown = async (than: number[]) => (await heard()).every((lines, index) => lines.length >= (than[index] ?? 0) + 2);
  await until('all write', async () => await grown([0, 0, 0]), 120_000);
  for (let round = 0; round < ROUNDS; round++) {
    const before = await until('every process of the platform', async () => processesOf(platform));
    for (const name of ['control', 'host', 'worker'] as const) process.kill(before[name], 'SIGKILL');
    await until('others in their places', async () => {
      const now = processesOf(platform);
      return now !== undefined && now.control !== before.control && now.host !== before.host;
    });
    const lengths = (await until('the logs', async () => await heard().catch(() => undefined), 60_000)).map((lines) => lines.length);
    await until('all go on', async () => await grown(lengths), 120_000);
  }
  for (const lines of await heard()) {
    assert.deepEqual([...new Set(lines.map((line) => line.trim()).filter(Boolean))], ['{"Status":"running"}'], lines.slice(-20).join('\n'));
  }
  await sdk.stop(tasks);
  await sdk.stopped(tasks, 120);
  await until('nothing is mounted', async () => !readFileSync('/proc/self/mountinfo', 'utf8').includes(`${platform.state}/host/mounts`));
});
