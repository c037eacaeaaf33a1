/** Tests of S3 Files' volumes in tasks of each kind: buckets as directories, part of efs.test.ts for the sake of its platform. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { S3 } from '@aws-sdk/client-s3';
import { S3Files } from '@aws-sdk/client-s3files';
import { script } from './aws-sdk.ts';
import type { Sdk } from './aws-sdk.ts';
import { until } from './platform.ts';
import type { Platform } from './platform.ts';
import { processesOf } from './processes.ts';

const roleArn = 'arn:aws:iam::123456789012:role/s3files';
const taskRoleArn = 'arn:aws:iam::123456789012:role/task';
const Bucket = 'shelf';

export function s3FilesTests(platform: Platform, sdk: Sdk): void {
  const s3 = new S3({ ...sdk.config, forcePathStyle: true });
  const files = new S3Files(sdk.config);
  let fileSystemId: string;
  let fileSystemArn: string;
  const mounted = (text: string, change: Partial<ContainerDefinition> = {}) =>
    script(text, { mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }], ...change });
  const volume = (change: object = {}) => ({
    taskRoleArn,
    volumes: [{ name: 'data', s3filesVolumeConfiguration: { fileSystemArn, transitEncryptionPort: 2050, ...change } }],
  });
  const of = (kind: string) => ({ tags: [{ key: 'berth:isolation', value: kind }] });
  const text = async (Key: string) => await (await s3.getObject({ Bucket, Key })).Body?.transformToString();
  const object = (what: string, Key: string, wanted: string) => until(what, async () => (await text(Key).catch(() => '')) === wanted);

  before(async () => {
    await s3.createBucket({ Bucket });
    await s3.putObject({ Bucket, Key: 'data/in/first', Body: 'from the bucket\n' });
    const made = await files.createFileSystem({ bucket: `arn:aws:s3:::${Bucket}`, prefix: 'data/', roleArn, tags: [{ key: 'berth:export-after', value: '0' }] }); // prettier-ignore
    fileSystemId = made.fileSystemId ?? '';
    fileSystemArn = made.fileSystemArn ?? '';
  });
  after(() => {
    s3.destroy();
    files.destroy();
  });

  it('needs a mount target in the VPC', async () => {
    const { task } = await sdk.toEnd('s3-no-target', [mounted('true')], volume());
    assert.match(task.stoppedReason ?? '', /^ResourceInitializationError: .*mount target/);
    await files.createMountTarget({ fileSystemId, subnetId: (await sdk.subnets())[0] });
  });

  for (const kind of ['container', 'gvisor', 'microvm'])
    it(`a bucket's objects are files of a ${kind}, and its files objects`, async () => {
      const words = `cat /data/in/first; mkdir /data/${kind}; echo written > /data/${kind}/out; until [ -e /data/${kind}/answer ]; do sleep 0.2; done; cat /data/${kind}/answer; mv /data/${kind}/out /data/${kind}/moved; rm /data/${kind}/answer`; // prettier-ignore
      const [task] = await sdk.run(await sdk.register(`s3-${kind}`, [mounted(words)], volume()), of(kind));
      await object('what the task wrote', `data/${kind}/out`, 'written\n');
      await s3.putObject({ Bucket, Key: `data/${kind}/answer`, Body: `to ${kind}\n` });
      const [ended] = await sdk.stopped([task!]);
      assert.equal(ended?.containers?.[0]?.exitCode, 0, `${ended?.stoppedReason}`);
      assert.equal((await sdk.lines(task!, 'main')).join('|'), `from the bucket|to ${kind}`);
      // After the task's end, too.
      await object('what the task renamed', `data/${kind}/moved`, 'written\n');
      await until('what it removed', async () => (await s3.listObjectsV2({ Bucket, Prefix: `data/${kind}/` })).KeyCount === 2);
    });

  it('an access point has its directory and user, and a root directory must be there', async () => {
    const posixUser = { uid: 1000, gid: 1001 };
    const creationPermissions = { ownerUid: 1000, ownerGid: 1001, permissions: '0750' };
    const point = await files.createAccessPoint({ fileSystemId, posixUser, rootDirectory: { path: '/app', creationPermissions } });
    const inside = await sdk.toEnd('s3-point', [mounted("echo mine > /data/file; stat -c '%u %g' /data/file")], volume({ accessPointArn: point.accessPointArn })); // prettier-ignore
    assert.deepEqual(inside.printed['main'], ['1000 1001'], `${inside.task.stoppedReason}`);
    await object("the access point's file", 'data/app/file', 'mine\n');
    const { Metadata } = await s3.headObject({ Bucket, Key: 'data/app/file' });
    assert.deepEqual([Metadata?.['file-owner'], Metadata?.['file-group']], ['1000', '1001']);
    const below = await sdk.toEnd('s3-root', [mounted('cat /data/file')], volume({ rootDirectory: '/app' }));
    assert.deepEqual(below.printed['main'], ['mine']);
    const { task } = await sdk.toEnd('s3-lost', [mounted('true')], volume({ rootDirectory: '/lost' }));
    assert.match(task.stoppedReason ?? '', /mounting 127.0.0.1:\/lost failed, reason given by server: No such file or directory/);
  });

  it('what a task wrote gets into the bucket whatever is killed meanwhile', async () => {
    const words =
      'n=0; while [ ! -e /data/stop ]; do n=$((n+1)); echo $n > /data/count.$n; sleep 0.05; done; echo $n > /data/last; mv /data/last /data/ended';
    const [task] = await sdk.running(await sdk.run(await sdk.register('s3-mortal', [mounted(words)], volume())));
    await until('some of it', async () => ((await s3.listObjectsV2({ Bucket, Prefix: 'data/count.' })).KeyCount ?? 0) > 3);
    for (const name of ['host', 'control'] as const) {
      const running = await until('every process of the platform', async () => processesOf(platform));
      process.kill(running[name], 'SIGKILL');
      await until('another in its place', async () => {
        const now = processesOf(platform);
        return now !== undefined && now[name] !== running[name];
      });
    }
    await until('the platform', async () => /"CONNECTED"/.test((await platform.berth(['status', '--json'])).stdout));
    await s3.putObject({ Bucket, Key: 'data/stop', Body: '' });
    await sdk.stopped([task!]);
    const root = join(platform.state, 'host/filesystems', fileSystemId);
    await until('the last of it', async () => existsSync(join(root, 'ended')) && (await text('data/ended').catch(() => '')) !== '');
    const last = Number(await text('data/ended'));
    await until(
      'all of it',
      async () => ((await s3.listObjectsV2({ Bucket, Prefix: 'data/count.' })).KeyCount ?? 0) === last || last >= 1000,
    );
    for (const n of [1, 2, last - 1, last]) assert.equal(await text(`data/count.${n}`), `${n}\n`);
    assert.equal(readFileSync(join(root, `count.${last}`), 'utf8'), `${last}\n`);
    assert.ok(!readdirSync(root).some((name) => name.includes('lost+found')), 'nothing was a conflict');
  });

  it('is deleted with its mount targets gone, and the bucket keeps all', async () => {
    for (const { mountTargetId } of (await files.listMountTargets({ fileSystemId })).mountTargets ?? [])
      await files.deleteMountTarget({ mountTargetId });
    await until('nothing is pending', () => files.deleteFileSystem({ fileSystemId }).then(() => true, () => false)); // prettier-ignore
    assert.equal(await text('data/in/first'), 'from the bucket\n');
  });
}
