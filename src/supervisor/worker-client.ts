/** The client of the kernel worker: one connection, requests told apart by id, made anew when it breaks. */
import { dirname } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import type { FaultCode } from '#base/fault.ts';
import { JSON_FRAME } from '#base/frames.ts';
import { limits } from '#base/limits.ts';
import { record, text, whole } from './check.ts';
import type { Check } from './check.ts';
import { connectFramed, parseJsonFrame } from './framed-socket.ts';
import type { FramedSocket } from './framed-socket.ts';
import { checkWorkerResponse } from './messages.ts';
import type {
  CgroupLimits,
  FilesBundle,
  ShareBundle,
  NetworkBundle,
  PoolBundle,
  VmBundle,
  VpcBundle,
  WorkerRequest,
  WorkerResponse,
} from './protocol.ts';

type WorkerErrorCode = Extract<WorkerResponse, { ok: false }>['error']['code'];

/** How the worker's errors read as Faults; `details.worker` keeps its own code. */
const faultCodes: Record<WorkerErrorCode, FaultCode> = {
  invalid: 'InvalidParameter',
  exists: 'AlreadyExists',
  'not-found': 'ResourceNotFound',
  digest: 'InvalidParameter',
  hostile: 'InvalidParameter',
  limit: 'LimitExceeded',
  'no-space': 'LimitExceeded',
  failed: 'Internal',
};

export type UnpackRequest = { blob: string; compression: 'none' | 'gzip' | 'zstd'; into: string; diffId: string | null };

/**
 * Every call throws Fault: the worker's own error, Unavailable when it is not there, TimedOut when it takes too long. When the worker dies
 * over one it is asked again; of `unpack` and `filesStart` what the first try left is taken away before. `vmStart` is its caller's to repeat.
 */
export type WorkerClient = {
  ping(): Promise<void>;
  /** `bundle`: path of task.json. */
  taskStart(bundle: string): Promise<{ pid: number }>;
  poolStart(pool: PoolBundle): Promise<void>;
  taskClean(request: { dir: string; cgroupPath: string; routerNetns: string | null; routerIf: string | null }): Promise<void>;
  vpcUp(vpc: VpcBundle): Promise<void>;
  vpcDown(request: { routerNetns: string; hostIf: string }): Promise<void>;
  /** `rules`: an nftables ruleset for the router's namespace. */
  routerRules(request: { routerNetns: string; rules: string }): Promise<void>;
  unpack(request: UnpackRequest): Promise<{ diffId: string; bytes: number; entries: number }>;
  removeTree(path: string, below: string): Promise<void>;
  cgroupClean(path: string): Promise<void>;
  /** Throws with the reason when QEMU could not be started; how it ends later stands in exit.json. */
  vmStart(vm: VmBundle): Promise<{ pid: number; qemuPid: number }>;
  /** Throws AlreadyExists when one serves already. */
  filesStart(files: FilesBundle): Promise<{ pid: number; port: number }>;
  /** What is mounted there is mounted over; twice does no harm. Throws Failed with the reason where this kernel can't. */
  shareStart(share: ShareBundle): Promise<void>;
  /** `dir`: the machine's. */
  vmNetwork(request: { dir: string; tap: string; network: NetworkBundle }): Promise<void>;
  /** `layers`: topmost first. Takes as long as reading them does. */
  erofsBuild(request: { layers: string[]; into: string }): Promise<{ bytes: number }>;
  /** Throws when this machine can't make and mount a task's disk. */
  diskProbe(request: { dir: string; model: string; bytes: number }): Promise<void>;
  /** An empty ext4 of exactly `bytes`, sparse, owned by QEMU's user, in place of what is there. `model`: a file for each size, which disks are copied from. */
  scratchMake(request: { path: string; bytes: number; model: string; uid: number; gid: number }): Promise<void>;
  /** null leaves a limit as it is. */
  cgroupLimit(path: string, limits: CgroupLimits): Promise<void>;
  close(): void;
};

export type WorkerClientOptions = {
  path: string;
  clock: Clock;
  /** How long to look for a worker that isn't there (it may be on its way up), and how long a call may take. */
  connectTimeoutMs?: number;
  callTimeoutMs?: number;
  unpackTimeoutMs?: number;
};

const RETRY_MS = 50;

/** Before another try; without it there is nothing to undo. */
type Undo = 'once' | (() => Promise<void>);
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
type Waiting = { resolve(result: unknown): void; reject(fault: Fault): void };

