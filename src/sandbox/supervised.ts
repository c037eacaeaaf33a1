/** What the kinds of sandbox have in common whose containers a supervisor on this host tends: its bundle, its session, its end. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import type { IsolationKind } from '#domain/task-spec.ts';
import { openSession } from '#supervisor/session.ts';
import type { Session } from '#supervisor/session.ts';
import type { WorkerClient } from '#supervisor/worker-client.ts';
import type { LaneOffsets, Sandbox, SandboxEvents } from './driver.ts';
import { sessionEvents } from './session-events.ts';

export type SupervisedDeps = { worker: WorkerClient; clock: Clock; log: Log };

/** Files of a supervisor in the task's directory: there from the moment on when it may have started a container. */
const supervisorFiles = ['sup.pid', 'state.json', 'spool'];

type BundleFile = { path: string; contents: string };
export type Files = { directories: string[]; files: BundleFile[]; secrets: BundleFile[] };

/** In one go, since that is what is quick: eight small files and directories take 0.3 ms so, and 2 ms through other threads. */
export function writeBundle(dir: string, socketDir: string, secretsDir: string, bundle: Files): void {
  try {
    const directories = [socketDir, ...bundle.directories.map((path) => join(dir, path))];
    for (const path of directories) mkdirSync(path, { recursive: true, mode: 0o755 });
    for (const file of bundle.files) writeFileSync(join(dir, file.path), file.contents, { mode: 0o644 });
    if (bundle.secrets.length > 0) mkdirSync(secretsDir, { recursive: true, mode: 0o700 });
    for (const file of bundle.secrets) writeFileSync(join(secretsDir, file.path), file.contents, { mode: 0o600 });
  } catch (error) {
    throw createError(error);
  }
}

/** As AWS names it; a Fault that carries such a name already passes. */
export function createError(error: unknown): Fault {
  if (isFault(error, 'CannotCreateContainer') || isFault(error, 'CannotStartContainer')) return error;
  const fault = asFault(error);
  return new Fault('CannotCreateContainer', `CannotCreateContainerError: ${fault.message}`, { cause: error });
}

export type Attachment = {
  kind: IsolationKind;
  taskId: string;
  dir: string;
  socket: string;
  /** Their names, in the order of the bundle. */
  containers: string[];
  /** First spool offset that was not acknowledged. */
  from: number;
  lanes?: LaneOffsets | undefined;
};

/** Opens the session with a task's supervisor. Throws Unavailable when there is none. */
export async function attach(deps: SupervisedDeps, to: Attachment, events: SandboxEvents): Promise<Sandbox> {
  const session = await openSession(
    { path: to.socket, taskId: to.taskId, containers: to.containers.length, from: to.from, lanes: to.lanes, clock: deps.clock },
    sessionEvents(to.taskId, to.containers, events, deps.log),
  );
  return sandboxOf(to, session, deps.worker);
}

/** Null, and a line in the log, when there is none. */
export async function reattach(deps: SupervisedDeps, to: Attachment, events: SandboxEvents): Promise<Sandbox | null> {
  try {
    return await attach(deps, to, events);
  } catch (error) {
    deps.log.info('sandbox.not-recovered', { taskId: to.taskId, reason: asFault(error).message });
    return null;
  }
}

export async function mayHaveRun(dir: string): Promise<boolean> {
  const there = await Promise.all(supervisorFiles.map((name) => exists(join(dir, name))));
  return there.includes(true);
}

function sandboxOf({ kind, taskId, dir }: Attachment, session: Session, worker: WorkerClient): Sandbox {
  return {
    taskId,
    kind,
    ack: session.ack,
    stop: session.stop,
    kill: session.kill,
    signal: session.signal,
    stats: session.stats,
    setLatency: session.setLatency,
    exec: session.exec,
    async release() {
      await session.release();
      await worker.removeTree(dir, dirname(dir));
    },
    detach: session.detach,
  };
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
