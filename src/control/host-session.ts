/**
 * One host's session, from its hello to the end of its connection: what it should run goes out, what it reports is kept. It remembers
 * what was said on this connection only; all that must last is in the store.
 */
import type { Clock } from '#base/clock.ts';
import { Fault, isFault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { HostUsage } from '#domain/records.ts';
import type { DesiredStatus, TaskRecord } from '#domain/task.ts';
import { controlOps } from '#link/operations.ts';
import type { LogOpen, RegistryCall, TaskProtectionCall } from '#link/operations.ts';
import type { Assignment, TaskReport } from '#link/protocol.ts';
import type { ControlConnection, FromHost } from '#link/types.ts';
import type { ReadTx, Store, TaskSlot } from '#store/types.ts';
import { assignmentOf } from './assignment.ts';
import type { Lease } from './lease.ts';
import { startLoop } from './loop.ts';
import { createOutputIntake } from './output-intake.ts';
import { handleBuckets } from './buckets.ts';
import { withSharedPlaces } from './shared-volumes.ts';
import { afterReport } from './task-report.ts';
import type { ControlDeps } from './types.ts';

export type SessionDeps = {
  store: Store;
  clock: Clock;
  log: Log;
  lease: Lease;
  onOutput: ControlDeps['onOutput'];
  openLogStream: ControlDeps['openLogStream'];
  protectTask: ControlDeps['protectTask'];
  taskCredentials: ControlDeps['taskCredentials'];
  taskSecrets: ControlDeps['taskSecrets'];
  registry?: ControlDeps['registry'];
  buckets?: ControlDeps['buckets'];
};

export type HostSession = {
  hostId: string;
  connection: ControlConnection;
  /** When the host was last heard of. */
  heardAt(): number;
  /** These are its live tasks now: what is new to it is sent. */
  tasks(slots: TaskSlot[]): void;
  names(revision: number, names: Record<string, string[]>): void;
  /** The connection is gone. */
  end(): Promise<void>;
};

/** The host is known and was welcomed with `fence`; its tasks are sent at once, and whole every limits.syncMs. */
export function startHostSession(deps: SessionDeps, hostId: string, connection: ControlConnection, fence: number): HostSession {
  const { store, clock, lease } = deps;
  const log = deps.log.with({ hostId });
  let heardAt = clock.now();
  let syncedAt = -Infinity;
  let usage: HostUsage | null = null;
  let pending = new Map<string, TaskReport>();
  const newest = new Map<string, number>();
  const told = new Map<string, DesiredStatus>();
  let wanted: TaskSlot[] = [];
  let naming: { revision: number; names: Record<string, string[]> } | null = null;

  const output = createOutputIntake({ store, log, onOutput: deps.onOutput }, hostId, (taskId, to, lane) =>
    connection.send({ t: 'output-ack', taskId, to, ...(lane === undefined ? {} : { lane }) }),
  );
  const sync = async () => {
    const at = clock.now();
    const assignments = await store.read(async (tx) => await assignmentsOf(tx, await tx.tasks.list({ hostId, live: true }), fence));
    const [first = [], ...rest] = inFrames(assignments);
    connection.send({ t: 'sync', fence, assignments: first, others: rest.flat().map((assignment) => assignment.key.id) });
    for (const part of rest) connection.send({ t: 'assign', assignments: part });
    if (naming !== null) connection.send({ t: 'names', ...naming });
    told.clear();
    for (const { key, desired } of assignments) told.set(key.id, desired);
    syncedAt = at;
  };
  const tellChanges = async () => {
    const news = wanted.filter((slot) => told.get(slot.id) !== slot.desired);
    if (news.length === 0) return;
    const assignments = await store.read(async (tx) => {
      const tasks: TaskRecord[] = [];
      for (const { id } of news) {
        const task = await tx.tasks.byId(id);
        if (task !== undefined && task.observed.status !== 'STOPPED') tasks.push(task);
      }
      return await assignmentsOf(tx, tasks, fence);
    });
    for (const part of inFrames(assignments)) connection.send({ t: 'assign', assignments: part });
    for (const { key, desired } of assignments) told.set(key.id, desired);
  };

  /** Writes what was reported since the last time, many tasks in one commit. What fails is tried again, unless something newer came. */
  const hear = async () => {
    if (pending.size === 0 && usage === null) return;
    const [reports, said] = [pending, usage];
    pending = new Map();
    usage = null;
    try {
      const stopped = await lease.write(async (tx, token) => {
        if (token !== fence) throw new Fault('Conflict', 'another control plane had this host meanwhile');
        if (said !== null) {
          const host = await tx.hosts.get({ hostId });
          if (host !== undefined) await tx.hosts.put({ ...host, usage: said, seenAt: heardAt, status: 'CONNECTED' }, host.revision);
        }
        const over: string[] = [];
        for (const report of reports.values()) {
          const task = await tx.tasks.byId(report.taskId);
          if (task !== undefined && task.placement?.hostId === hostId) {
            const observed = afterReport(task.observed, report);
            if (observed !== undefined) await tx.tasks.setObserved(task.key, observed, task.revision);
          }
          if (report.status === 'STOPPED') over.push(report.taskId);
        }
        return over;
      });
      if (stopped.length === 0) return;
      for (const taskId of stopped) output.forget(taskId);
      connection.send({ t: 'forget', taskIds: stopped });
    } catch (error) {
      for (const [taskId, report] of pending) reports.set(taskId, report);
      pending = reports;
      usage ??= said;
      // The next greeting brings the fence that holds now.
      if (isFault(error, 'Conflict')) connection.close(error.message);
      throw error;
    }
  };

  const downward = startLoop(deps, {
    name: `tell ${hostId}`,
    tickMs: limits.syncMs,
    async run() {
      if (clock.now() - syncedAt >= limits.syncMs) await sync();
      else await tellChanges();
    },
  });
  const upward = startLoop(deps, { name: `hear ${hostId}`, tickMs: limits.heartbeatMs, run: () => hear() });

  const forgetAllBut = (slots: TaskSlot[]) => {
    const live = new Set(slots.map((slot) => slot.id));
    for (const known of [told, newest]) for (const id of known.keys()) if (!live.has(id)) known.delete(id);
  };

  const reported = (report: TaskReport) => {
    // Older than what was heard already: it was delayed or repeated on its way.
    if ((newest.get(report.taskId) ?? -Infinity) > report.seq) return;
    newest.set(report.taskId, report.seq);
    pending.set(report.taskId, report);
  };
  connection.onMessage((message: FromHost) => {
    heardAt = clock.now();
    switch (message.t) {
      case 'status':
        for (const report of message.reports) reported(report);
        return upward.look();
      case 'heartbeat':
        usage = message.usage;
        return upward.look();
      case 'output':
        return output.take(message.batch);
      case 'hello':
        return; // repeated on its way
    }
  });
  connection.handle(controlOps.logOpen, async (body) => {
    const open = body as unknown as LogOpen;
    const task = await store.read((tx) => tx.tasks.byId(open.key.id));
    const target = task?.desired.spec.containers.find((container) => container.name === open.container)?.log;
    if (task?.placement?.hostId !== hostId || target?.driver !== 'awslogs') {
      throw new Fault('TaskNotFound', `task ${open.key.id} on this host has no log for a container ${open.container}`);
    }
    await deps.openLogStream({ key: task.key, container: open.container, target });
    return null as Json;
  });
  connection.handle(controlOps.taskProtection, async (body) => {
    const call = body as unknown as TaskProtectionCall;
    const task = await store.read((tx) => tx.tasks.byId(call.taskId));
    if (task?.placement?.hostId !== hostId) throw new Fault('TaskNotFound', `task ${call.taskId} is not on this host`);
    return await deps.protectTask(task.key, call);
  });
  connection.handle(controlOps.taskCredentials, async (body) => {
    const { taskId } = body as { taskId: string };
    const task = await store.read((tx) => tx.tasks.byId(taskId));
    const role = task?.desired.spec.taskRole;
    if (task?.placement?.hostId !== hostId || role === undefined) {
      throw new Fault('TaskNotFound', `task ${taskId} on this host has no role`);
    }
    return (await deps.taskCredentials(task.key, role)) as unknown as Json;
  });
  connection.handle(controlOps.taskSecrets, async (body) => {
    const { taskId, container } = body as { taskId: string; container: string };
    const task = await store.read((tx) => tx.tasks.byId(taskId));
    const spec = task?.desired.spec;
    const asked = spec?.containers.find((one) => one.name === container);
    if (task?.placement?.hostId !== hostId || spec === undefined || asked === undefined) {
      throw new Fault('TaskNotFound', `task ${taskId} on this host has no container ${container}`);
    }
    return (await deps.taskSecrets(task.key, spec, asked)) as unknown as Json;
  });
  handleRegistry(deps, hostId, connection);
  handleBuckets(deps, hostId, connection);
  return {
    hostId,
    connection,
    heardAt: () => heardAt,
    tasks(slots) {
      wanted = slots;
      // An id never comes back: what is over may stand a while, and is looked for only where there must be some.
      if (Math.max(told.size, newest.size) > slots.length) forgetAllBut(slots);
      if (slots.some((slot) => told.get(slot.id) !== slot.desired)) downward.look();
    },
    names(revision, names) {
      naming = { revision, names };
      connection.send({ t: 'names', revision, names });
    },
    async end() {
      await Promise.all([downward.stop(), upward.stop()]);
    },
  };
}

async function assignmentsOf(tx: ReadTx, tasks: TaskRecord[], fence: number): Promise<Assignment[]> {
  const assignments: Assignment[] = [];
  for (const task of tasks) {
    const { account, region } = task.key;
    const { vpcId, subnetId } = task.desired.network;
    const vpc = await tx.vpcs.get({ account, region, id: vpcId });
    const subnet = await tx.subnets.get({ account, region, id: subnetId });
    if (task.placement === null) continue;
    if (vpc === undefined || subnet === undefined) {
      throw new Fault('Internal', `task ${task.key.id} is placed in subnet ${subnetId} of ${vpcId}, which is gone`);
    }
    const assignment = assignmentOf(task, task.placement, { vpc, subnet }, fence, await toldOf(tx, task));
    assignments.push({ ...assignment, spec: await withSharedPlaces(tx, task) });
  }
  return assignments;
}

/** As `TaskSlot.desired`. */
async function toldOf(tx: ReadTx, task: TaskRecord): Promise<DesiredStatus> {
  if (task.desired.status === 'RUNNING' || task.observed.status !== 'RUNNING') return task.desired.status;
  return (await tx.targetsOfTask(task.key.id)).length > 0 ? 'RUNNING' : 'STOPPED';
}

/** Cut so that each part fits into one frame with room to spare. */
function inFrames(assignments: Assignment[]): Assignment[][] {
  const parts: Assignment[][] = [];
  let room = 0;
  for (const assignment of assignments) {
    const bytes = Buffer.byteLength(JSON.stringify(assignment));
    if (bytes > room) {
      parts.push([]);
      room = limits.frameBytes / 2;
    }
    parts.at(-1)?.push(assignment);
    room -= bytes;
  }
  return parts;
}

function handleRegistry({ store, registry }: SessionDeps, hostId: string, connection: ControlConnection): void {
  if (registry === undefined) return;
  const on = (op: string, answer: (task: TaskRecord | null, call: RegistryCall) => Promise<Json>) =>
    connection.handle(op, async (body) => {
      const call = body as unknown as RegistryCall;
      const { taskId } = call;
      if (taskId === null) return await answer(null, call);
      const task = await store.read((tx) => tx.tasks.byId(taskId));
      if (task?.placement?.hostId !== hostId) throw new Fault('TaskNotFound', `task ${taskId} is not on this host`);
      return await answer(task, call);
    });
  on(controlOps.registryResolve, (task, call) => registry.resolve(task, call));
  on(controlOps.registryBlob, async (task, call) => (await registry.blob(task, call), null));
}