export function createWorkerClient(options: WorkerClientOptions): WorkerClient {
  const callTimeoutMs = options.callTimeoutMs ?? 60_000;
  const call = workerCalls(options);
  const done = async (request: WithoutId<WorkerRequest>, timeoutMs = callTimeoutMs) => void (await call.send(request, timeoutMs));
  const get = async <T>(request: WithoutId<WorkerRequest>, check: Check<T>, timeoutMs = callTimeoutMs, undo?: Undo) =>
    check(await call.send(request, timeoutMs, undo), `the answer to ${request.op}`);
  const removeTree = (path: string, below: string) => done({ op: 'remove-tree', path, below }, 600_000);
  return {
    ping: () => done({ op: 'ping' }),
    taskStart: (bundle) => get({ op: 'task-start', bundle }, record({ pid: whole(1) })),
    poolStart: (pool) => done({ op: 'pool-start', pool }),
    taskClean: (request) => done({ op: 'task-clean', ...request }),
    vpcUp: (vpc) => done({ op: 'vpc-up', vpc }),
    vpcDown: (request) => done({ op: 'vpc-down', ...request }),
    routerRules: (request) => done({ op: 'router-rules', ...request }),
    unpack: (request) =>
      get(
        { op: 'unpack', ...request, limits: { bytes: limits.layerUnpackedBytes, entries: limits.layerEntries } },
        record({ diffId: text(), bytes: whole(), entries: whole() }),
        options.unpackTimeoutMs ?? 3600_000,
        () => removeTree(request.into, dirname(request.into)),
      ),
    removeTree,
    cgroupClean: (path) => done({ op: 'cgroup-clean', path }),
    vmStart: (vm) => get({ op: 'vm-start', vm }, record({ pid: whole(1), qemuPid: whole(1) }), callTimeoutMs, 'once'),
    filesStart: (files) =>
      get({ op: 'files-start', files }, record({ pid: whole(1), port: whole(1, 65_535) }), callTimeoutMs, () =>
        done({ op: 'task-clean', dir: files.dir, cgroupPath: files.cgroup.path, routerNetns: null, routerIf: null }),
      ),
    shareStart: (share) => done({ op: 'share-start', share }),
    vmNetwork: (request) => done({ op: 'vm-network', ...request }),
    erofsBuild: (request) =>
      get(
        {
          op: 'erofs-build',
          ...request,
          limits: { bytes: limits.imageDiskBytes, entries: limits.layerEntries, seconds: limits.imageDiskMs / 1000 },
        },
        record({ bytes: whole() }),
        // The worker's own limit comes first, and takes away what was begun.
        limits.imageDiskMs + callTimeoutMs,
      ),
    diskProbe: (request) => done({ op: 'disk-probe', ...request }),
    scratchMake: (request) => done({ op: 'scratch-make', ...request }),
    cgroupLimit: (path, wanted) => done({ op: 'cgroup-limit', path, limits: wanted }),
    close: call.close,
  };
}

/** The connection and the calls that wait on it. */
function workerCalls(options: WorkerClientOptions) {
  const { path, clock } = options;
  const waiting = new Map<number, Waiting>();
  let socket: FramedSocket | undefined;
  let connecting: Promise<FramedSocket> | undefined;
  let nextId = 1;
  let over = false;

  const failAll = (fault: Fault) => {
    const all = [...waiting.values()];
    waiting.clear();
    for (const one of all) one.reject(fault);
  };

  const answer = (payload: Buffer) => {
    const response = checkWorkerResponse(parseJsonFrame(payload), '');
    const one = waiting.get(response.id);
    if (one === undefined) return; // it timed out
    waiting.delete(response.id);
    if (response.ok) one.resolve(response.result);
    else one.reject(new Fault(faultCodes[response.error.code], response.error.message, { details: { worker: response.error.code } }));
  };

  const connectOnce = () =>
    connectFramed(path, {
      frame: (frame) => {
        if (frame.kind === JSON_FRAME) answer(frame.payload);
      },
      closed: (cause) => {
        socket = undefined;
        failAll(new Fault('Unavailable', `the kernel worker is gone: ${cause.message}`, { details: { gone: true }, cause }));
      },
    });

  const connected = async (): Promise<FramedSocket> => {
    const until = clock.now() + (options.connectTimeoutMs ?? 5_000);
    for (;;) {
      if (over) throw new Fault('Cancelled', 'the client of the kernel worker was closed');
      try {
        return await connectOnce();
      } catch (error) {
        if (clock.now() >= until)
          throw new Fault('Unavailable', `the kernel worker doesn't answer: ${asFault(error).message}`, { cause: error });
        await clock.sleep(RETRY_MS);
      }
    }
  };

  const ready = (): Promise<FramedSocket> => {
    connecting ??= connected().then(
      (made) => {
        connecting = undefined;
        if (over) made.close();
        return (socket = made);
      },
      (error: unknown) => {
        connecting = undefined;
        throw error;
      },
    );
    return connecting;
  };

  const sendOnce = async (request: WithoutId<WorkerRequest>, timeoutMs: number): Promise<unknown> => {
    if (over) throw new Fault('Cancelled', 'the client of the kernel worker was closed');
    if (waiting.size >= limits.workerCallsInFlight) {
      throw new Fault('LimitExceeded', `${waiting.size} calls to the kernel worker are under way already`);
    }
    const peer = socket ?? (await ready());
    const id = nextId++;
    return await new Promise((resolve, reject) => {
      const timer = clock.after(timeoutMs, () => {
        waiting.delete(id);
        reject(new Fault('TimedOut', `the kernel worker took over ${timeoutMs} ms for ${request.op}`));
      });
      const settle =
        <A>(fn: (value: A) => void) =>
        (value: A) => {
          timer.cancel();
          fn(value);
        };
      waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      peer.send({ id, ...request });
    });
  };

  return {
    async send(request: WithoutId<WorkerRequest>, timeoutMs: number, undo?: Undo): Promise<unknown> {
      const tries = undo === 'once' ? 1 : limits.workerTries;
      for (let tried = 1; ; tried++) {
        try {
          return await sendOnce(request, timeoutMs);
        } catch (error) {
          if (tried >= tries || !isFault(error, 'Unavailable') || error.details['gone'] !== true) throw error;
          if (typeof undo === 'function') await undo();
        }
      }
    },
    close() {
      over = true;
      socket?.close();
      socket = undefined;
      failAll(new Fault('Cancelled', 'the client of the kernel worker was closed'));
    },
  };
}
