/**
 * Log lines of tasks: of containers with awslogs read over the CloudWatch Logs API, by the options of their definitions; of the others what their host still has of
 * them (`TailTask`: the last part, until it forgets the task).
 */
import type { Answer, Client } from './client.ts';
import { isFault } from '#base/fault.ts';
import type { TaskRow } from './tasks.ts';

/** Output of one container of one task: a log stream, or, without a group, what its host remembers. */
export type LogSource = { group: string | null; stream: string; task: TaskRow; container: string };
export type LogLine = { time: number; text: string; source: LogSource };

/** Lines of one answer of TailTask. */
const MOST_LINES = 10_000;

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
      const [group, prefix] = options === undefined ? [null, 'host'] : [options['awslogs-group'], options['awslogs-stream-prefix']];
      sources.push({ group, stream: `${prefix}/${container.name}/${task.id}`, task, container: container.name });
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
  if (source.group === null) return followHost(client, source, first);
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

/** The same of what the host remembers. A host agent that starts anew has forgotten what was before. */
function followHost(client: Client, { task, container, ...rest }: LogSource, first: { limit: number; since?: number }) {
  let after: string | undefined;
  return {
    async next(): Promise<LogLine[]> {
      const isFirst = after === undefined;
      const ask = { task: task.id, container, limit: isFirst ? Math.max(1, first.limit) : MOST_LINES, ...(isFirst ? {} : { after }) };
      const { lines, next } = await client.call('berth', 'TailTask', ask).catch(hostAwayAsEmpty);
      after = next ?? after;
      // A host agent of before can't tell what is new.
      if (!isFirst && next === undefined) return [];
      const told: LogLine[] = lines.map(({ time, text }: Answer) => ({ time, text, source: { task, container, ...rest } }));
      return isFirst ? told.filter(({ time }) => time >= (first.since ?? 0)).slice(0, first.limit) : told;
    },
  };
}

/** Its host may be starting anew: the other sources have their lines all the same. */
function hostAwayAsEmpty(error: unknown): Answer {
  if (isFault(error, 'Unavailable') && error.details['notRunning'] !== true) return { lines: [] };
  throw error;
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
