/**
 * What `run` does with an image that has no port: it becomes a task definition and tasks, which run or have ended well when it returns. Only stock
 * ECS calls, besides the pull, whose progress AWS has no call for. One with a port becomes a service: launch-service.ts.
 */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Answer, Client } from './client.ts';
import type { Context } from './command.ts';
import { formatBytes } from './format.ts';
import { completed, describeTasks, listTasks, taskRow } from './tasks.ts';
import type { TaskRow } from './tasks.ts';
import { allowVolumes, volumeMembers } from './run-volumes.ts';
import type { RunVolume } from './run-volumes.ts';
import type { TaskSize } from './sizes.ts';

export type Launch = {
  name: string;
  image: string;
  /** 'always': asks the registry even when the tag is here. */
  checkTag: 'if-missing' | 'always';
  size: TaskSize;
  /** null: the image's own exposed port, if it has one. */
  port: number | null;
  environment: { name: string; value: string }[];
  /** Named volumes, which outlive the tasks. */
  volumes: RunVolume[];
  command: string[] | null;
  entryPoint: string[] | null;
  count: number;
  /** null: what the cluster says, else what `up` says. */
  isolation: string | null;
  cluster: string;
};

export type PulledImage = { ref: string; digest: string; exposedPorts: string[]; sizeBytes: number };

export type Launched = {
  tasks: TaskRow[];
  port: number | null;
  url: string | null;
  httpStatus: number | null;
  definitionArn: string;
  finished: boolean;
};

/** How often a wait looks: often at first, since a task with its image here starts in a blink. */
const POLL_MIN_MS = 20;
const POLL_MAX_MS = 200;
const nextPoll = (ms: number) => Math.min(POLL_MAX_MS, ms * 1.3);
const STAYS_UP_MS = 1000;

export async function pullImage(client: Client, context: Context, image: string, check: string): Promise<PulledImage> {
  const title = `Image ${image}`;
  const pull = async (progress: (detail: string) => void): Promise<PulledImage> => {
    const totals = new Map<string, { bytes: number; total: number }>();
    for await (const line of client.stream('POST', '/_berth/images/pull', { ref: image, check })) {
      if (line.image !== undefined) return line.image;
      if (line.progress !== undefined) progress(describeProgress(line.progress, totals));
    }
    throw new Fault('Unavailable', `the pull of ${image} ended without an answer; try again`);
  };
  return context.steps.run(title, pull, (pulled) => `${shortDigest(pulled.digest)}, ${formatBytes(pulled.sizeBytes)}`);
}

export function describeProgress(progress: Answer, totals: Map<string, { bytes: number; total: number }>): string {
  if (progress.stage !== 'download') return String(progress.stage === 'resolve' ? 'asking the registry' : progress.stage);
  totals.set(progress.layer ?? '', { bytes: progress.bytes, total: progress.totalBytes ?? progress.bytes });
  let bytes = 0;
  let total = 0;
  for (const layer of totals.values()) {
    bytes += layer.bytes;
    total += layer.total;
  }
  return `${formatBytes(bytes)} of ${formatBytes(total)}`;
}

export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

/** The port that the image says it listens on, the lowest when there are several. */
export function exposedTcpPort(exposedPorts: string[]): number | null {
  const ports = exposedPorts.filter((port) => !port.endsWith('/udp')).map((port) => Number.parseInt(port, 10));
  const valid = ports.filter((port) => port > 0 && port <= 65_535);
  return valid.length === 0 ? null : Math.min(...valid);
}

/** Registers, runs, waits and checks; undoes what it began when it is interrupted before the end, and stops it when a part of it failed. */
export async function launch(client: Client, context: Context, plan: Launch, platform: Answer): Promise<Launched> {
  const begun: Begun = { definitionArn: null, tasks: [], replaced: false };
  try {
    return await launchSteps(client, context, plan, platform, begun);
  } catch (error) {
    if (context.signal.aborted) await undo(context, plan, begun);
    else if (error instanceof TaskFailure && !begun.replaced) await stopRest(client, context, plan, error.tasks);
    throw error;
  }
}

