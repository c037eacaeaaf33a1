/**
 * A definition that sets every member whose effect can be seen from inside, of containers that look and tell; and what they must see in each
 * kind of sandbox.
 */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerDefinition, RegisterTaskDefinitionCommandInput, Task } from '@aws-sdk/client-ecs';
import { S3 } from '@aws-sdk/client-s3';
import { buildImage } from '#image/build.ts';
import { script } from './aws-sdk.ts';
import type { Sdk } from './aws-sdk.ts';
import type { Platform } from './platform.ts';
import { until } from './platform.ts';

const IMAGE = 'whole';
/** Tells what it sees, as lines `name value`; with `stays` it then waits for a signal and tells which. */
const look = `#!/bin/sh
caps() { sed -n "s/^Cap$1:[[:space:]]*//p" /proc/self/status; }
echo "args $*"
echo "id $(id -u) $(id -g) $(id -G)"
echo "cwd $(pwd)"
echo "env $A $B $C $D $E"
echo "home $HOME"
echo "parent $(tr "\\0" " " < /proc/$PPID/cmdline 2>/dev/null)"
echo "caps $(caps Eff) $(caps Bnd)"
echo "files $(ulimit -Sn) $(ulimit -Hn)"
echo "root $( (echo x > /x) 2>/dev/null && echo written || echo read-only)"
echo "scratch $( (echo x > /scratch/x) 2>/dev/null && df -k /scratch | tail -n 1 | awk '{print $2}')"
echo "noexec $(grep ' /scratch ' /proc/mounts | grep -c noexec)"
echo "sysctls $(cat /proc/sys/net/core/somaxconn) $(cat /proc/sys/net/ipv4/ip_local_port_range | tr '\\t' ' ')"
echo "hostname $(hostname)"
echo "terminal $(test -t 2 && echo yes || echo no)"
echo "neighbours $(ps | grep -c '[l]ook stays')"
[ "$1" = stays ] || exit 0
for signal in TERM USR1 QUIT; do trap "echo got $signal; exit 21" $signal; done
echo ready
while :; do sleep 0.1; done
`;

/** `whole`: a busybox whose configuration has all that an image's may have; and the environment file that a container names. */
export async function importWhole(platform: Platform, sdk: Sdk, dir: string): Promise<void> {
  const root = join(dir, 'whole');
  for (const path of ['bin', 'etc', 'tmp', 'srv', 'root', 'home/web', 'scratch']) mkdirSync(join(root, path), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  const applets = 'sh cat echo sleep id pwd sed grep df tail awk tr cut ps hostname test true false touch ls';
  for (const name of applets.split(' ')) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'bin/look'), look);
  for (const path of ['bin/busybox', 'bin/look']) chmodSync(join(root, path), 0o755);
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:1001:1002::/home/web:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nweb:x:1002:\nstaff:x:1003:web\n');
  const config = {
    Entrypoint: ['/bin/look'],
    Cmd: ['of', 'the', 'image'],
    Env: ['PATH=/bin', 'A=image', 'B=image', 'C=image'],
    User: 'web',
    WorkingDir: '/srv',
    StopSignal: 'SIGUSR1',
  };
  const os = { os: 'linux', arch: process.arch === 'arm64' ? 'arm64' : 'amd64' } as const;
  const { path } = await buildImage({ directories: [root], config, platform: os, out: join(dir, 'whole.tar'), name: IMAGE });
  await platform.ok(['image', 'import', path, '--name', IMAGE]);
  const s3 = new S3(sdk.config);
  try {
    await s3.createBucket({ Bucket: IMAGE });
    await s3.putObject({ Bucket: IMAGE, Key: 'named.env', Body: '# Beside the rest\nB=file\nC=file\nE=file\n' });
  } finally {
    s3.destroy();
  }
}

const SYSCTLS = { 'net.core.somaxconn': '99', 'net.ipv4.ip_local_port_range': '20000 30000' };
/** gVisor has no kernel parameters to set. */
export const systemControls = Object.entries(SYSCTLS).map(([namespace, value]) => ({ namespace, value }));

const of = (name: string, change: Partial<ContainerDefinition>): ContainerDefinition => {
  const { command: _, ...logged } = script('', { name });
  return { ...logged, image: IMAGE, essential: false, stopTimeout: 20, ...change };
};

