/** Checks of every message and file of protocol.ts. A supervisor runs beside foreign code, so what it says is bounded and checked. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { anyRecord, flag, list, mapOf, oneOf, optional, orElse, orNull, record, text, textMap, whole, words } from './check.ts';
import type { Check } from './check.ts';
import { EXEC_INPUT_BYTES } from './protocol.ts';
import type {
  CgroupLimits,
  ContainerState,
  FromPool,
  FromSupervisor,
  RestartBundle,
  RunscBundle,
  SupervisorState,
  TaskBundle,
  NetworkBundle,
  TaskStats,
  ToPool,
  ToSupervisor,
  UsageDetail,
  FilesBundle,
  VmBundle,
  VmExit,
  VpcBundle,
  WorkerRequest,
  WorkerResponse,
} from './protocol.ts';

const containers = limits.containersPerTask;
const name = text(255);
const path = text(4096);
const millis = orNull(whole());

const containerState: Check<ContainerState> = record({
  name,
  status: oneOf('waiting', 'running', 'exited'),
  pid: orNull(whole()),
  startedAtMs: millis,
  finishedAtMs: millis,
  exitCode: orNull(whole(0, 255)),
  oomKilled: flag,
  failure: orNull(record({ stage: oneOf('create', 'start', 'dependency'), message: words() })),
  health: orElse(oneOf('HEALTHY', 'UNHEALTHY', 'UNKNOWN'), 'UNKNOWN'),
  healthReason: orElse(orNull(words()), null),
  healthExitCode: optional(orNull(whole(-1, 255))),
  restartCount: orElse(whole(), 0),
});

const restartBundle: Check<RestartBundle> = record({
  ignoredExitCodes: list(whole(Number.MIN_SAFE_INTEGER), limits.ignoredExitCodes),
  attemptPeriodMs: whole(),
});

export const checkSupervisorState: Check<SupervisorState> = record({
  taskId: name,
  pid: whole(),
  failure: orNull(record({ stage: oneOf('network', 'cgroup', 'setup'), message: words() })),
  containers: list(containerState, containers),
  droppedBytes: whole(),
  spoolBase: orElse(whole(), 0),
  spoolEnd: whole(),
  lanes: optional(list(record({ base: whole(), end: whole(), droppedBytes: whole() }), containers)),
});

/** Keys of memory.stat, and disks, of which a kernel has some tens. */
const KERNEL_LIST = 1024;
const usageDetail: Check<UsageDetail> = record({
  userNs: whole(),
  kernelNs: whole(),
  periods: whole(),
  throttledPeriods: whole(),
  throttledNs: whole(),
  memory: mapOf(whole(), KERNEL_LIST),
  io: list(
    record({ major: whole(), minor: whole(), readBytes: whole(), writtenBytes: whole(), reads: whole(), writes: whole() }),
    KERNEL_LIST,
  ),
});

export const checkTaskStats: Check<TaskStats> = record({
  readAtMs: whole(),
  containers: list(
    record({
      name,
      cpuNs: whole(),
      memoryBytes: whole(),
      memoryLimitBytes: whole(),
      pids: whole(),
      oomKills: whole(),
      detail: optional(usageDetail),
    }),
    containers,
  ),
  task: record({ cpuNs: whole(), memoryBytes: whole(), pids: whole() }),
  network: orNull(record({ rxBytes: whole(), txBytes: whole(), rxPackets: whole(), txPackets: whole() })),
  disk: optional(record({ usedBytes: whole(), sizeBytes: whole(), readBytes: optional(whole()), writtenBytes: optional(whole()) })),
  clock: optional(record({ synchronized: flag, maxErrorUs: whole() })),
});

const cgroupLimits = {
  cpuMillis: orNull(whole()),
  cpuShares: orNull(whole()),
  memoryBytes: orNull(whole()),
  memoryReservationBytes: optional(whole()),
  pids: orNull(whole()),
};
const checkCgroupLimits: Check<CgroupLimits> = record(cgroupLimits);

export const checkNetworkBundle: Check<NetworkBundle> = record({
  routerNetns: path,
  routerIf: text(15),
  ip: name,
  mac: name,
  gatewayIp: name,
  gatewayMac: name,
  mtu: whole(576, 65_535),
});
const runscBundle: Check<RunscBundle> = record({ binary: path, flags: list(text(4096), 64), config: anyRecord, pause: path, room: path });

