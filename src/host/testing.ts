/** For tests and simulations: the parts around a host agent that need no machine, and assignments to give it. */
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import type { HostInfo } from '#domain/records.ts';
import type { Images, PreparedImage } from '#image/types.ts';
import type { Assignment } from '#link/protocol.ts';
import type { Network } from '#network/types.ts';

export { containerSpec, taskSpec };

/** Images that are always here; a ref that begins with `missing` is not. Pins are really kept, so that a test can ask. */
export function createFakeImages(): Images & { pins(): ReadonlyMap<string, string[]> } {
  const pins = new Map<string, string[]>();
  const imageOf = (ref: string): PreparedImage => ({
    ref,
    digest: `sha256:${'0'.repeat(64)}`,
    layers: ['/layers/0'],
    config: { entrypoint: [], cmd: ['run'], env: [], workingDir: '', user: '', stopSignal: null, labels: {}, exposedPorts: [] },
  });
  return {
    pins: () => pins,
    async prepare(ref, options) {
      if (ref.startsWith('missing')) {
        throw new Fault(
          'CannotPullContainer',
          `CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref ${ref}: not found`,
        );
      }
      if (options.taskId !== null) pins.set(options.taskId, [...(pins.get(options.taskId) ?? []), ref]);
      return imageOf(ref);
    },
    disk: async (image) => join('/disks', image.digest),
    unpin: async (taskId) => void pins.delete(taskId),
    list: async () => [],
    importArchive: async () => {
      throw new Fault('Unsupported', 'this store takes no archives');
    },
    remove: async () => ({ freedBytes: 0 }),
    prune: async () => ({ removed: [], freedBytes: 0 }),
    async recover(live) {
      for (const taskId of pins.keys()) if (!live.includes(taskId)) pins.delete(taskId);
    },
  };
}

export function createFakeNetwork(): Network {
  const handle = (vpcId: string, cidr: string) => ({
    vpcId,
    cidr,
    routerNetns: join('/run', vpcId),
    hostIf: 'br0',
    hostIp: '169.254.1.1',
    routerIp: '169.254.1.2',
  });
  const vpcs = new Map<string, ReturnType<typeof handle>>();
  return {
    async ensureVpc(vpcId, cidr) {
      const made = vpcs.get(vpcId) ?? handle(vpcId, cidr);
      vpcs.set(vpcId, made);
      return made;
    },
    async taskNetwork(taskId, address) {
      const { ip, mac, gatewayIp, hostname } = address;
      const { routerNetns } = await this.ensureVpc(address.vpcId, address.vpcCidr);
      return { ip, mac, gatewayIp, gatewayMac: '02:67:00:00:00:01', hostname, mtu: 1500, routerNetns, routerIf: `t${taskId.slice(0, 12)}` };
    },
    async setAddresses(all) {
      for (const vpc of all) if (vpc.addresses.length > 0) await this.ensureVpc(vpc.vpcId, vpc.cidr);
    },
    routerRules: async () => {},
    claimRange: async () => {},
    keepRanges: async () => {},
    vpcs: () => [...vpcs.values()],
    down: async () => vpcs.clear(),
  };
}

export function fakeHostInfo(change: Partial<HostInfo> = {}): HostInfo {
  return {
    hostname: 'host',
    arch: 'amd64',
    cpuMillis: 8000,
    memoryBytes: 16 * 1024 ** 3,
    reserveBytes: 256 * 1024 ** 2,
    isolation: [{ kind: 'container', works: true, reason: '', accelerator: null, auto: true }],
    strictCapacity: false,
    occupiedCidrs: [],
    cidrSeed: 1,
    ...change,
  };
}

/** `id`: 32 hex digits. */
export function assignmentOf(id: string, change: Partial<Assignment> = {}): Assignment {
  return {
    key: { account: '123456789012', region: 'us-east-1', cluster: 'default', id },
    fence: 1,
    spec: taskSpec(),
    desired: 'RUNNING',
    stop: null,
    network: {
      vpcId: 'vpc-1',
      vpcCidr: '172.31.0.0/16',
      subnetId: 'subnet-1',
      subnetCidr: '172.31.0.0/20',
      gatewayIp: '172.31.0.1',
      eniId: 'eni-1',
      ip: '172.31.0.4',
      mac: '02:00:ac:1f:00:04',
      hostname: 'ip-172-31-0-4.ec2.internal',
    },
    platformEnv: {},
    labels: { taskArn: `arn:aws:ecs:us-east-1:123456789012:task/default/${id}`, clusterArn: 'arn', family: 'app', revision: '1' },
    ...change,
  };
}
