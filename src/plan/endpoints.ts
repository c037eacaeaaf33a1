/** Endpoints: which tasks stand behind which name, and what to say of a name while none does. Pure. */
import { effectiveDesired, effectiveStop } from '#domain/task.ts';
import type { TaskRecord } from '#domain/task.ts';

/** A task with this tag answers at http://NAME.localhost and, inside tasks, at NAME.berth.internal. */
export const ENDPOINT_TAG = 'berth:endpoint';
/** The port that the endpoint leads to; without it the first TCP port of the task. */
export const PORT_TAG = 'berth:port';

/** As `EndpointDesired` of the balancer. */
export type EndpointPlan = {
  name: string;
  targets: { id: string; ip: string; port: number }[];
  note: { state: 'starting' | 'running' | 'stopped'; detail: string };
};
export type EndpointsPlan = {
  endpoints: EndpointPlan[];
  /** For the hosts' resolver: name -> addresses; a name that is known but down has none. */
  names: Record<string, string[]>;
};

/** `tasks`: those with the tag that live, and the last stopped one of each name. The result is in order of name, then of task id. */
export function planEndpoints(tasks: TaskRecord[]): EndpointsPlan {
  const byName = new Map<string, TaskRecord[]>();
  for (const task of tasks.toSorted((a, b) => (a.key.id < b.key.id ? -1 : 1))) {
    const name = tagOf(task, ENDPOINT_TAG)?.toLowerCase();
    if (name === undefined || !isLabel(name)) continue;
    byName.set(name, [...(byName.get(name) ?? []), task]);
  }
  const endpoints = [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, of]) => endpointOf(name, of));
  const names = Object.fromEntries([...byName.keys()].toSorted().map((name) => [name, addressesOf(byName.get(name) ?? [])]));
  return { endpoints, names };
}

/** A DNS label (RFC 1123, section 2.1). */
function isLabel(name: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name);
}

const serves = (task: TaskRecord) => task.observed.status === 'RUNNING' && effectiveDesired(task) === 'RUNNING';

function addressesOf(tasks: TaskRecord[]): string[] {
  return tasks.flatMap((task) => (serves(task) && task.placement !== null ? [task.placement.ip] : []));
}

function endpointOf(name: string, tasks: TaskRecord[]): EndpointPlan {
  const running = tasks.filter(serves);
  const targets = running.flatMap((task) => {
    const port = portOf(task);
    return port === undefined || task.placement === null ? [] : [{ id: task.key.id, ip: task.placement.ip, port }];
  });
  return { name, targets, note: noteOf(tasks, running, targets.length) };
}

function noteOf(tasks: TaskRecord[], running: TaskRecord[], targets: number): EndpointPlan['note'] {
  if (targets > 0) return { state: 'running', detail: `${targets} ${targets === 1 ? 'task runs' : 'tasks run'}` };
  const portless = running[0];
  if (portless !== undefined) {
    return { state: 'running', detail: `task ${portless.key.id} runs, but it has no TCP port: map one, or set the tag ${PORT_TAG}` };
  }
  const starting = tasks.find((task) => effectiveDesired(task) === 'RUNNING');
  if (starting !== undefined) return { state: 'starting', detail: `task ${starting.key.id} is ${starting.observed.status}` };
  const last = tasks.reduce((a, b) => ((b.observed.stoppedAt ?? Infinity) >= (a.observed.stoppedAt ?? Infinity) ? b : a));
  return { state: 'stopped', detail: stopText(last) };
}

function stopText(task: TaskRecord): string {
  const why = effectiveStop(task)?.reason;
  const container = task.observed.containers.find((c) => c.reason !== null || (c.exitCode !== null && c.exitCode !== 0));
  const parts = [`task ${task.key.id} stopped`];
  if (why !== undefined && why !== '') parts.push(why);
  if (container !== undefined) parts.push(`container ${container.name}: ${container.reason ?? `exit code ${container.exitCode}`}`);
  return parts.join('; ');
}

function portOf(task: TaskRecord): number | undefined {
  const wished = tagOf(task, PORT_TAG);
  if (wished !== undefined && /^\d{1,5}$/.test(wished)) {
    const port = Number(wished);
    return port >= 1 && port <= 65_535 ? port : undefined;
  }
  return task.desired.spec.containers.flatMap((container) => container.ports).find((port) => port.protocol === 'tcp')?.containerPort;
}

function tagOf(task: TaskRecord, key: string): string | undefined {
  return task.desired.tags.find((tag) => tag.key === key)?.value;
}
