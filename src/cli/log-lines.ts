/** Log lines of tasks, found by the awslogs options of their definitions and read over the CloudWatch Logs API. */
import type { Answer, Client } from './client.ts';
import { isFault } from '#base/fault.ts';
import type { TaskRow } from './tasks.ts';

/** One log stream of one container of one task. */
export type LogSource = { group: string; stream: string; task: TaskRow; container: string };
export type LogLine = { time: number; text: string; source: LogSource };

/** Where the containers of these tasks write; a definition is asked for once. */
export async function logSources(client: Client, tasks: TaskRow[]): Promise<LogSource[]> {
  const definitions = new Map<string, Promise<Answer>>();
  const ask = (taskDefinition: string) => {
    const known = definitions.get(taskDefinition) ?? client.call('ecs', 'DescribeTaskDefinition', { taskDefinition });
    definitions.set(taskDefinition, known);
    return known;
  };
  const sources: LogSource[] = [];
  for (const task of tasks) {
    const { taskDefinition } = await ask(task.definitionArn);
    for (const container of taskDefinition.containerDefinitions ?? []) {
      const options = container.logConfiguration?.logDriver === 'awslogs' ? container.logConfiguration.options : undefined;
      if (options === undefined) continue;
      const prefix = options['awslogs-stream-prefix'];
      sources.push({ group: options['awslogs-group'], stream: `${prefix}/${container.name}/${task.id}`, task, container: container.name });
    }
  }
  return sources;
}

/** The last `limit` lines of all sources together, by time. A group or stream that isn't there yet has no lines. */
export async function tailLines(client: Client, sources: LogSource[], first: { limit: number; since?: number }): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (const source of sources) lines.push(...(await follow(client, source, first).next()));
  return lines.sort((a, b) => a.time - b.time).slice(-first.limit);
}

/** Follows one source: the first call of `next` gives its last `limit` lines (since then, if told), each later one what came after. */
export function follow(client: Client, source: LogSource, first: { limit: number; since?: number }): { next(): Promise<LogLine[]> } {
  let token: string | undefined;
  return {
    async next() {
      const place = { logGroupName: source.group, logStreamName: source.stream };
      const beginning = { ...place, startFromHead: false, limit: Math.max(1, Math.min(first.limit, 10_000)), startTime: first.since };
      const answer = await absentAsEmpty(
        client.call('logs', 'GetLogEvents', token === undefined ? beginning : { ...place, startFromHead: true, nextToken: token }),
      );
      if (answer === undefined) return [];
      const drop = token === undefined && first.limit === 0;
      token = answer.nextForwardToken;
      return drop ? [] : answer.events.map((event: Answer) => ({ time: event.timestamp, text: event.message, source }));
    },
  };
}

async function absentAsEmpty(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    if (isFault(error, 'ResourceNotFound')) return undefined;
    throw error;
  }
}