const healthBundle = record({
  command: list(text(limits.frameBytes), limits.execArguments),
  intervalMs: whole(),
  timeoutMs: whole(),
  retries: whole(1),
  startPeriodMs: whole(),
});

export const checkTaskBundle: Check<TaskBundle> = record({
  taskId: name,
  dir: path,
  socket: path,
  hostname: name,
  cgroup: record({ ...cgroupLimits, path }),
  network: orNull(checkNetworkBundle),
  sysctls: textMap(256),
  pidMode: oneOf('container', 'task'),
  spoolBytes: whole(),
  runtime: optional(runscBundle),
  disk: optional(record({ bytes: whole(), place: path, model: optional(path) })),
  volumes: optional(list(path, limits.volumeDirectories)),
  containers: list(
    record({
      name,
      runtimeId: name,
      bundle: path,
      layers: list(path, limits.layersPerImage),
      essential: flag,
      dependsOn: list(record({ container: name, condition: oneOf('START', 'COMPLETE', 'SUCCESS', 'HEALTHY') }), containers),
      stopSignal: name,
      stopTimeoutMs: whole(),
      startTimeoutMs: orNull(whole()),
      initProcess: flag,
      cgroup: checkCgroupLimits,
      watchedMemoryBytes: optional(whole()),
      health: orElse(orNull(healthBundle), null),
      restart: orElse(orNull(restartBundle), null),
      lane: optional(record({ spoolBytes: whole(), blocking: flag, router: optional(name) })),
      fill: optional(list(record({ path, volume: path }), limits.volumeDirectories)),
    }),
    containers,
  ),
});

const userId = whole(0, 0xffff_fffe);
const filesUser = record({ uid: userId, gid: userId, groups: list(userId, limits.posixGroups) });
export const checkFilesBundle: Check<FilesBundle> = record({
  dir: path,
  name,
  routerNetns: path,
  address: text(15),
  port: whole(0, 65_535),
  cgroup: record({ ...cgroupLimits, path }),
  volumes: list(record({ path, readOnly: flag, user: orNull(filesUser) }), limits.servedVolumes),
});

const fd = whole(3, 255);
const vmBundle: Check<VmBundle> = record({
  vmId: name,
  dir: path,
  room: path,
  program: path,
  args: list(text(), limits.vmArguments),
  uid: whole(1, 0xffff_fffe),
  gid: whole(1, 0xffff_fffe),
  cgroup: record({ ...cgroupLimits, path }),
  files: list(record({ fd, path, mode: oneOf('read', 'write', 'readwrite'), create: orElse(flag, false) }), limits.vmFiles),
  sockets: list(record({ fd, path: text(107) }), limits.vmFiles),
  tap: orNull(record({ fd, name: text(15) })),
  kvm: flag,
});

export const checkVmExit: Check<VmExit> = record({
  code: orNull(whole(0, 255)),
  signal: orNull(whole(1, 64)),
  oomKilled: flag,
  atMs: whole(),
  console: words(limits.vmConsoleBytes),
});

const vpcBundle: Check<VpcBundle> = record({
  routerNetns: path,
  cidr: name,
  hostIf: text(15),
  hostIp: name,
  routerIp: name,
  mtu: whole(576, 65_535),
  serviceIps: list(name, 16),
  routerRules: text(limits.frameBytes),
  hostRules: text(limits.frameBytes),
  addresses: list(name, limits.vpcAddresses),
});

/** A message that is told apart by one member. */
function tagged<T>(tag: string, shapes: Record<string, Check<object>>): Check<T> {
  return (value, at) => {
    const kind = record({ [tag]: name })(value, at)[tag] as string;
    const shape = Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
    if (shape === undefined)
      throw new Fault('ProtocolError', `${tag} is ${JSON.stringify(kind.slice(0, 40))}, which this version doesn't know`);
    return { [tag]: kind, ...shape(value, at) } as T;
  };
}

const u32 = whole(0, 0xffff_ffff);
const cells = whole(0, 0xffff);

export const checkFromSupervisor: Check<FromSupervisor> = tagged('t', {
  state: record({ seq: whole(), state: checkSupervisorState }),
  stats: record({ id: whole(), stats: checkTaskStats }),
  latency: record({ id: whole(), error: orNull(text()) }),
  error: record({ about: words(255), message: words() }),
  released: record({}),
  'exec-started': record({ id: u32 }),
  'exec-taken': record({ id: u32, bytes: whole(1) }),
  'exec-exit': record({ id: u32, code: whole(0, 255) }),
  'exec-error': record({ id: u32, message: words() }),
});

