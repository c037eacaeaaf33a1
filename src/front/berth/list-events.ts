/**
 * ListEvents: what happened, in order, as EventBridge's consumers get it; those after an event, or the last ones. What is asked for is told apart here, so that a
 * follower of one kind of event isn't sent all of them.
 */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { EventRow } from '#domain/event.ts';
import { compilePattern } from '#events/index.ts';
import type { Pattern } from '#events/index.ts';
import type { Operation } from '#gateway/types.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';
import type { BerthApiDeps } from './types.ts';

/** `after`: `next` of the last answer; without it the last `limit`. `pattern`: an event pattern, JSON text. */
type Input = { after?: number; limit?: number; source?: string; detailType?: string; pattern?: string };

/** Events that are looked at for one answer. */
const LOOKED_AT = 5000;
const READ_AT_ONCE = 100;

export function listEvents({ store }: Pick<BerthApiDeps, 'store'>): Operation<Input> {
  return {
    name: 'ListEvents',
    action: 'berth:ListEvents',
    resources: () => ['*'],
    async handle(input, { account, region }) {
      const { after, limit = limits.eventsListed } = input;
      if (!Number.isInteger(limit) || limit < 0 || limit > limits.eventsListed) {
        throw new Fault('InvalidParameter', `limit must be from 0 to ${limits.eventsListed}; it is ${limit}.`);
      }
      if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0))
        throw new Fault('InvalidParameter', `after must be the next of an answer; it is ${after}.`);
      const wanted = testOf(input);
      const scope = { account, region };
      return await store.read(async (tx) => {
        if (after === undefined) {
          const next = await tx.events.last();
          const rows = gather(rowsBefore(tx, scope, next + 1), wanted, limit);
          return { events: (await rows).found.toReversed().map(view), next };
        }
        const { found, last } = await gather(rowsAfter(tx, scope, after), wanted, Math.max(1, limit));
        return { events: found.map(view), next: last ?? after };
      });
    },
  };
}

type Rows = AsyncGenerator<EventRow>;

/** The newest first. Read by few at a time: an event has up to 256 KiB. */
async function* rowsBefore(tx: ReadTx, scope: Scope, before: number): Rows {
  for (let end = before; ;) {
    const rows = await tx.events.list(scope, { before: end, limit: READ_AT_ONCE });
    yield* rows.toReversed();
    if (rows.length < READ_AT_ONCE) return;
    end = rows[0]?.seq ?? 0;
  }
}

async function* rowsAfter(tx: ReadTx, scope: Scope, after: number): Rows {
  for (let start = after; ;) {
    const rows = await tx.events.list(scope, { after: start, limit: READ_AT_ONCE });
    yield* rows;
    if (rows.length < READ_AT_ONCE) return;
    start = rows.at(-1)?.seq ?? start;
  }
}

/** Those that are wanted, as many as an answer may have; `last`: the last one that was looked at. */
async function gather(rows: Rows, wanted: (row: EventRow) => boolean, limit: number): Promise<{ found: EventRow[]; last: number | undefined }> {
  const found: EventRow[] = [];
  let last: number | undefined;
  let [looked, bytes] = [0, 0];
  if (limit > 0) {
    for await (const row of rows) {
      if (wanted(row)) {
        bytes += JSON.stringify(row.event).length;
        if (found.length > 0 && bytes > limits.eventsListedBytes) break;
        found.push(row);
      }
      last = row.seq;
      if (++looked === LOOKED_AT || found.length === limit) break;
    }
  }
  return { found, last };
} // prettier-ignore

function testOf({ source, detailType, pattern }: Input): (row: EventRow) => boolean {
  const compiled = pattern === undefined ? null : compiledPattern(pattern);
  return ({ event }) =>
    (source === undefined || event.source === source) &&
    (detailType === undefined || event['detail-type'] === detailType) &&
    (compiled === null || compiled.matches({ ...event }));
}

function compiledPattern(text: string): Pattern {
  try {
    return compilePattern(text);
  } catch (error) {
    throw new Fault('InvalidParameter', `Event pattern is not valid. Reason: ${(error as Error).message}`);
  }
}

const view = ({ seq, bus, event }: EventRow) => ({ seq, bus, event });