/** `replaced`: the tasks of a former run are gone, so the new ones are all there is. */
type Begun = { definitionArn: string | null; tasks: TaskRow[]; replaced: boolean };

async function launchSteps(client: Client, context: Context, plan: Launch, platform: Answer, begun: Begun): Promise<Launched> {
  const before = await listTasks(client, plan.cluster, { stopped: false, family: plan.name });
  await allowVolumes(client, context, plan.cluster, plan.volumes);
  begun.definitionArn = await context.steps.run(
    'Task definition',
    async () =>
      (await client.call('ecs', 'RegisterTaskDefinition', definitionInput(plan, platform, plan.name))).taskDefinition.taskDefinitionArn,
    (arn) => arn.split('/').at(-1) ?? '',
  );
  const definitionArn = begun.definitionArn ?? '';
  await context.steps.run(plan.count === 1 ? 'Task asked for' : `${plan.count} tasks asked for`, async () => {
    begun.tasks = await runTasks(client, plan, platform, definitionArn);
  });
  const running = await context.steps.run(
    'Running',
    (progress) => waitRunning(client, context, plan, begun.tasks, progress),
    (tasks) => tasks.map((task) => `${task.id.slice(0, 8)} ${task.address}`.trim()).join(', '),
  );
  const launched = { tasks: running, port: null, url: null, httpStatus: null, definitionArn, finished: running.every(completed) };
  if (before.length > 0) {
    begun.replaced = true;
    await context.steps.run('Former tasks stopped', () => stopAll(client, plan.cluster, before, 'replaced by a newer berth run'));
  }
  return launched;
}

/** The recipe of one task; `containerName` is its only container. */
export function definitionInput(plan: Launch, platform: Answer, containerName: string): Record<string, unknown> {
  const volumes = volumeMembers(plan.volumes);
  const container = {
    ...volumes.container,
    name: containerName,
    image: plan.image,
    essential: true,
    environment: plan.environment,
    command: plan.command ?? undefined,
    entryPoint: plan.entryPoint ?? undefined,
    portMappings: plan.port === null ? [] : [{ containerPort: plan.port, protocol: 'tcp', name: 'http' }],
    logConfiguration: {
      logDriver: 'awslogs',
      options: {
        'awslogs-group': logGroup(plan.name),
        'awslogs-region': platform.region,
        'awslogs-stream-prefix': 'berth',
        'awslogs-create-group': 'true',
      },
    },
  };
  return {
    ...volumes.definition,
    family: plan.name,
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    cpu: String(plan.size.cpu),
    memory: String(plan.size.memory),
    executionRoleArn: `arn:aws:iam::${platform.account}:role/ecsTaskExecutionRole`,
    runtimePlatform: { operatingSystemFamily: 'LINUX', cpuArchitecture: platform.arch === 'arm64' ? 'ARM64' : 'X86_64' },
    containerDefinitions: [container],
  };
}

export const logGroup = (name: string): string => `/berth/${name}`;

async function runTasks(client: Client, plan: Launch, platform: Answer, taskDefinition: string): Promise<TaskRow[]> {
  const tags = plan.isolation === null ? [] : [{ key: 'berth:isolation', value: plan.isolation }];
  const { subnetIds, securityGroupIds } = platform.network;
  const started: TaskRow[] = [];
  while (started.length < plan.count) {
    const answer = await client.call('ecs', 'RunTask', {
      cluster: plan.cluster,
      taskDefinition,
      launchType: 'FARGATE',
      count: Math.min(limits.runTaskCount, plan.count - started.length),
      startedBy: 'berth-run',
      enableExecuteCommand: true,
      networkConfiguration: { awsvpcConfiguration: { subnets: subnetIds, securityGroups: securityGroupIds } },
      tags,
    });
    started.push(...answer.tasks.map(taskRow));
    const failure: Answer = answer.failures?.[0];
    if (failure !== undefined)
      throw new TaskFailure(`${failure.reason}${failure.detail === undefined ? '' : `: ${failure.detail}`}`, started);
  }
  return started;
}

