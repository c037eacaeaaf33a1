/** Tasks as the commands see them: found by name or id, described, and put into words. */
import { Fault } from '#base/fault.ts';
import type { Answer, Client } from './client.ts';
import { looksLikeTaskId } from './names.ts';

export type TaskContainer = {
  name: string;
  image: string;
  lastStatus: string;
  exitCode: number | null;
  reason: string | null;
};

export type TaskRow = {
  arn: string;
  id: string;
  /** The endpoint's name, else the service's, else the family. */
  name: string;
  family: string;
  definitionArn: string;
  endpoint: string | null;
  /** The service that it belongs to; null for one of its own. */
  service: string | null;
  health: string;
  status: string;
  desired: string;
  cpu: number;
  memory: number;
  address: string;
  isolation: string;
  /** Of a microvm: kvm or tcg; '' for the other kinds. */
  accelerator: string;
  createdAt: number;
  startedAt: number | null;
  stoppedAt: number | null;
  stopCode: string | null;
  stoppedReason: string | null;
  containers: TaskContainer[];
};

/** DescribeTasks takes at most 100 (API reference). */
const DESCRIBE_MAX = 100;

export async function listTasks(client: Client, cluster: string, options: { stopped: boolean; family?: string }): Promise<TaskRow[]> {
  const arns: string[] = [];
  for (const desiredStatus of options.stopped ? ['RUNNING', 'STOPPED'] : ['RUNNING']) {
    let nextToken: string | undefined;
    do {
      const page: Answer = await client.call('ecs', 'ListTasks', { cluster, desiredStatus, family: options.family, nextToken });
      arns.push(...page.taskArns);
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
  }
  return describeTasks(client, cluster, arns);
}

export async function describeTasks(client: Client, cluster: string, arns: string[]): Promise<TaskRow[]> {
  const rows: TaskRow[] = [];
  for (let from = 0; from < arns.length; from += DESCRIBE_MAX) {
    const tasks = arns.slice(from, from + DESCRIBE_MAX);
    const answer = await client.call('ecs', 'DescribeTasks', { cluster, tasks, include: ['TAGS'] });
    rows.push(...answer.tasks.map(taskRow));
  }
  return rows.sort((a, b) => b.createdAt - a.createdAt);
}

/** Tasks that NAME (endpoint or family) or ID means, newest first; ends with ResourceNotFound and the names that exist. */
export async function findTasks(client: Client, cluster: string, wanted: string, options: { stopped: boolean }): Promise<TaskRow[]> {
  const all = await listTasks(client, cluster, options);
  const named = all.filter((task) => task.name === wanted || task.family === wanted);
  if (named.length > 0) return named;
  const byId = looksLikeTaskId(wanted) ? all.filter((task) => task.id.startsWith(wanted)) : [];
  if (byId.length === 1) return byId;
  if (byId.length > 1) throw new Fault('InvalidParameter', `'${wanted}' begins ${byId.length} task ids: give more of it`);
  const names = [...new Set(all.map((task) => task.name))].slice(0, 10);
  const hint = names.length === 0 ? 'nothing runs here' : `there are: ${names.join(', ')}`;
  throw new Fault('ResourceNotFound', `no ${options.stopped ? '' : 'running '}task is called '${wanted}'; ${hint} (berth ps -a shows all)`);
}

export function taskRow(task: Answer): TaskRow {
  const tag = (key: string): string | null => task.tags?.find((candidate: Answer) => candidate.key === key)?.value ?? null;
  const attribute = (name: string): string => task.attributes?.find((candidate: Answer) => candidate.name === name)?.value ?? '';
  const family = /task-definition\/([^:]+):/.exec(task.taskDefinitionArn)?.[1] ?? '';
  const details: Answer[] = task.attachments?.[0]?.details ?? [];
  return {
    arn: task.taskArn,
    id: String(task.taskArn).split('/').at(-1) ?? '',
    name: tag('berth:endpoint') ?? /^service:(.+)$/.exec(task.group ?? '')?.[1] ?? family,
    family,
    definitionArn: task.taskDefinitionArn,
    endpoint: tag('berth:endpoint'),
    service: /^service:(.+)$/.exec(task.group ?? '')?.[1] ?? null,
    health: task.healthStatus ?? 'UNKNOWN',
    status: task.lastStatus,
    desired: task.desiredStatus,
    cpu: Number(task.cpu ?? 0),
    memory: Number(task.memory ?? 0),
    address: details.find((detail) => detail.name === 'privateIPv4Address')?.value ?? '',
    isolation: attribute('berth.isolation'),
    accelerator: attribute('berth.accelerator'),
    createdAt: milliseconds(task.createdAt) ?? 0,
    startedAt: milliseconds(task.startedAt),
    stoppedAt: milliseconds(task.stoppedAt),
    stopCode: task.stopCode ?? null,
    stoppedReason: task.stoppedReason ?? null,
    containers: (task.containers ?? []).map((container: Answer) => ({
      name: container.name,
      image: container.image ?? '',
      lastStatus: container.lastStatus,
      exitCode: container.exitCode ?? null,
      reason: container.reason ?? null,
    })),
  };
}

/** AWS JSON 1.1 timestamps are seconds since the epoch. */
function milliseconds(seconds: number | undefined): number | null {
  return seconds === undefined || seconds === null ? null : Math.round(seconds * 1000);
}

/** True when its essential work ended well: it was not made to stop, and every container that ended has exit code 0. */
export function completed(task: TaskRow): boolean {
  return (
    task.stopCode === 'EssentialContainerExited' &&
    task.containers.some((container) => container.exitCode === 0) &&
    task.containers.every((container) => container.exitCode === 0 || container.exitCode === null)
  );
}

/** Why a task ended, in one line: `exit 137 OutOfMemoryError: ...`. */
export function endReason(task: TaskRow): string {
  const parts = task.containers.flatMap((container) => {
    const code = container.exitCode === null ? [] : [`exit ${container.exitCode}`];
    return [...code, ...(container.reason === null ? [] : [container.reason])];
  });
  const reason = task.stoppedReason === null || parts.includes(task.stoppedReason) ? [] : [task.stoppedReason];
  return [...new Set([...parts, ...reason])].join('; ');
}
