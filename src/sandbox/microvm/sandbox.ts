/** A running task's machine as a Sandbox: the session with its supervisor, a watch over whether that answers, suspend and resume. */
import { dirname } from 'node:path';
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { FramedSocket, FramedSocketEvents } from '#supervisor/framed-socket.ts';
import { openSession } from '#supervisor/session.ts';
import type { Session } from '#supervisor/session.ts';
import type { LaneOffsets, Sandbox, SandboxEvents } from '../driver.ts';
import { sessionEvents } from '../session-events.ts';
import { exitOf } from './exit.ts';
import type { GuestLink } from './control.ts';
import type { Machine } from './machine.ts';
import type { MicrovmParts } from './parts.ts';
import { createQuota } from './quota.ts';
import { resumeMachine, settleMachine, suspendMachine, withStillMachine } from './suspend.ts';
import type { VmFile } from './vm-file.ts';
import { createWatch } from './watch.ts';

export type TaskOfMachine = {
  taskId: string;
  /** The task's directory. */
  dir: string;
  containers: string[];
  /** First spool offset that is wanted. */
  from: number;
  lanes?: LaneOffsets | undefined;
  file: VmFile;
};

/** `fresh`: a machine that was just told to begin the task, its connection still open; null: a former agent's, or a suspended one. */
export async function openSandbox(
  parts: MicrovmParts,
  task: TaskOfMachine,
  fresh: Machine | null,
  events: SandboxEvents,
): Promise<Sandbox> {
  const paths = parts.machines.pathsOf(task.file.vmId);
  let acked = task.from;
  const lanes = task.lanes === undefined ? undefined : { of: task.lanes.of, from: [...task.lanes.from] };
  /** Also while it is being suspended: then the end of the connection is no loss. */
  let life: Life | null = null;
  if (fresh !== null) life = await connect(parts, task, fresh.link, events);
  else {
    const link = await settleMachine(parts, task);
    if (task.file.phase === 'running') life = await connect(parts, task, link, events);
  }
  const unwatch = parts.files.watch(task.taskId, task.dir);
  let last = Promise.resolve();
  const living = (): Session => {
    if (life !== null) return life.session;
    throw new Fault('Unavailable', `task ${task.taskId} is suspended`);
  };
  /** One change at a time. */
  const change = (work: () => Promise<void>): Promise<void> => {
    const made = last.then(work);
    last = made.catch(() => {});
    return made;
  };
  const resume = () =>
    change(async () => {
      if (life !== null) return;
      const link = await resumeMachine(parts, task);
      life = await connect(parts, { ...task, from: acked, lanes }, link, events);
    });
  const again = async () => {
    try {
      life = await connect(parts, { ...task, from: acked, lanes }, null, events);
    } catch (error) {
      events.lost(asFault(error).message, await exitOf(parts.deps.clock, paths.dir));
    }
  };
  /** Something that stands still can't be told to end. */
  const awake = (then: (session: Session) => void): void => {
    if (life !== null) return then(life.session);
    resume()
      .then(() => then(living()))
      .catch((error: unknown) => {
        const why = `the suspended task couldn't be resumed: ${asFault(error).message}`;
        events.lost(why, why);
      });
  };
  return {
    taskId: task.taskId,
    kind: 'microvm',
    ack(to, lane = 0) {
      if (lane === 0) acked = Math.max(acked, to);
      else if (lanes !== undefined) lanes.from[lane - 1] = Math.max(lanes.from[lane - 1] ?? 0, to);
      life?.session.ack(to, lane);
    },
    stop: () => awake((session) => session.stop()),
    kill: () => awake((session) => session.kill()),
    signal: (container, signal) => living().signal(container, signal),
    stats: async () => living().stats(),
    setLatency: async (latency) => living().setLatency(latency),
    exec: async (request, taker) => living().exec(request, taker),
    suspend: () =>
      change(async () => {
        if (life === null) return;
        life.end();
        life = null;
        try {
          await suspendMachine(parts, task);
        } catch (error) {
          // It goes on as if nothing had been asked.
          if (task.file.phase === 'running') await again();
          throw error;
        }
      }),
    resume,
    whileStill: (work) =>
      change(async () => {
        if (life === null) return await work();
        // Nobody takes it for hung meanwhile.
        life.end();
        life = null;
        try {
          await withStillMachine(parts, task, work);
        } finally {
          await again();
        }
      }),
    async release() {
      await living().release();
      life?.end();
      await parts.machines.remove(paths);
      unwatch();
      await parts.files.remove(task.dir);
      await parts.deps.worker.removeTree(task.dir, dirname(task.dir));
    },
    detach() {
      unwatch();
      life?.end();
    },
  };
}

/** A session, and all that lives as long as it. */
type Life = { session: Session; end(): void };

async function connect(parts: MicrovmParts, task: TaskOfMachine, link: GuestLink | null, events: SandboxEvents): Promise<Life> {
  const { clock, log } = parts.deps;
  const paths = parts.machines.pathsOf(task.file.vmId);
  let over = false;
  const watch = createWatch(parts, task.taskId, paths);
  const quota = createQuota(parts, task.file, paths);
  const inner = sessionEvents(task.taskId, task.containers, events, log);
  const options = {
    taskId: task.taskId,
    containers: task.containers.length,
    from: task.from,
    lanes: task.lanes,
    clock,
    answerTimeoutMs: parts.options.guestAnswerMs ?? limits.guestAnswerMs,
  };
  const session = await openSession(
    { ...options, path: dialer(parts, task, link) },
    {
      ...inner,
      state(state) {
        quota.look(state);
        inner.state(state);
      },
      lost(reason) {
        if (over) return;
        over = true;
        watch.stop();
        void exitOf(clock, paths.dir).then((why) => events.lost(reason, watch.verdict() ?? why));
      },
    },
  );
  watch.start(session);
  return {
    session,
    end() {
      over = true;
      watch.stop();
      session.detach();
    },
  };
}

/** The first connection is the one over which the task began; later ones are made anew. */
function dialer(parts: MicrovmParts, task: TaskOfMachine, link: GuestLink | null) {
  let first = link;
  return async (taker: FramedSocketEvents): Promise<FramedSocket> => {
    const given = first;
    first = null;
    if (given !== null) return given.hand(taker);
    const made = await parts.machines.dial(parts.machines.pathsOf(task.file.vmId));
    if (made.hello.phase === 'task') return made.hand(taker);
    made.close();
    throw new Fault('Unavailable', `the machine ${task.file.vmId} has not begun the task`, { details: { refused: true } });
  };
}
