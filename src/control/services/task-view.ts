/** A service's task as planning sees it. Pure. */
import type { TargetRecord } from '#domain/load-balancer.ts';
import { effectiveDesired, effectiveStop } from '#domain/task.ts';
import type { ContainerObserved, TaskRecord } from '#domain/task.ts';
import { limits } from '#base/limits.ts';
import type { PlanTask } from '#plan/service/types.ts';

/** All of it but what lies in other rows: its targets. */
export type TaskView = Omit<PlanTask, 'targets'>;

/** `zones`: of subnets, by id. The task belongs to a service. */
export function taskView(task: TaskRecord, zones: ReadonlyMap<string, string>): TaskView {
  const { desired, observed } = task;
  return {
    id: task.key.id,
    revisionId: desired.service?.revisionId ?? '',
    taskSetId: desired.service?.taskSetId ?? null,
    createdAt: desired.createdAt,
    status: observed.status,
    desired: effectiveDesired(task),
    startedAt: observed.startedAt,
    stoppedAt: observed.stoppedAt,
    stop: effectiveStop(task),
    zone: zones.get(desired.network.subnetId) ?? null,
    capacityProvider: desired.capacityProvider,
    ...healthOf(task),
    protectedUntil: desired.protectedUntil,
    imageDigests: digestsOf(observed.containers),
    failure: failureOf(task),
  };
}

export function targetView(target: TargetRecord, groupArn: string): PlanTask['targets'][number] {
  const { state, reason, since } = target.observed;
  return target.desired.deregisteredAt === null
    ? { groupArn, state, reason, since }
    : { groupArn, state: 'draining', reason: 'Target.DeregistrationInProgress', since: target.desired.deregisteredAt };
}

/**
 * Of the essential containers that have a check: one that has none is never HEALTHY, and says nothing against the others either (the task's
 * own healthStatus, as AWS shows it, stays UNKNOWN then).
 */
function healthOf({ desired, observed }: TaskRecord): Pick<PlanTask, 'health' | 'checked'> {
  const checked = desired.spec.containers.filter((container) => container.essential && container.health);
  const healths = checked.map(({ name }) => observed.containers.find((one) => one.name === name)?.health ?? 'UNKNOWN');
  const worst = healths.includes('UNHEALTHY') ? 'UNHEALTHY' : healths.includes('UNKNOWN') ? 'UNKNOWN' : 'HEALTHY';
  return { health: checked.length === 0 ? 'UNKNOWN' : worst, checked: checked.length > 0 };
}

function digestsOf(containers: readonly ContainerObserved[]): Record<string, string> {
  return Object.fromEntries(containers.flatMap(({ name, imageDigest }) => (imageDigest === null ? [] : [[name, imageDigest]])));
}

/**
 * What went wrong with a task that ended by itself, in a line: `container 'web' exited with code 1`, `container 'web':
 * CannotPullContainerError: ...`. null for one that runs, and for one that was asked to stop.
 */
export function failureOf({ desired, observed }: TaskRecord): string | null {
  if (observed.stop === null) return null;
  const culprit = culpritOf(desired.spec.containers, observed.containers);
  const why = culprit === undefined ? observed.stop.reason : wordsOf(culprit, observed.stop.reason);
  return oneLine(why).slice(0, limits.reasonChars / 2);
}

/** The container that ended the task: the essential one that ended first, or the one that never started and says why. */
function culpritOf(specs: TaskRecord['desired']['spec']['containers'], containers: readonly ContainerObserved[]) {
  const essential = new Set(specs.filter((spec) => spec.essential).map((spec) => spec.name));
  const ended = containers.filter((one) => essential.has(one.name) && (one.exitCode !== null || one.reason !== null));
  const at = (one: ContainerObserved) => one.finishedAt ?? Infinity;
  return ended.sort((a, b) => at(a) - at(b))[0] ?? containers.find((one) => one.reason !== null);
}

function wordsOf({ name, exitCode, reason }: ContainerObserved, stopReason: string): string {
  if (exitCode === null) return `container '${name}': ${reason ?? stopReason}`;
  const exited = `container '${name}' exited with code ${exitCode}`;
  return reason === null ? exited : `${exited}: ${reason}`;
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();
