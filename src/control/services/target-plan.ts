/** Which places in target groups the tasks of services should have. Pure: what is there goes in, what to change comes out. */
import { limits } from '#base/limits.ts';
import type { TargetRecord } from '#domain/load-balancer.ts';
import type { ServiceKey } from '#domain/service.ts';
import type { ServiceTaskSlot } from '#store/types.ts';

/** One of the groups that a task's revision is wired to. */
export type Wiring = { groupArn: string; groupId: string; port: number };

export type TargetSnapshot = {
  now: number;
  /** Every live task of a service. */
  tasks: readonly ServiceTaskSlot[];
  /** Of a task: where it belongs; empty while that isn't decided. */
  wiring(task: ServiceTaskSlot): readonly Wiring[];
  /** Every target; one that a caller registered is only taken away once it is drained. */
  targets: readonly TargetRecord[];
  /** By id of the target groups that there are: how long a target of it drains at most. */
  delays: ReadonlyMap<string, number>;
  /** Of subnets, by id. */
  zones: ReadonlyMap<string, string>;
};

export type TargetPlan = {
  register: { key: TargetRecord['key']; taskId: string; zone: string | null }[];
  /** To drain from now on. */
  deregister: TargetRecord[];
  remove: TargetRecord[];
  /** In ECS's own words, by service. */
  events: { service: ServiceKey; message: string }[];
  /** When the next one's time to drain is over. */
  wakeAt: number | null;
};

export function planTargets(snapshot: TargetSnapshot): TargetPlan {
  const { now, delays } = snapshot;
  const plan: TargetPlan = { register: [], deregister: [], remove: [], events: [], wakeAt: null };
  const tasks = new Map(snapshot.tasks.map((task) => [task.id, task]));
  const notes = createNotes(plan.events);
  const taken = new Set<string>();
  for (const target of snapshot.targets) {
    const { taskId } = target.desired;
    if (taskId === null) {
      taken.add(text(target.key));
      const since = target.desired.deregisteredAt;
      if (since !== null) drain(plan, target, since, delays.get(target.key.group) ?? 0, now);
      continue;
    }
    const task = tasks.get(taskId);
    const delayMs = delays.get(target.key.group);
    const wired = task === undefined ? undefined : snapshot.wiring(task).find((one) => isAt(target, one));
    if (delayMs === undefined || task === undefined || !answers(task)) {
      plan.remove.push(target);
      if (wired !== undefined && task !== undefined && target.desired.deregisteredAt === null) notes.deregistered(task, wired.groupArn);
      continue;
    }
    taken.add(text(target.key));
    const { deregisteredAt } = target.desired;
    if (deregisteredAt === null) {
      if (wired !== undefined && task.desired === 'RUNNING') continue;
      plan.deregister.push(target);
      notes.draining(task);
      if (wired !== undefined) notes.deregistered(task, wired.groupArn);
      // Its time begins with this plan; the next one looks for its end.
    } else drain(plan, target, deregisteredAt, delayMs, now);
  }
  register(snapshot, plan, taken, notes);
  notes.write();
  return plan;
}

/**
 * It goes once nothing is left on it, or its time is over. The balancer says that it drains once nothing new goes there: before that its task must not end,
 * however short the delay.
 */
function drain(plan: TargetPlan, target: TargetRecord, since: number, delayMs: number, now: number): void {
  const { drained, state } = target.observed;
  const end = since + delayMs + (state === 'draining' ? 0 : limits.targetDrainUnheardMs);
  if (drained || state === 'unused' || now >= end) plan.remove.push(target);
  else plan.wakeAt = Math.min(plan.wakeAt ?? Infinity, end);
}

function register({ tasks, wiring, delays, zones }: TargetSnapshot, plan: TargetPlan, taken: Set<string>, notes: Notes): void {
  for (const task of tasks) {
    if (task.status !== 'RUNNING' || task.desired === 'STOPPED' || task.ended || task.ip === null) continue;
    for (const { groupArn, groupId, port } of wiring(task)) {
      const { account, region } = task.service;
      const key = { account, region, group: groupId, target: task.ip, port };
      if (!delays.has(groupId) || taken.has(text(key))) continue;
      taken.add(text(key));
      plan.register.push({ key, taskId: task.id, zone: zones.get(task.subnetId) ?? null });
      notes.registered(task, groupArn);
    }
  }
}

/** Whether something may still listen there: it runs, and no container ended it. */
const answers = (task: ServiceTaskSlot): boolean => task.status === 'RUNNING' && !task.ended;
const isAt = ({ key }: TargetRecord, { groupId, port }: Wiring): boolean => key.group === groupId && key.port === port;
const text = (key: TargetRecord['key']): string => `${key.account}/${key.region}/${key.group}/${key.target}:${key.port}`;

type Notes = ReturnType<typeof createNotes>;

/** Counts by service and group, and makes one event of each count. */
function createNotes(events: TargetPlan['events']) {
  const counts = new Map<string, { service: ServiceKey; tasks: Set<string>; say(n: number): string }>();
  const count = (task: ServiceTaskSlot, what: string, say: (n: number) => string) => {
    const { service } = task;
    const id = `${service.account}/${service.region}/${service.cluster}/${service.name} ${what}`;
    const entry = counts.get(id) ?? { service, tasks: new Set<string>(), say };
    entry.tasks.add(task.id);
    counts.set(id, entry);
  };
  return {
    registered: (task: ServiceTaskSlot, arn: string) => count(task, `+${arn}`, (n) => `registered ${n} targets in (target-group ${arn})`),
    deregistered: (task: ServiceTaskSlot, arn: string) =>
      count(task, `-${arn}`, (n) => `deregistered ${n} targets in (target-group ${arn})`),
    draining: (task: ServiceTaskSlot) => count(task, '~', (n) => `has begun draining connections on ${n} tasks.`),
    write() {
      for (const { service, tasks, say } of counts.values())
        events.push({ service, message: `(service ${service.name}) ${say(tasks.size)}` });
    },
  };
}
