/** Block volumes: made for tasks and named ones, with Debian's stock AWS CLI, in tasks of each kind that runs at full speed everywhere. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { DescribeVolumesCommand } from '@aws-sdk/client-ec2';
import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { script } from './aws-sdk.ts';
import { AWS } from './aws-forks.ts';
import { platformFixture } from './fixture.ts';
import { installPackages } from './packages.ts';
import { until } from './platform.ts';
import { processesOf } from './processes.ts';

installPackages({ '/usr/bin/aws': 'awscli' });
const { platform, sdk } = await platformFixture();
const roleArn = 'arn:aws:iam::123456789012:role/ecsInfrastructure';
const extensions = [{ key: 'berth:extensions', value: 'volumes' }];

async function aws(...args: string[]): Promise<any> {
  const words = ['--endpoint-url', platform.env['AWS_ENDPOINT_URL'] ?? '', '--region', 'us-east-1', '--output', 'json', ...args];
  const ran = await platform.command(AWS, words, { env: { ...platform.env, AWS_PAGER: '' }, timeoutMs: 90_000 });
  assert.equal(ran.code, 0, `aws ${args.join(' ')} exited ${ran.code}\n${ran.stderr}`);
  return JSON.parse(ran.stdout || '{}');
}
const mounted = (text: string, change: Partial<ContainerDefinition> = {}) =>
  script(text, { mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }], ...change });
const atLaunch = { volumes: [{ name: 'data', configuredAtLaunch: true }] };
const launch = (kind: string, ebs: object) => ({
  tags: [{ key: 'berth:isolation', value: kind }],
  volumeConfigurations: [{ name: 'data', managedEBSVolume: { roleArn, ...ebs } }],
});
const named = (volume: string) => ({
  volumes: [{ name: volume, dockerVolumeConfiguration: { scope: 'shared' as const, autoprovision: true } }],
  tags: extensions,
});
const volumesDir = join(platform.state, 'host/volumes');
const ours = (text: string, at = '') => text.split('\n').filter((line) => line.includes(volumesDir) && line.includes(at)).length;
/** `at`: how the places end, of volumes alone; the directory of a volume is a mount too. */
const mounts = (at = '') => ours(readFileSync('/proc/self/mountinfo', 'utf8'), at);
const gone = (id: string) => until(`volume ${id} goes`, async () => (readdirSync(volumesDir).includes(id) ? undefined : true));

before(async () => {
  const {
    clusters: [cluster],
  } = await aws('ecs', 'describe-clusters');
  await aws('ecs', 'tag-resource', '--resource-arn', cluster.clusterArn, '--tags', 'key=berth:extensions,value=volumes');
});

describe('volumes', () => {
  for (const kind of ['container', 'gvisor'])
    describe(kind, () => {
      it('a volume is made for a task, a snapshot of it begins another, and it goes with its task', async () => {
        const wish = { sizeInGiB: 1, volumeType: 'gp3', filesystemType: 'ext4' as const };
        const text = "stat -c '%u %g %a' /data; echo kept > /data/file; trap 'exit 0' TERM; while :; do sleep 0.1; done";
        const [first] = await sdk.run(await sdk.register('ebs', [mounted(text)], atLaunch), launch(kind, wish));
        await sdk.running([first!]);
        // Debian's CLI doesn't know of tasks that have volumes.
        const inUse = await sdk.ec2.send(new DescribeVolumesCommand({ Filters: [{ Name: 'status', Values: ['in-use'] }] }));
        const volume = inUse.Volumes?.find(({ Attachments }) => Attachments?.[0]?.AssociatedResource === first?.taskArn);
        assert.ok(volume?.VolumeId);
        const { SnapshotId } = await aws('ec2', 'create-snapshot', '--volume-id', volume.VolumeId);
        const stateOf = async () => (await aws('ec2', 'describe-snapshots', '--snapshot-ids', SnapshotId)).Snapshots[0].State;
        await until('the snapshot', async () => (await stateOf()) === 'completed');
        await sdk.stop([first!]);
        await sdk.stopped([first!]);
        assert.deepEqual((await sdk.lines(first!, 'main'))[0], '0 0 755');
        await gone(volume.VolumeId);
        const second = await sdk.toEnd('copy', [mounted('cat /data/file')], atLaunch, launch(kind, { snapshotId: SnapshotId, filesystemType: 'ext4' })); // prettier-ignore
        assert.deepEqual(second.printed['main'], ['kept'], `${second.task.stoppedReason}`);
        await aws('ec2', 'delete-snapshot', '--snapshot-id', SnapshotId);
        assert.equal(mounts(), 0);
      });

      it('a named volume outlives its tasks, and comes back with the next', async () => {
        const volume = `data-${kind}`;
        const mount = { mountPoints: [{ sourceVolume: volume, containerPath: '/data' }] };
        const run = { tags: [{ key: 'berth:isolation', value: kind }] };
        const first = 'echo one > /data/file; until grep -q two /data/file; do sleep 0.1; done; cat /data/file';
        const [one] = await sdk.run(await sdk.register('named', [script(first, mount)], named(volume)), run);
        const second = 'until grep -q one /data/file; do sleep 0.1; done; echo two >> /data/file';
        await sdk.toEnd('named', [script(second, mount)], named(volume), run);
        await sdk.stopped([one!]);
        assert.deepEqual(await sdk.lines(one!, 'main'), ['one', 'two']);
        const third = await sdk.toEnd('named', [script('cat /data/file', mount)], named(volume), run);
        assert.deepEqual(third.printed['main'], ['one', 'two'], `${third.task.stoppedReason}`);
        const listed = await platform.berth(['volumes', 'ls', '--json']);
        assert.deepEqual(JSON.parse(listed.stdout).filter((item: any) => item.name === volume).map((item: any) => [item.state, item.usedBy]), [['available', []]]); // prettier-ignore
        assert.equal((await platform.berth(['volumes', 'rm', volume])).code, 0);
      });
    });

  it('a host agent that is killed takes its volumes back, and nothing is left of them', async () => {
    const text = "echo 1 > /data/file; trap 'exit 0' TERM; while :; do sleep 0.1; done";
    const keep = launch('container', { sizeInGiB: 1, terminationPolicy: { deleteOnTermination: false } });
    const [task] = await sdk.run(await sdk.register('killed', [mounted(text)], atLaunch), keep);
    await sdk.running([task!]);
    assert.equal(mounts('/mnt '), 1);
    process.kill(processesOf(platform)!.host, 'SIGKILL');
    await sdk.stop([task!]);
    await sdk.stopped([task!]);
    assert.equal(mounts(), 0);
    const {
      Volumes: [volume],
    } = await aws('ec2', 'describe-volumes', '--filters', 'Name=status,Values=available');
    assert.equal(volume.Tags.some((tag: any) => tag.Key === 'AmazonECSManaged'), true); // prettier-ignore
    await aws('ec2', 'delete-volume', '--volume-id', volume.VolumeId);
    await gone(volume.VolumeId);
  });
});
