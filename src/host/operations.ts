/** The calls that the control plane makes to a host (link/operations.ts). */
import { open, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import type { Network } from '#network/types.ts';
import type { VolumeFile, WhileStill } from '#volume/block.ts';
import type { Volumes } from '#volume/volumes.ts';
import type { Images, PullProgress, RegistryAuth } from '#image/types.ts';
import { hostOps } from '#link/operations.ts';
import type { HostStatus, TaskExec, VpcAddresses } from '#link/operations.ts';
import type { ByteStream, HostConnection, RequestContext } from '#link/types.ts';
import type { Tails } from './tails.ts';
import { execOver } from './task-exec.ts';
import type { TaskTable } from './task-table.ts';

export type OperationDeps = {
  images: Images;
  volumes: Volumes;
  tails: Tails;
  tasks: TaskTable;
  clock: Clock;
  random: Random;
  /** Where uploads are kept while they are read. */
  uploadDir: string;
  vpcs(): number;
  /** Makes these the machine's own addresses, and no others. Throws Fault. */
  setAddresses(vpcs: VpcAddresses[]): Promise<void>;
  ranges: Pick<Network, 'claimRange' | 'keepRanges'>;
};

/** Progress is told at most so often. */
const PROGRESS_MS = 100;

type Body = { [key: string]: Json };

/** Registers every operation on a new connection. */
export function handleOperations(connection: HostConnection, deps: OperationDeps): void {
  const on = (op: string, handler: (body: Body, context: RequestContext) => Promise<unknown>) =>
    connection.handle(op, async (body, context) => (await handler(objectOf(body), context)) as Json);

  on(hostOps.imageList, async () => ({ images: await deps.images.list() }));
  on(hostOps.imagePull, (body, context) => pull(deps, body, context));
  on(hostOps.imageImport, (body, context) => importArchive(deps, body, context));
  on(hostOps.imageRemove, (body) => deps.images.remove(textOf(body, 'ref')));
  on(hostOps.imagePrune, (body) => deps.images.prune({ all: body['all'] === true }));
  on(hostOps.hostStatus, async () => hostStatus(deps));
  on(hostOps.taskTail, async (body) => {
    const container = body['container'];
    const lines = body['lines'];
    const after = body['after'];
    return deps.tails.get(textOf(body, 'taskId'), {
      ...(typeof container === 'string' ? { container } : {}),
      ...(typeof lines === 'number' ? { lines } : {}),
      ...(typeof after === 'string' ? { after } : {}),
    });
  });
  const runnerOf = (body: Body) => {
    const taskId = textOf(body, 'taskId');
    const runner = deps.tasks.get(taskId);
    if (runner === undefined) throw new Fault('TaskNotFound', `task ${taskId} is not on this host`);
    return runner;
  };
  on(hostOps.taskStats, (body) => runnerOf(body).stats());
  on(hostOps.taskExec, async (body, { stream }) => {
    if (stream === null) throw new Fault('InvalidParameter', 'a command needs a stream');
    await execOver(runnerOf(body), body as TaskExec, stream);
    return null;
  });
  on(hostOps.vpcAddresses, async (body) => (await deps.setAddresses(body['vpcs'] as VpcAddresses[]), null));
  on(hostOps.rangeClaim, async (body) => (await deps.ranges.claimRange(textOf(body, 'cidr')), null));
  on(hostOps.ranges, async (body) => (await deps.ranges.keepRanges(body['cidrs'] as string[]), null));
  handleVolumes(on, deps.volumes, (taskId, work) => runnerOf({ taskId }).whileStill(work));
  on(hostOps.taskSuspend, async (body) => (await runnerOf(body).suspend(), null));
  on(hostOps.taskResume, async (body) => (await runnerOf(body).resume(), null));
}

function handleVolumes(
  on: (op: string, handler: (body: Body) => Promise<unknown>) => void,
  volumes: Volumes,
  whileStill: WhileStill,
): void {
  on(hostOps.volumeKeep, async (body) => (await volumes.keep(body as VolumeFile), null));
  on(hostOps.volumeRemove, async (body) => (await volumes.remove(textOf(body, 'id')), null));
  on(hostOps.volumeSnapshot, (body) => volumes.snapshot(textOf(body, 'id'), textOf(body, 'snapshotId'), whileStill));
  on(hostOps.snapshotRemove, async (body) => (await volumes.removeSnapshot(textOf(body, 'id')), null));
  on(hostOps.fileSystemRemove, (body) => volumes.removeFileSystem(textOf(body, 'id')));
  on(hostOps.volumeUsage, async () => ({ volumes: await volumes.usage() }));
}

function hostStatus(deps: OperationDeps): HostStatus {
  const tasks: Record<string, number> = {};
  for (const runner of deps.tasks.all()) tasks[runner.entry.report.status] = (tasks[runner.entry.report.status] ?? 0) + 1;
  return { tasks, unacknowledged: tasks['STOPPED'] ?? 0, vpcs: deps.vpcs() };
}

async function pull(deps: OperationDeps, body: Body, context: RequestContext): Promise<unknown> {
  const auth = body['auth'];
  const progress = progressTo(context.stream, deps.clock);
  const image = await deps.images.prepare(textOf(body, 'ref'), {
    taskId: null,
    check: body['check'] === 'if-missing' ? 'if-missing' : 'always',
    ...(typeof auth === 'object' && auth !== null ? { auth: auth as RegistryAuth } : {}),
    signal: context.signal,
    onProgress: progress.tell,
  });
  await progress.end();
  return { ref: image.ref, digest: image.digest, exposedPorts: image.config.exposedPorts };
}

async function importArchive(deps: OperationDeps, body: Body, context: RequestContext): Promise<unknown> {
  const { stream } = context;
  if (stream === null) throw new Fault('InvalidParameter', 'an import needs a stream with the archive');
  const ref = textOf(body, 'ref');
  const path = join(deps.uploadDir, `${hexId(deps.random, 16)}.upload`);
  await mkdir(deps.uploadDir, { recursive: true, mode: 0o700 });
  try {
    await receive(stream, path);
    const progress = progressTo(stream, deps.clock);
    const image = await deps.images.importArchive(path, ref, progress.tell);
    await progress.end();
    return { image };
  } finally {
    await rm(path, { force: true });
  }
}

async function receive(stream: ByteStream, path: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  let bytes = 0;
  try {
    for await (const chunk of stream.read()) {
      bytes += chunk.length;
      if (bytes > limits.importBytes) throw new Fault('LimitExceeded', `an archive may be at most ${limits.importBytes} bytes`);
      await file.write(chunk);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new Fault('LimitExceeded', `the host's disk is full: ${bytes} bytes of the archive were received`, { cause: error });
  } finally {
    await file.close();
  }
}

/** One JSON a line; what a slow reader has no room for is left out, but for the last of each stage. */
function progressTo(stream: ByteStream | null, clock: Clock) {
  let last = 0;
  let writing = Promise.resolve();
  let busy = false;
  return {
    tell(progress: PullProgress) {
      const now = clock.now();
      if (stream === null || busy || (progress.stage !== 'done' && now - last < PROGRESS_MS)) return;
      last = now;
      busy = true;
      // Progress is a courtesy: a reader that is gone doesn't fail the pull.
      writing = stream
        .write(Buffer.from(`${JSON.stringify(progress)}\n`))
        .catch(() => {})
        .then(() => void (busy = false));
    },
    /** Everything told is written, and the reader knows that no more comes. */
    async end() {
      await writing;
      stream?.end();
    },
  };
}

function objectOf(body: Json): Body {
  return typeof body === 'object' && body !== null && !Array.isArray(body) ? body : {};
}

function textOf(body: Body, name: string): string {
  const value = body[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new Fault('InvalidParameter', `"${name}" is missing`);
}