export function wholeDefinition(controls: ContainerDefinition['systemControls'] = []): {
  containers: ContainerDefinition[];
  change: Partial<RegisterTaskDefinitionCommandInput>;
} {
  const beside = of('beside', {
    command: ['stays', 'beside'],
    user: '1234:5678',
    healthCheck: { command: ['CMD-SHELL', 'ps | grep -q "[l]ook stays beside"'], interval: 5, timeout: 60, retries: 10, startPeriod: 60 },
    portMappings: [{ containerPortRange: '8000-8002', name: 'range' }],
  });
  const plain = of('plain', { dependsOn: [{ containerName: 'beside', condition: 'START' }] });
  const named = of('named', {
    command: ['a', 'b c'],
    user: 'web:staff',
    workingDirectory: '/made/for/it',
    environment: [
      { name: 'A', value: 'definition' },
      { name: 'B', value: 'definition' },
    ],
    environmentFiles: [{ type: 's3', value: `arn:aws:s3:::${IMAGE}/named.env` }],
    dependsOn: [{ containerName: 'plain', condition: 'COMPLETE' }],
    pseudoTerminal: true,
  });
  const rights = of('rights', {
    entryPoint: ['/bin/sh', '/bin/look'],
    user: 'root',
    linuxParameters: {
      initProcessEnabled: true,
      capabilities: { add: ['SYS_PTRACE'], drop: ['NET_RAW', 'MKNOD'] },
      tmpfs: [{ containerPath: '/scratch', size: 3, mountOptions: ['noexec'] }],
    },
    ulimits: [{ name: 'nofile', softLimit: 512, hardLimit: 1024 }],
    readonlyRootFilesystem: true,
    systemControls: controls,
    dependsOn: [{ containerName: 'named', condition: 'SUCCESS' }],
  });
  const last = of('last', {
    command: ['stays', 'last'],
    essential: true,
    dependsOn: [
      { containerName: 'rights', condition: 'SUCCESS' },
      { containerName: 'beside', condition: 'HEALTHY' },
    ],
  });
  // The task's containers see each other's processes.
  return { containers: [last, rights, named, plain, beside], change: { pidMode: 'task', cpu: '512', memory: '1024' } };
}

export const wholeOverrides = {
  overrides: {
    containerOverrides: [
      {
        name: 'named',
        environment: [
          { name: 'A', value: 'call' },
          { name: 'D', value: 'call' },
        ],
      },
    ],
  },
};

export type Seen = Record<string, string>;
const seenBy = async (sdk: Sdk, task: Task, container: string): Promise<Seen> =>
  Object.fromEntries((await sdk.lines(task, container)).map((line) => /^(\S+) ?(.*?)\r?$/.exec(line)?.slice(1) ?? [line, '']));

const DEFAULT_CAPABILITIES = 0xa80425fbn;
const bit = (n: number) => 1n << BigInt(n);
const [MKNOD, NET_RAW, SYS_PTRACE] = [bit(27), bit(13), bit(19)];
const hex = (value: bigint) => value.toString(16).padStart(16, '0');

/** Waits for the last container, checks what each saw, stops the task, and checks how it ended. */
export async function assertObeyed(sdk: Sdk, task: Task, options: { sysctls: boolean; patienceS: number }): Promise<void> {
  const lines = (name: string) => sdk.lines(task, name).catch(() => [] as string[]);
  await until('the last container waits', async () => (await lines('last')).includes('ready'), options.patienceS * 1000);
  const [beside, plain, named, rights, last] = await Promise.all(
    ['beside', 'plain', 'named', 'rights', 'last'].map((name) => seenBy(sdk, task, name)),
  );
  const host = `ip-${(task.attachments?.[0]?.details?.find((one) => one.name === 'privateIPv4Address')?.value ?? '').replaceAll('.', '-')}.ec2.internal`;
  const ofImage = { args: 'of the image', id: '1001 1002 1002 1003', cwd: '/srv', env: 'image image image  ', home: '/home/web' };
  const open = { root: 'read-only', hostname: host, terminal: 'no' };
  assert.partialDeepStrictEqual(plain, { ...ofImage, ...open, caps: `${hex(0n)} ${hex(DEFAULT_CAPABILITIES)}` }, 'plain');
  assert.partialDeepStrictEqual(beside, { args: 'stays beside', id: '1234 5678 5678', home: '/', cwd: '/srv', ...open }, 'beside');
  const told = { args: 'a b c', id: '1001 1003 1003', cwd: '/made/for/it', env: 'call definition file call file', terminal: 'yes' };
  assert.partialDeepStrictEqual(named, told, 'named');
  const rightsOf = hex((DEFAULT_CAPABILITIES & ~MKNOD & ~NET_RAW) | SYS_PTRACE);
  const limits = { files: '512 1024', root: 'read-only', scratch: '3072', noexec: '1', caps: `${rightsOf} ${rightsOf}` };
  assert.partialDeepStrictEqual(rights, { args: '', id: '0 0 0', home: '/root', ...limits }, 'rights');
  // The small init is its parent; without one nobody in the container is.
  assert.deepEqual([/berth-(init|tend)/.test(rights?.['parent'] ?? ''), plain?.['parent']], [true, '']);
  if (options.sysctls) for (const seen of [plain, last]) assert.equal(seen?.['sysctls'], Object.values(SYSCTLS).join(' '));
  assert.ok(Number(last?.['neighbours']) >= 1, 'it sees no process of its neighbours');
  const [now] = await sdk.describe([task]);
  assert.equal(now?.containers?.find((one) => one.name === 'beside')?.healthStatus, 'HEALTHY');

  await sdk.stop([task]);
  const [ended] = await sdk.stopped([task], options.patienceS);
  const codes = Object.fromEntries((ended?.containers ?? []).map((one) => [one.name, one.exitCode]));
  assert.deepEqual(codes, { last: 21, rights: 0, named: 0, plain: 0, beside: 21 });
  const [afterwards, before] = await Promise.all(['beside', 'last'].map((name) => sdk.events(task, name)));
  const goodbye = (events: typeof before) => events?.findLast((event) => event.message === 'got USR1')?.timestamp;
  assert.ok(goodbye(before), "the image's stop signal did not come");
  assert.ok((goodbye(afterwards) ?? 0) >= (goodbye(before) ?? Infinity), 'what was depended on was stopped first');
}
