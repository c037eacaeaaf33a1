/** A plan that uses every field, for the golden files of what is rendered from it. */
import { containerSpec } from '#domain/samples.ts';
import type { ContainerSpec, TaskSpec } from '#domain/task-spec.ts';
import type { ImageRunConfig } from '#image/types.ts';
import type { SandboxPlan } from './driver.ts';

const MIB = 1024 * 1024;

export const sampleContainer = (change: Partial<ContainerSpec> = {}) => containerSpec({ image: 'example/app:1', ...change });

export const sampleImage: ImageRunConfig = {
  entrypoint: ['/entry'],
  cmd: ['serve'],
  env: ['PATH=/opt/bin:/bin', 'A=image', 'B=image'],
  workingDir: '/srv',
  user: 'nobody',
  stopSignal: 'SIGQUIT',
  labels: {},
  exposedPorts: [],
};

export function samplePlan(containers: ContainerSpec[], change: Partial<TaskSpec> = {}): SandboxPlan {
  const spec: TaskSpec = {
    cpuMillis: 500,
    memoryBytes: 1024 * MIB,
    ephemeralBytes: 20 * 1024 * MIB,
    isolation: 'auto',
    platform: { os: 'linux', arch: 'amd64' },
    pidMode: 'container',
    sysctls: { 'net.core.somaxconn': '1024' },
    volumes: [{ name: 'data', kind: 'scratch' }],
    containers,
    ...change,
  };
  const prepared = { ref: 'docker.io/example/app:1', digest: 'sha256:0', layers: ['/images/b', '/images/a'], config: sampleImage };
  return {
    taskId: '0123456789abcdef0123456789abcdef',
    kind: 'container',
    spec,
    dir: '/state/host/tasks/0123456789abcdef0123456789abcdef',
    network: {
      ip: '172.31.0.4',
      mac: '02:00:ac:1f:00:04',
      gatewayIp: '172.31.0.1',
      gatewayMac: '02:67:ac:1f:00:01',
      hostname: 'ip-172-31-0-4.ec2.internal',
      mtu: 1500,
      routerNetns: '/run/berth/abcdef/ns/vpc-1',
      routerIf: 't0123456789ab',
    },
    images: Object.fromEntries(containers.map((one) => [one.name, prepared])),
    environment: Object.fromEntries(containers.map((one) => [one.name, { AWS_REGION: 'us-east-1', ...one.environment }])),
    runtimeIds: Object.fromEntries(containers.map((one, index) => [one.name, `${'0'.repeat(32)}-${String(index).padStart(10, '0')}`])),
    files: { '/etc/resolv.conf': 'nameserver 169.254.169.253\n', '/etc/hosts': '127.0.0.1 localhost\n' },
    volumes: { data: { kind: 'scratch' } },
  };
}

export const plainContainer = sampleContainer();
export const fullContainer = sampleContainer({
  health: { command: ['/bin/sh', '-c', 'exit 0'], intervalMs: 30_000, timeoutMs: 5000, retries: 3, startPeriodMs: 10_000 },
  restart: { ignoredExitCodes: [0, 3], attemptPeriodMs: 60_000 },
  name: 'full',
  entryPoint: ['/bin/sh', '-c'],
  command: ['exec sleep 1'],
  workingDirectory: '/work',
  user: '1000:1000',
  environment: { B: 'definition' },
  cpuMillis: 250,
  memoryBytes: 256 * MIB,
  memoryReservationBytes: 128 * MIB,
  dependsOn: [{ container: 'app', condition: 'START' }],
  mounts: [
    { volume: 'data', path: '/var/lib/data/', readOnly: false },
    { volume: 'data', path: '/ro', readOnly: true },
  ],
  readOnlyRoot: true,
  capabilities: { add: ['SYS_PTRACE'], drop: ['NET_RAW', 'MKNOD'] },
  ulimits: [{ name: 'nofile', soft: 1024, hard: 4096 }],
  initProcess: true,
  tmpfs: [{ path: '/tmp', sizeBytes: 64 * MIB, options: ['mode=1777'] }],
  labels: { team: 'web' },
  tty: true,
  stopTimeoutMs: 5_000,
  stopSignal: 'SIGINT',
  startTimeoutMs: 60_000,
});

/** Where the supervisor finds the full plan's volumes. */
export const sampleVolumes = { data: '/state/host/tasks/0123456789abcdef0123456789abcdef/volumes/0' };
