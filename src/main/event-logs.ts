/** Brings events to a log group, by calls of a size that it takes. */
import type { Clock } from '#base/clock.ts';
import { asFault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Delivery } from '#domain/event.ts';
import type { Logs } from '#logs/types.ts';
import type { Outcome } from '#plan/event-rules.ts';

type Deps = { logs: Logs; clock: Clock };
/** `index`: of the delivery that it is of. */
type Line = { timestamp: number; message: string; index: number };

/** One stream for each rule, schedule or alarm. `texts`: what each delivery of the batch says; one that can't be stored keeps none of the others back. */
export async function toLogGroup(
  deps: Deps,
  group: string,
  { account, region, sourceName, target }: Delivery,
  texts: readonly string[],
): Promise<Outcome[]> {
  const { logs, clock } = deps;
  const scope = { account, region };
  const stream = sourceName.replaceAll(/[:*]/g, '-').slice(0, 512);
  const isWhole = target.input.constant === undefined && target.input.transformer === undefined;
  const now = clock.now();
  const lines = texts.map((text, index): Line => ({
    ...((isWhole ? undefined : lineOf(text, now)) ?? { timestamp: now, message: text }),
    index,
  }));
  const outcomes = texts.map((): Outcome => ({ ok: true }));
  const put = async (batch: Line[]): Promise<void> => {
    try {
      await logs.put(
        scope,
        group,
        stream,
        batch.map(({ timestamp, message }) => ({ timestamp, message })),
      );
    } catch (error) {
      if (isFault(error, 'InvalidParameter') && batch.length > 1) return await eachAlone(batch);
      for (const { index } of batch) outcomes[index] = failure(error);
    }
  };
  const eachAlone = async (batch: Line[]) => {
    for (const line of batch) await put([line]);
  };
  try {
    // Where dead letters go is berth's to make; a rule's own group must be there, as on AWS.
    if (target.id === 'dead-letters') await ensure(() => logs.createGroup(scope, group, { tags: {} }));
    await ensure(() => logs.createStream(scope, group, stream));
  } catch (error) {
    return texts.map(() => failure(error));
  }
  for (const batch of batchesOf(lines)) await put(batch);
  return outcomes;
}

function failure(error: unknown): Outcome {
  const { code, message } = asFault(error);
  return { ok: false, again: code !== 'ResourceNotFound' && code !== 'InvalidParameter', code, message };
}

async function ensure(make: () => Promise<void>): Promise<void> {
  await make().catch((error: unknown) => {
    if (!isFault(error, 'AlreadyExists')) throw error;
  });
}

/** What a rule makes for a log group is `{"timestamp": ..., "message": "..."}`: the message at its time, or now where no log takes that. undefined for another text. */
function lineOf(text: string, now: number): { timestamp: number; message: string } | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof read !== 'object' || read === null || !('timestamp' in read) || !('message' in read)) return undefined;
  const { timestamp, message } = read;
  if (typeof message !== 'string' || message === '' || Object.keys(read).length > 2) return undefined;
  const at = typeof timestamp === 'string' && !/^\d+$/.test(timestamp) ? Date.parse(timestamp) : Number(timestamp);
  const isTaken = at > now - 14 * DAY_MS && at < now + 2 * HOUR_MS;
  return { timestamp: isTaken ? Math.floor(at) : now, message };
}

/** In order of time, each within a day and the bytes that a call may have. */
function batchesOf(lines: readonly Line[]): Line[][] {
  const batches: Line[][] = [];
  let [bytes, from] = [0, 0];
  for (const line of lines.toSorted((a, b) => a.timestamp - b.timestamp)) {
    const size = Buffer.byteLength(line.message) + limits.logEventOverheadBytes;
    if (batches.length === 0 || bytes + size > limits.logPutBytes || line.timestamp - from > DAY_MS) {
      batches.push([]);
      [bytes, from] = [0, line.timestamp];
    }
    batches.at(-1)?.push(line);
    bytes += size;
  }
  return batches;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
