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
import type { BerthApiDeps } from './types.ts';

/** `after`: `next` of the last answer; without it the last `limit`. `pattern`: an event pattern, JSON text. */
type Input = { after?: number; limit?: number; source?: string; detailType?: string; pattern?: string };

/** Events that are looked at for one answer. */
const LOOKED_AT = 5000;

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
          const end = await tx.events.last();
          const rows = await tx.events.list(scope, { before: end + 1, limit: LOOKED_AT });
          const found = rows.filter(wanted);
          return { events: (limit === 0 ? [] : found.slice(-limit)).map(view), next: end };
        }
        const rows = await tx.events.list(scope, { after, limit: LOOKED_AT });
        const found = rows.filter(wanted).slice(0, Math.max(1, limit));
        const isCut = rows.filter(wanted).length > found.length;
        const next = (isCut ? found.at(-1)?.seq : rows.at(-1)?.seq) ?? after;
        return { events: found.map(view), next };
      });
    },
  };
}

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
