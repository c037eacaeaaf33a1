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
      if (token === undefined) {
        const { events, forward } = await lastEvents(client, { ...place, startTime: first.since }, first.limit);
        token = forward;
        return events.map((event) => lineOf(event, source));
      }
      const answer = await absentAsEmpty(client.call('logs', 'GetLogEvents', { ...place, startFromHead: true, nextToken: token }));
      if (answer === undefined) return [];
      token = answer.nextForwardToken;
      return answer.events.map((event: Answer) => lineOf(event, source));
    },
  };
}

function lineOf(event: Answer, source: LogSource): LogLine {
  return { time: event.timestamp, text: event.message, source };
}

/** The last `limit` events, oldest first, by as many pages as they take (one has 1 MB), and from where on to ask for what comes after them. */
async function lastEvents(client: Client, place: object, limit: number): Promise<{ events: Answer[]; forward: string | undefined }> {
  const pages: Answer[][] = [];
  let forward: string | undefined;
  let nextToken: string | undefined;
  for (let left = Math.max(1, limit); left > 0;) {
    const call = { ...place, startFromHead: false, limit: Math.min(left, 10_000), ...(nextToken === undefined ? {} : { nextToken }) };
    const answer = await absentAsEmpty(client.call('logs', 'GetLogEvents', call));
    forward ??= answer?.nextForwardToken;
    if (answer === undefined || answer.events.length === 0) break;
    pages.unshift(answer.events);
    left -= answer.events.length;
    nextToken = answer.nextBackwardToken;
  }
  return { events: limit === 0 ? [] : pages.flat(), forward };
}

async function absentAsEmpty(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    if (isFault(error, 'ResourceNotFound')) return undefined;
    throw error;
  }
}
