/** A plan in the making: what was found, copies of the columns that may change, and what to do so far. `finish` keeps only what changed. */
import { limits } from '#base/limits.ts';
import { deploymentName, ended } from '#domain/service.ts';
import type {
  ServiceDeploymentObserved,
  ServiceDeploymentRecord,
  ServiceObserved,
  ServiceRevisionObserved,
  ServiceRevisionRecord,
  TaskSetRecord,
} from '#domain/service.ts';
import type { Stop } from '#domain/task.ts';
import { stoppedEvents } from './events.ts';
import { judge } from './health.ts';
import type { Judged } from './health.ts';
import type { ServicePlan, ServiceSnapshot } from './types.ts';

export type Draft = {
  readonly snapshot: ServiceSnapshot;
  readonly now: number;
  readonly name: string;
  /** The desired count. */
  readonly count: number;
  readonly observed: ServiceObserved;
  readonly deployments: Map<string, ServiceDeploymentObserved>;
  readonly revisions: Map<string, ServiceRevisionObserved>;
  readonly taskSets: Map<string, TaskSetRecord['observed']>;
  /** Live tasks, in order of their making; `stop` makes one `going`. */
  readonly tasks: readonly Judged[];
  readonly starts: ServicePlan['start'];
  readonly stops: { task: Judged['task']; stop: Stop }[];
  readonly shifts: ServicePlan['shifts'];
  readonly events: string[];
  wakeAt: number | null;
};

export function beginDraft(snapshot: ServiceSnapshot): Draft {
  const { service, now } = snapshot;
  const draft: Draft = {
    snapshot,
    now,
    name: service.key.name,
    count: service.desired.desiredCount,
    observed: structuredClone(service.observed),
    deployments: new Map(snapshot.deployments.map((record) => [record.key.id, structuredClone(record.observed)])),
    revisions: new Map([...snapshot.revisions].map(([id, record]) => [id, structuredClone(record.observed)])),
    taskSets: new Map(snapshot.taskSets.map((record) => [record.key.id, structuredClone(record.observed)])),
    tasks: snapshot.tasks.map((task) => judge(task, snapshot.revisions.get(task.revisionId), service.desired.healthGraceMs, now)),
    starts: [],
    stops: [],
    shifts: [],
    events: [],
    wakeAt: null,
  };
  for (const { changesAt } of draft.tasks) wake(draft, changesAt);
  return draft;
}

/** The deployment that is under way or was the last. */
export function currentDeployment(draft: Draft): { record: ServiceDeploymentRecord; observed: ServiceDeploymentObserved } | undefined {
  const record = draft.snapshot.deployments.find(({ key }) => key.id === draft.observed.deploymentId);
  const observed = record === undefined ? undefined : draft.deployments.get(record.key.id);
  return record === undefined || observed === undefined ? undefined : { record, observed };
}

export const underWay = (observed: ServiceDeploymentObserved | undefined): boolean => observed !== undefined && !ended(observed.status);

export const revisionOf = (draft: Draft, id: string | null): ServiceRevisionRecord | undefined =>
  id === null ? undefined : draft.snapshot.revisions.get(id);

/** Plans again at this time at the latest. */
export function wake(draft: Draft, at: number | null): void {
  if (at !== null && at > draft.now && (draft.wakeAt === null || at < draft.wakeAt)) draft.wakeAt = at;
}

/** Says something, unless the same was said within the last hours. */
export function say(draft: Draft, message: string): void {
  const since = draft.now - limits.serviceEventRepeatMs;
  const said = draft.events.includes(message) || draft.snapshot.events.some((event) => event.message === message && event.at > since);
  if (!said) draft.events.push(message);
}

export const isProtected = (draft: Draft, task: Judged['task']): boolean => task.protectedUntil !== null && task.protectedUntil > draft.now;

/** `stop` null: the scheduler scales. A task is asked once. */
export function stopTask(draft: Draft, judged: Judged, stop: Stop | null = null): void {
  if (judged.standing === 'going') return;
  judged.standing = 'going';
  draft.stops.push({ task: judged.task, stop: stop ?? scaling(judged.task.revisionId) });
}

export const scaling = (revisionId: string): Stop => ({
  code: 'ServiceSchedulerInitiated',
  reason: `Scaling activity initiated by (deployment ${deploymentName(revisionId)})`,
});

export function finishDraft(draft: Draft): ServicePlan {
  const { snapshot } = draft;
  for (const taskSetId of new Set(draft.stops.map(({ task }) => task.taskSetId))) {
    const ids = draft.stops.filter(({ task }) => task.taskSetId === taskSetId).map(({ task }) => task.id);
    draft.events.unshift(...stoppedEvents(draft.name, ids, taskSetId));
  }
  const deployments = changed(snapshot.deployments, draft.deployments).map(({ id, observed }) => ({
    id,
    observed: { ...observed, updatedAt: draft.now },
  }));
  return {
    start: draft.starts,
    stop: draft.stops.map(({ task, stop }) => ({ taskId: task.id, stop })),
    service: same(snapshot.service.observed, draft.observed) ? null : draft.observed,
    deployments,
    revisions: changed([...snapshot.revisions.values()], draft.revisions),
    taskSets: changed(snapshot.taskSets, draft.taskSets).map(({ id, observed }) => ({
      id,
      observed: { ...observed, updatedAt: draft.now },
    })),
    shifts: draft.shifts,
    events: draft.events,
    accounted: snapshot.ended.map((task) => task.id),
    wakeAt: draft.wakeAt,
  };
}

function changed<T>(records: readonly { key: { id: string }; observed: T }[], now: Map<string, T>): { id: string; observed: T }[] {
  return records.flatMap(({ key, observed }) => {
    const after = now.get(key.id);
    return after === undefined || same(observed, after) ? [] : [{ id: key.id, observed: after }];
  });
}

/** Columns are JSON of one shape, so that two equal ones read alike. */
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