export const checkToSupervisor: Check<ToSupervisor> = tagged('t', {
  attach: record({ from: whole(), lanes: optional(list(whole(), containers)), runs: optional(flag) }),
  ack: record({ to: whole(), lane: optional(whole(0, containers)) }),
  stop: record({}),
  kill: record({}),
  signal: record({ container: name, signal: name }),
  stats: record({ id: whole() }),
  latency: record({
    id: whole(),
    latency: orNull(
      record({
        delayMs: whole(),
        jitterMs: whole(),
        to: list(text(18), limits.faultSources),
        except: list(text(18), limits.faultSources + 1),
      }),
    ),
  }),
  resumed: record({ entropy: text(200), timeNs: text(20) }),
  release: record({}),
  exec: record({
    id: u32,
    container: name,
    command: list(text(limits.frameBytes), limits.execArguments),
    tty: flag,
    cols: cells,
    rows: cells,
    env: textMap(limits.execArguments),
    user: orNull(name),
    cwd: orNull(path),
    copies: optional(flag),
  }),
  'exec-input': record({ id: u32, data: text(2 * EXEC_INPUT_BYTES), eof: flag }),
  'exec-resize': record({ id: u32, cols: cells, rows: cells }),
  'exec-signal': record({ id: u32, signal: name }),
  'exec-ack': record({ id: u32, bytes: whole(1) }),
  'exec-close': record({ id: u32 }),
});

export const checkFromPool: Check<FromPool> = tagged('t', {
  ready: record({ memoryBytes: whole() }),
  taken: record({}),
  failed: record({ message: text() }),
});

export const checkToPool: Check<ToPool> = tagged('t', { take: record({ bundle: path }) });

const id = whole();
export const checkWorkerRequest: Check<WorkerRequest> = tagged('op', {
  ping: record({ id }),
  'task-start': record({ id, bundle: path }),
  'pool-start': record({ id, pool: record({ dir: path, socket: path, cgroup: record({ ...cgroupLimits, path }), runtime: runscBundle }) }),
  'task-clean': record({ id, dir: path, cgroupPath: path, routerNetns: orNull(path), routerIf: orNull(text(15)) }),
  'vpc-up': record({ id, vpc: vpcBundle }),
  'vpc-down': record({ id, routerNetns: path, hostIf: text(15) }),
  'router-rules': record({ id, routerNetns: path, rules: text(limits.frameBytes) }),
  unpack: record({
    id,
    blob: path,
    compression: oneOf('none', 'gzip', 'zstd'),
    into: path,
    diffId: orNull(name),
    limits: record({ bytes: whole(), entries: whole() }),
  }),
  'remove-tree': record({ id, path, below: path }),
  'vm-start': record({ id, vm: vmBundle }),
  'files-start': record({ id, files: checkFilesBundle }),
  'share-start': record({
    id,
    share: record({ place: path, user: filesUser, spread: flag, ignoresOwners: flag, cgroup: record({ ...cgroupLimits, path }) }),
  }),
  'vm-network': record({ id, dir: path, tap: text(15), network: checkNetworkBundle }),
  'cgroup-limit': record({ id, path, limits: checkCgroupLimits }),
  'erofs-build': record({
    id,
    layers: list(path, limits.layersPerImage),
    into: path,
    limits: record({ bytes: whole(), entries: whole(), seconds: whole() }),
  }),
  'disk-probe': record({ id, dir: path, model: path, bytes: whole() }),
  'scratch-make': record({ id, path, bytes: whole(), model: path, uid: whole(), gid: whole() }),
  'cgroup-clean': record({ id, path }),
});

const workerError = record({
  code: oneOf('invalid', 'exists', 'not-found', 'digest', 'hostile', 'limit', 'no-space', 'failed'),
  message: text(),
});

export const checkWorkerResponse: Check<WorkerResponse> = (value, at) => {
  const head = record({ id, ok: flag })(value, at);
  if (head.ok) return { id: head.id, ok: true, result: (value as { result?: unknown }).result ?? null };
  return { id: head.id, ok: false, error: record({ error: workerError })(value, at).error };
};
