/** Directories that tasks share: made by Debian's stock AWS CLI, mounted by tasks of each kind. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { EFS } from '@aws-sdk/client-efs';
import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { script, taskId } from './aws-sdk.ts';
import { AWS } from './aws-forks.ts';
import { platformFixture } from './fixture.ts';
import { installPackages } from './packages.ts';
import { until } from './platform.ts';
import { processesOf, sharesOf } from './processes.ts';
import { s3FilesTests } from './s3-files.ts';

installPackages({ '/usr/bin/aws': 'awscli' });
const { platform, sdk } = await platformFixture();
let fileSystemId: string;

async function efs<T>(...args: string[]): Promise<T> {
  const words = ['--endpoint-url', platform.env['AWS_ENDPOINT_URL'] ?? '', '--region', 'us-east-1', '--output', 'json', 'efs', ...args];
  const ran = await platform.command(AWS, words, { env: { ...platform.env, AWS_PAGER: '' }, timeoutMs: 90_000 });
  assert.equal(ran.code, 0, `aws efs ${args.join(' ')} exited ${ran.code}\n${ran.stderr}`);
  return JSON.parse(ran.stdout || '{}') as T;
}

before(async () => {
  ({ FileSystemId: fileSystemId } = await efs<{ FileSystemId: string }>('create-file-system', '--creation-token', 'shared'));
});
const mounted = (text: string, change: Partial<ContainerDefinition> = {}, readOnly = false) =>
  script(text, { mountPoints: [{ sourceVolume: 'data', containerPath: '/data', readOnly }], ...change });
const volume = (change: object = {}) => ({ volumes: [{ name: 'data', efsVolumeConfiguration: { fileSystemId, ...change } }] });
const of = (kind: string) => ({ tags: [{ key: 'berth:isolation', value: kind }] });
const viaPoint = (accessPointId: string) => volume({ transitEncryption: 'ENABLED', authorizationConfig: { accessPointId } });

describe('EFS', () => {
  it('needs a mount target in the VPC, as AWS has it', async () => {
    const { task } = await sdk.toEnd('no-target', [mounted('true')], volume());
    assert.equal(task.stopCode, 'TaskFailedToStart');
    assert.match(
      task.stoppedReason ?? '',
      /^ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: .*mount target/,
    );
    await efs('create-mount-target', '--file-system-id', fileSystemId, '--subnet-id', (await sdk.subnets())[0] ?? '');
  });

  for (const kind of ['container', 'gvisor'])
    describe(kind, () => {
      it('two tasks share a file, at the same time and one after the other', async () => {
        const first = `echo one > /data/${kind}; until grep -q two /data/${kind}; do sleep 0.1; done; cat /data/${kind}`;
        const [one] = await sdk.run(await sdk.register('one', [mounted(first)], volume()), of(kind));
        const second = `until grep -q one /data/${kind}; do sleep 0.1; done; echo two >> /data/${kind}; cat /data/${kind}`;
        const two = await sdk.toEnd('two', [mounted(second)], volume(), of(kind));
        assert.equal(two.exitCode('main'), 0, JSON.stringify(two.task.stoppedReason));
        await sdk.stopped([one!]);
        assert.deepEqual(await sdk.lines(one!, 'main'), ['one', 'two']);
        const third = await sdk.toEnd('three', [mounted(`cat /data/${kind}; touch /data/x 2>&1`, {}, true)], volume(), of(kind));
        assert.deepEqual(third.printed['main']?.slice(0, 2), ['one', 'two']);
        assert.match(third.printed['main']?.[2] ?? '', /Read-only file system/);
      });

      it('an access point makes its root directory, and everybody in there is its user', async () => {
        const root = `Path=/${kind}-app,CreationInfo={OwnerUid=1000,OwnerGid=1001,Permissions=0750}`;
        const words = [
          '--file-system-id',
          fileSystemId,
          '--posix-user',
          'Uid=1000,Gid=1001',
          '--root-directory',
          root,
          '--client-token',
          kind,
        ];
        const { AccessPointId: point } = await efs<{ AccessPointId: string }>('create-access-point', ...words);
        const inside = await sdk.toEnd('point', [mounted("echo mine > /data/file; ls -n /data/file | awk '{print $3, $4}'; stat -c '%u %g %a' /data", { user: '1000:1001' })], viaPoint(point), of(kind)); // prettier-ignore
        assert.deepEqual(inside.printed['main'], ['1000 1001', '1000 1001 750'], `${inside.task.stoppedReason}`);
        const whole = await sdk.toEnd('whole', [mounted(`cat /data/${kind}-app/file`)], volume(), of(kind));
        assert.deepEqual(whole.printed['main'], ['mine']);
        // Root in its container, and somebody else, one after the other and at the same time.
        // gVisor's kernel lets nobody but root and who is shown as owner change a mode.
        const chmod = kind === 'gvisor' ? 'true' : 'chmod 600 made-$(id -u)/file';
        const text = `cd /data && cat file && mkdir made-$(id -u) && echo $(id -u) > made-$(id -u)/file && ${chmod} && mv made-$(id -u)/file made-$(id -u)/moved && ln -s moved made-$(id -u)/link && cat made-$(id -u)/link && (echo a >> file) && { chown 5:5 file 2>/dev/null; stat -c '%u %g' file made-$(id -u) made-$(id -u)/moved; ls | wc -l; }; head -c 3000000 /dev/urandom > big-$(id -u) && sync && cp big-$(id -u) copy-$(id -u) && cmp big-$(id -u) copy-$(id -u) && truncate -s 5 copy-$(id -u) && wc -c < copy-$(id -u) && rm copy-$(id -u) big-$(id -u)`; // prettier-ignore
        const strangers = [mounted(text), { ...mounted(text, { user: '33:33' }), name: 'other', dependsOn: [{ containerName: 'main', condition: 'SUCCESS' as const }] }]; // prettier-ignore
        strangers[0]!.essential = false;
        const both = await sdk.toEnd('strangers', strangers, viaPoint(point), of(kind));
        const owners = ['1000 1001', '1000 1001', '1000 1001'];
        assert.deepEqual(both.printed['main'], ['mine', '0', ...owners, '2', '5'], `${both.task.stoppedReason}`);
        assert.deepEqual(both.printed['other'], ['mine', 'a', '33', ...owners, '3', '5']);
        // A root-only file is nothing that root in a container may have: it is the access point's user.
        writeFileSync(join(platform.state, 'host/filesystems', fileSystemId, `${kind}-app/secret`), 'root', { mode: 0o600 });
        const denied = await sdk.toEnd('denied', [mounted('cat /data/secret 2>&1; true')], viaPoint(point), of(kind));
        assert.match(denied.printed['main']?.[0] ?? '', /Permission denied/);
      });
    });

  it('the process that is an access point’s user is killed, and what is open goes on, removed files too', async () => {
    const root = 'Path=/mortal,CreationInfo={OwnerUid=1000,OwnerGid=1001,Permissions=0750}';
    const words = ['--file-system-id', fileSystemId, '--posix-user', 'Uid=1000,Gid=1001', '--root-directory', root];
    const { AccessPointId: point } = await efs<{ AccessPointId: string }>('create-access-point', ...words, '--client-token', 'mortal');
    const waits = (name: string) => `until [ -e /data/${name} ]; do sleep 0.1; done`;
    const text = `mkdir /data/in && cd /data/in && exec 3>>log 4<>removed && rm removed && echo hidden >&4 && echo one >&3 && touch /data/ready; ${waits('go1')}; echo two >&3; mkdir made; ${waits('go2')}; echo three >&3; cat log /proc/$$/fd/4; ls; pwd; trap 'exit 0' TERM; while :; do sleep 0.1; done`; // prettier-ignore
    const [task] = await sdk.run(await sdk.register('mortal-share', [mounted(text)], viaPoint(point)));
    const files = join(platform.state, 'host/filesystems', fileSystemId, 'mortal');
    await until('what is open', async () => existsSync(join(files, 'ready')));
    const server = () => sharesOf(taskId(task!)).find((one) => one.name === 'berth-share')?.pid;
    for (const n of [1, 2]) {
      const victim = await until('a server', async () => server());
      process.kill(victim, 'SIGKILL');
      await until('another one', async () => (server() ?? victim) !== victim);
      writeFileSync(join(files, `go${n}`), '');
    }
    const lines = await until('the end of it', async () => {
      const said = await sdk.lines(task!, 'main');
      return said.includes('/data/in') && said;
    });
    assert.deepEqual(lines, ['one', 'two', 'three', 'hidden', 'log', 'made', '/data/in']);
    await sdk.stop([task!]);
    await sdk.stopped([task!]);
    await until('the servers are gone', async () => sharesOf(taskId(task!)).length === 0);
  });

  it('a microVM and a container share one', async () => {
    // By a rename: a file is there before what is written to it, over NFS for longer.
    const inside =
      'echo from the machine > /data/new; mv /data/new /data/mixed; until [ -e /data/answer ]; do sleep 0.1; done; cat /data/answer; grep -c nfs4 /proc/mounts';
    const [machine] = await sdk.run(await sdk.register('machine', [mounted(inside)], volume()), of('microvm'));
    const answer =
      'until [ -e /data/mixed ]; do sleep 0.1; done; cat /data/mixed; echo from the container > /data/new; mv /data/new /data/answer';
    const container = await sdk.toEnd('beside', [mounted(answer)], volume(), of('container'));
    assert.deepEqual(container.printed['main'], ['from the machine'], `${container.task.stoppedReason}`);
    await sdk.stopped([machine!]);
    assert.deepEqual(await sdk.lines(machine!, 'main'), ['from the container', '1']);
  });

  it('outlives kill -9 of everything but the task, whose mount is gone once it stopped', async () => {
    const text = 'until [ -e /data/go ]; do sleep 0.1; done; echo went >> /data/went; exec sleep 1000';
    const [task] = await sdk.running(await sdk.run(await sdk.register('mortal', [mounted(text)], volume())));
    const place = join(platform.state, 'host/mounts', taskId(task!));
    assert.ok(readFileSync('/proc/self/mountinfo', 'utf8').includes(place));
    const before = await until('every process of the platform', async () => processesOf(platform));
    for (const name of ['control', 'host', 'worker'] as const) process.kill(before[name], 'SIGKILL');
    await until('others in their places', async () => {
      const now = processesOf(platform);
      return now !== undefined && now.control !== before.control && now.host !== before.host;
    });
    const files = join(platform.state, 'host/filesystems', fileSystemId);
    writeFileSync(join(files, 'go'), '');
    await until('the task goes on', async () => existsSync(join(files, 'went')));
    await until('the platform', async () => /"CONNECTED"/.test((await platform.berth(['status', '--json'])).stdout));
    await sdk.stop([task!]);
    await sdk.stopped([task!]);
    await until('the mount is gone', async () => !readFileSync('/proc/self/mountinfo', 'utf8').includes(place) && !existsSync(place));
    assert.equal(readFileSync(join(files, 'went'), 'utf8'), 'went\n');
    const other = await sdk.toEnd('heir', [mounted('cat /data/went')], volume());
    assert.deepEqual(other.printed['main'], ['went']);
  });

  it('is gone with its files, also from a task that still has it; what nobody deleted stays', async () => {
    const client = new EFS(sdk.config);
    const files = join(platform.state, 'host/filesystems');
    try {
      const { FileSystemId = '' } = await client.createFileSystem({ CreationToken: 'short-lived' });
      const { MountTargetId } = await client.createMountTarget({ FileSystemId, SubnetId: (await sdk.subnets())[0] });
      const text = 'echo x > /data/file; until [ ! -e /data/file ]; do sleep 0.1; done; echo gone';
      const [task] = await sdk.run(await sdk.register('last', [mounted(text)], { volumes: [{ name: 'data', efsVolumeConfiguration: { fileSystemId: FileSystemId } }] })); // prettier-ignore
      await until('its file', async () => existsSync(join(files, FileSystemId, 'file')));
      mkdirSync(join(files, 'fs-0000000000000000f'));
      await client.deleteMountTarget({ MountTargetId });
      await client.deleteFileSystem({ FileSystemId });
      await sdk.stopped([task!]);
      assert.deepEqual(await sdk.lines(task!, 'main'), ['gone']);
      await until(
        'all of it is gone',
        async () => !existsSync(join(files, FileSystemId)) && !existsSync(join(files, '.deleted', FileSystemId)),
      );
      assert.ok(existsSync(join(files, fileSystemId)) && existsSync(join(files, 'fs-0000000000000000f')));
    } finally {
      client.destroy();
    }
  });

  it('a root directory must be there', async () => {
    const { task } = await sdk.toEnd('lost', [mounted('true')], volume({ rootDirectory: '/lost' }));
    assert.match(task.stoppedReason ?? '', /mounting 127.0.0.1:\/lost failed, reason given by server: No such file or directory/);
  });
});

describe('S3 Files', () => s3FilesTests(platform, sdk));