/** A launch whose tasks ended or could not be placed: carries them, so that the command can show why. */
export class TaskFailure extends Fault {
  readonly tasks: TaskRow[];
  constructor(message: string, tasks: TaskRow[]) {
    super('ClientError', message);
    this.tasks = tasks;
  }
}

/** Until every task runs, or ended well; throws TaskFailure as soon as one ended otherwise. */
async function waitRunning(
  client: Client,
  context: Context,
  plan: Launch,
  begun: TaskRow[],
  progress: (detail: string) => void,
): Promise<TaskRow[]> {
  const arns = begun.map((task) => task.arn);
  let runningSince: number | undefined;
  for (let waitMs = POLL_MIN_MS; ; waitMs = nextPoll(waitMs)) {
    const tasks = await describeTasks(client, plan.cluster, arns);
    const failed = tasks.find((task) => task.status === 'STOPPED' && !completed(task));
    if (failed !== undefined) throw new TaskFailure(`task ${failed.id} did not stay up`, tasks);
    if (tasks.every((task) => task.status === 'RUNNING' || completed(task))) {
      runningSince ??= context.clock.now();
      if (tasks.every(completed) || context.clock.now() - runningSince >= STAYS_UP_MS) return tasks;
    }
    progress([...new Set(tasks.map((task) => task.status.toLowerCase()))].join(', '));
    await pause(context, waitMs);
  }
}

export async function stopAll(client: Client, cluster: string, tasks: TaskRow[], reason: string): Promise<void> {
  await Promise.all(tasks.map((task) => client.call('ecs', 'StopTask', { cluster, task: task.arn, reason })));
}

/** Polls until all are STOPPED. */
export async function waitStopped(
  client: Client,
  context: Context,
  cluster: string,
  tasks: TaskRow[],
  progress: (detail: string) => void,
): Promise<TaskRow[]> {
  const arns = tasks.map((task) => task.arn);
  for (let waitMs = POLL_MIN_MS; ; waitMs = nextPoll(waitMs)) {
    const now = await describeTasks(client, cluster, arns);
    const left = now.filter((task) => task.status !== 'STOPPED').length;
    if (left === 0) return now;
    progress(`${left} of ${arns.length} left`);
    await pause(context, waitMs);
  }
}

/** Waits; throws Cancelled once Ctrl-C was pressed. */
export async function pause(context: Context, ms: number): Promise<void> {
  if (!context.signal.aborted) await context.clock.sleep(ms);
  if (context.signal.aborted) throw new Fault('Cancelled', 'interrupted');
}

/** A run that failed leaves no part of itself running; what ran before it goes on. */
async function stopRest(client: Client, context: Context, plan: Launch, tasks: TaskRow[]): Promise<void> {
  const rest = tasks.filter((task) => task.status !== 'STOPPED');
  if (rest.length === 0) return;
  await stopAll(client, plan.cluster, rest, 'another task of the same berth run failed');
  context.terminal.note(`The other ${rest.length === 1 ? 'task' : `${rest.length} tasks`} of this run will stop.`);
}

async function undo(context: Context, plan: Launch, begun: Begun): Promise<void> {
  if (begun.definitionArn === null) return;
  if (begun.replaced) {
    context.terminal.note(`${plan.name} was replaced already, and its new tasks go on in the background: ${context.self} ps`);
    return;
  }
  const client = await context.connectForCleanUp();
  await stopAll(client, plan.cluster, begun.tasks, 'berth run was interrupted');
  await client.call('ecs', 'DeregisterTaskDefinition', { taskDefinition: begun.definitionArn });
  context.terminal.note(
    `What this run began is being stopped (${begun.tasks.map((task) => task.id.slice(0, 8)).join(', ') || 'no task'}).`,
  );
}
