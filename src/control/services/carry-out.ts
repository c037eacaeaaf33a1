/** Carries out a service's plan in the transaction that read its snapshot. */
import type { Random } from '#base/random.ts';
import { limits } from '#base/limits.ts';
import { CAPACITY_UNAVAILABLE } from '#domain/capacity.ts';
import type { TaskSetRecord } from '#domain/service.ts';
import type { Stop } from '#domain/task.ts';
import { startedEvents, unplacedEvent } from '#plan/service/events.ts';
import type { ServicePlan, ServiceSnapshot } from '#plan/service/types.ts';
import type { SplitRecord, WritableSplitRows, WriteTx } from '#store/types.ts';
import { addEvents, saidLately, withLastLines } from './events.ts';
import type { LastLines } from './last-lines.ts';
import { removeManaged } from './managed.ts';
import { pendingShifts, writeShift } from './shifts.ts';
import { startTasks } from './start-tasks.ts';
import type { Room } from './start-tasks.ts';

const TROUBLESHOOTING = 'For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.';

export type Source = { random: Random; now: number; room: () => Promise<Room>; lastLines: LastLines | null };
/** `waits`: some tasks of the plan had no room. */
export type Outcome = { started: number; stopped: number; waits: boolean };

export async function carryOut(tx: WriteTx, source: Source, snapshot: ServiceSnapshot, plan: ServicePlan): Promise<Outcome> {
  const { key } = snapshot.service;
  await writeColumns(tx, snapshot, plan);
  const { managed } = snapshot.service.desired;
  if (plan.service?.status === 'INACTIVE' && managed !== undefined) await removeManaged(tx, key, managed);
  for (const { taskId, stop } of plan.stop) await stopOne(tx, taskId, stop, source.now);
  const starts = await startAll(tx, source, snapshot, plan.start);
  for (const shift of await pendingShifts(tx, snapshot.service, plan.shifts, source.now)) await writeShift(tx, shift);
  for (const taskSet of goneTaskSets(snapshot)) await tx.taskSets.delete(taskSet.key);
  const planned = plan.events.map((message) => told(message, source.lastLines));
  await addEvents(tx, source, key, [...starts.events, ...planned]);
  if (plan.accounted.length > 0) await tx.tasks.setAccounted(plan.accounted);
  return { started: starts.count, stopped: plan.stop.length, waits: starts.waits };
}

/** Whether carrying it out would write anything but what `pendingShifts` finds. */
export function isEmpty(plan: ServicePlan): boolean {
  const lists = [plan.start, plan.stop, plan.deployments, plan.revisions, plan.taskSets, plan.events, plan.accounted];
  return plan.service === null && lists.every((list) => list.length === 0);
}

/** Deleted, and without a task; what becomes of their observed columns doesn't matter any more. */
export function goneTaskSets({ taskSets, tasks }: ServiceSnapshot): TaskSetRecord[] {
  return taskSets.filter(({ key, desired }) => desired.deleted && tasks.every((task) => task.taskSetId !== key.id));
}

async function writeColumns(tx: WriteTx, snapshot: ServiceSnapshot, plan: ServicePlan): Promise<void> {
  const { service, deployments, revisions, taskSets } = snapshot;
  if (plan.service !== null) await tx.services.setObserved(service.key, plan.service, service.revision);
  await setAll(tx.serviceDeployments, deployments, plan.deployments);
  await setAll(tx.serviceRevisions, [...revisions.values()], plan.revisions);
  await setAll(tx.taskSets, taskSets, plan.taskSets);
}

async function setAll<R extends SplitRecord & { key: { id: string } }>(
  rows: Pick<WritableSplitRows<R>, 'setObserved'>,
  records: readonly R[],
  changes: readonly { id: string; observed: R['observed'] }[],
): Promise<void> {
  for (const { id, observed } of changes) {
    const record = records.find((one) => one.key.id === id);
    if (record !== undefined) await rows.setObserved(record.key, observed, record.revision);
  }
}

async function stopOne(tx: WriteTx, taskId: string, stop: Stop, now: number): Promise<void> {
  const task = await tx.tasks.byId(taskId);
  if (task === undefined || task.desired.status === 'STOPPED') return;
  const reason = stop.reason.slice(0, limits.reasonChars);
  await tx.tasks.setDesired(task.key, { ...task.desired, status: 'STOPPED', stop: { code: stop.code, reason, at: now } }, task.revision);
}

/** As far as there is room; of the rest the service's event tells why. */
async function startAll(tx: WriteTx, source: Source, snapshot: ServiceSnapshot, wishes: ServicePlan['start']) {
  if (wishes.length === 0) return { count: 0, waits: false, events: [] };
  const { key } = snapshot.service;
  const { taskIds, refused } = await startTasks(tx, { random: source.random, now: source.now, room: await source.room() }, key, wishes);
  const events: string[] = [];
  for (const taskSetId of new Set(wishes.map((wish) => wish.taskSetId))) {
    const ids = taskIds.filter((_, index) => wishes[index]?.taskSetId === taskSetId);
    events.push(...startedEvents(key.name, ids, taskSetId));
  }
  if (refused !== null) {
    const why = refused === CAPACITY_UNAVAILABLE ? `${refused}. ${TROUBLESHOOTING}` : refused;
    const message = unplacedEvent(key.name, why);
    if (!(await saidLately(tx, key, message, source.now))) events.push(message);
  }
  return { count: taskIds.length, waits: refused !== null, events };
}

const told = (message: string, last: LastLines | null): string =>
  last !== null && message.includes(last.failure) ? withLastLines(message, last.lines) : message;
