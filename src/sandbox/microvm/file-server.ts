/**
 * The file server of a task that has volumes in directories of the host: started before its machine, watched while it lives, gone after it. `files/`
 * in the task's directory is its keeper's; `files.json` there says how it was started, for who has to do it again.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Timer } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { record, text } from '#supervisor/check.ts';
import { checkFilesBundle } from '#supervisor/messages.ts';
import type { SandboxPlan } from '../driver.ts';
import type { MicrovmDeps, MicrovmOptions } from './parts.ts';
import { filesBundle, renderFileRules, servedVolumes } from './shared.ts';
import type { FilesBundle } from './worker.ts';

type FilesFile = { bundle: FilesBundle; routerIf: string };

/** Of one task, which `dir` is the directory of. */
export type FileServers = {
  /** Serves the plan's volumes, when it has some. Throws ResourceInitialization. */
  start(plan: SandboxPlan): Promise<void>;
  /** Sees to it that it serves, and goes on seeing to it until what comes back is called. Nothing for a task without. */
  watch(taskId: string, dir: string): () => void;
  /** Idempotent. */
  remove(dir: string): Promise<void>;
};

const checkFile = record({ bundle: checkFilesBundle, routerIf: text(15) });
const dirOf = (taskDir: string) => join(taskDir, 'files-server');
const fileOf = (taskDir: string) => join(taskDir, 'files.json');

export function createFileServers(
  deps: Pick<MicrovmDeps, 'worker' | 'clock' | 'log'>,
  options: Pick<MicrovmOptions, 'instance'>,
): FileServers {
  const { worker, clock, log } = deps;

  /** Serves, from now on or already. */
  const serve = async ({ bundle, routerIf }: FilesFile): Promise<FilesFile> => {
    let { port } = bundle;
    try {
      ({ port } = await worker.filesStart(bundle));
    } catch (error) {
      if (!isFault(error, 'AlreadyExists') || port === 0) throw error;
    }
    await worker.routerRules({ routerNetns: bundle.routerNetns, rules: renderFileRules(routerIf, port) });
    return { bundle: { ...bundle, port }, routerIf };
  };

  /** By the task's directory: what keeps its server alive. */
  const watches = new Map<string, Watch>();

  const remove = async (taskDir: string): Promise<void> => {
    await watches.get(taskDir)?.end();
    const file = read(taskDir);
    if (file === null) return;
    const { bundle, routerIf } = file;
    await worker.taskClean({ dir: bundle.dir, cgroupPath: bundle.cgroup.path, routerNetns: null, routerIf: null });
    try {
      await worker.routerRules({ routerNetns: bundle.routerNetns, rules: renderFileRules(routerIf, null) });
    } catch (error) {
      // A router that is gone took its rules along.
      log.debug('files.rules', { taskDir, reason: asFault(error).message });
    }
    rmSync(bundle.dir, { recursive: true, force: true });
    rmSync(fileOf(taskDir), { force: true });
  };

  return {
    remove,
    async start(plan) {
      if (servedVolumes(plan.volumes).length === 0) return;
      const dir = dirOf(plan.dir);
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      const before = read(plan.dir);
      const cgroup = `berth-${options.instance}/files-${plan.taskId}`;
      const file: FilesFile = {
        bundle: filesBundle(plan, { dir, port: before?.bundle.port ?? 0, cgroup }),
        routerIf: plan.network.routerIf,
      };
      // There before anything that has to be taken away again.
      write(plan.dir, file);
      try {
        write(plan.dir, await serve(file));
      } catch (error) {
        await remove(plan.dir);
        const text = `ResourceInitializationError: the task's volumes can't be served to its virtual machine: ${asFault(error).message}`;
        throw new Fault('ResourceInitialization', text, { cause: error });
      }
    },
    watch(taskId, dir) {
      const file = read(dir);
      if (file === null) return () => {};
      const watch = createWatch({ clock, log, taskId, alive: join(file.bundle.dir, 'alive.sock'), serve: () => serve(file) });
      watches.set(dir, watch);
      return () => {
        watches.delete(dir);
        void watch.end();
      };
    },
  };
}

type WatchParts = Pick<MicrovmDeps, 'clock' | 'log'> & { taskId: string; alive: string; serve(): Promise<unknown> };
/** `end` resolves once nothing is started any more. */
type Watch = { end(): Promise<void> };

/** A connection to the keeper, which nobody answers, ends with it: then it is started anew. */
function createWatch({ clock, log, taskId, alive, serve }: WatchParts): Watch {
  let over = false;
  let socket: Socket | undefined;
  let timer: Timer | undefined;
  let starting = Promise.resolve();
  const begin = async (): Promise<void> => {
    try {
      await serve();
      if (!over) look();
    } catch (error) {
      log.warn('files.restart', { taskId, reason: asFault(error).message });
      if (!over) timer = clock.after(limits.fileServerRetryMs, () => void (starting = begin()));
    }
  };
  const look = (): void => {
    socket = connect(alive);
    socket.on('error', () => {}); // it closes, too
    socket.once('close', () => {
      if (over) return;
      log.warn('files.gone', { taskId });
      starting = begin();
    });
  };
  look();
  return {
    async end() {
      over = true;
      timer?.cancel();
      socket?.destroy();
      await starting;
    },
  };
}

function write(taskDir: string, file: FilesFile): void {
  const path = fileOf(taskDir);
  writeFileSync(`${path}.new`, JSON.stringify(file), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** null for a task without a file server. Throws Internal for a file that can't be read. */
function read(taskDir: string): FilesFile | null {
  const path = fileOf(taskDir);
  try {
    return checkFile(JSON.parse(readFileSync(path, 'utf8')), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Fault('Internal', `${path} can't be read`, { cause: error });
  }
}
