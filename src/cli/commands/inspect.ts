import { Fault, isFault } from '#base/fault.ts';
import type { Answer, Client } from '../client.ts';
import { clusterOption, exitCodes } from '../command.ts';
import type { Command } from '../command.ts';
import { findTasks, listTasks } from '../tasks.ts';
import type { TaskRow } from '../tasks.ts';
import { lookAt } from '../usage.ts';

/** Tasks that are told of at once, newest first. */
const TASKS_MAX = 20;

export const inspect: Command = {
  name: 'inspect',
  section: 'Run things',
  summary: 'everything that berth knows of a task or a service, as JSON',
  about:
    'Of a task: its record and task definition as the ECS API tells them, what it uses, its last lines. Of a service: its record with deployments and events, its revisions and task definition, and its tasks.',
  positionals: [{ name: 'NAME', required: true, summary: 'a service, a name of berth ps, or the beginning of a task id' }],
  options: [clusterOption],
  examples: [
    { command: 'berth inspect web | jq ".[0].service.events[0].message"', note: 'what a service did last' },
    { command: 'berth inspect 3f2a91c0 | jq ".[0].task.attachments"', note: 'a task’s network interface' },
  ],
  async run(args, context) {
    const client = await context.connect();
    const cluster = args.text('cluster') ?? 'default';
    const name = args.positional('NAME') ?? '';
    const service = await serviceOf(client, cluster, name);
    const seen = service === undefined ? await tasksNamed(client, cluster, name) : [await aroundService(client, cluster, service)];
    context.terminal.line(JSON.stringify(seen, null, 2));
    return exitCodes.ok;
  },
};

async function tasksNamed(client: Client, cluster: string, name: string): Promise<unknown[]> {
  return aroundTasks(client, cluster, await findTasks(client, cluster, name, { stopped: true }));
}

async function serviceOf(client: Client, cluster: string, name: string): Promise<Answer> {
  try {
    const { services } = await client.call('ecs', 'DescribeServices', { cluster, services: [name], include: ['TAGS'] });
    return services[0];
  } catch (error) {
    // What can be no service's name may still begin a task's id.
    if (isFault(error, 'ClientError') || isFault(error, 'InvalidParameter')) return undefined;
    throw error;
  }
}

async function aroundService(client: Client, cluster: string, service: Answer): Promise<Record<string, unknown>> {
  const revisions = [...(service.deployments ?? []), ...(service.taskSets ?? [])].map((one: Answer) => one.serviceRevisionArn);
  const arns = [...new Set([...revisions, ...(service.currentServiceRevisions ?? []).map((one: Answer) => one.arn)].filter(Boolean))];
  const { serviceRevisions = [] } =
    arns.length === 0 ? {} : await client.call('ecs', 'DescribeServiceRevisions', { serviceRevisionArns: arns.slice(0, TASKS_MAX) });
  const mine = (await listTasks(client, cluster, { stopped: true })).filter((task) => task.service === service.serviceName);
  return {
    service,
    serviceRevisions,
    taskDefinition: service.taskDefinition === undefined ? null : await definitionOf(client, service.taskDefinition),
    tasks: await aroundTasks(client, cluster, mine),
  };
}

async function aroundTasks(client: Client, cluster: string, found: TaskRow[]): Promise<unknown[]> {
  const rows = found.slice(0, TASKS_MAX);
  if (rows.length === 0) return [];
  const { tasks } = await client.call('ecs', 'DescribeTasks', { cluster, tasks: rows.map((task) => task.arn), include: ['TAGS'] });
  const usage = await lookAt(client, rows);
  return Promise.all(
    tasks.map(async (task: Answer) => {
      const id = String(task.taskArn).split('/').at(-1) ?? '';
      const taskDefinition = await definitionOf(client, task.taskDefinitionArn);
      return { task, taskDefinition, usage: usage.get(id) ?? null, lastLines: await lastLines(client, id) };
    }),
  );
}

async function definitionOf(client: Client, arn: string): Promise<Answer> {
  return (await client.call('ecs', 'DescribeTaskDefinition', { taskDefinition: arn })).taskDefinition;
}

/** What its host remembers; none of a task whose host is away or has forgotten it. */
async function lastLines(client: Client, id: string): Promise<Answer[]> {
  try {
    return (await client.call('berth', 'TailTask', { task: id, limit: 20 })).lines;
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
}
