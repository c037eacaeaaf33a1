/** PutEvents, TestEventPattern. */
import type {
  PutEventsRequest,
  PutEventsRequestEntry,
  PutEventsResponse,
  PutEventsResultEntry,
  TestEventPatternRequest,
  TestEventPatternResponse,
} from '@aws-sdk/client-eventbridge';
import type { Json } from '#base/fault.ts';
import { isFault } from '#base/fault.ts';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { eventTime } from '#domain/event.ts';
import type { EventEnvelope } from '#domain/event.ts';
import { compilePattern } from '#events/index.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { assertBus, eventsFault, eventsInvalid, putEvents } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { busOf, checkPattern } from './input.ts';

/** What is wrong with some entries keeps none of the others back, as AWS has it. */
export function putEventsOperation(deps: IntentDeps): Handler<PutEventsRequest, PutEventsResponse> {
  return {
    name: 'PutEvents',
    async handle(input, context) {
      const given = input.Entries ?? [];
      if (given.length < 1 || given.length > limits.eventEntries) {
        throw eventsInvalid(`1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and ${limits.eventEntries}`);
      } // prettier-ignore
      if (input.EndpointId !== undefined) throw eventsInvalid('berth has no global endpoints: leave EndpointId out.');
      const results: PutEventsResultEntry[] = [];
      const events: { bus: string; event: EventEnvelope }[] = [];
      for (const entry of given) {
        const wrong = faultOf(entry) ?? (await busFault(deps, context, entry));
        if (wrong !== undefined) {
          results.push(wrong);
          continue;
        }
        const id = uuid(deps.random);
        events.push({ bus: busOf(context, entry.EventBusName), event: envelope(context, entry, id, deps.clock.now()) });
        results.push({ EventId: id });
      }
      if (events.length > 0) await putEvents(deps, events);
      return { FailedEntryCount: results.filter(({ ErrorCode }) => ErrorCode !== undefined).length, Entries: results };
    },
  };
}

function faultOf(entry: PutEventsRequestEntry): PutEventsResultEntry | undefined {
  const { Source, DetailType, Detail } = entry;
  const missing = (member: string) => ({
    ErrorCode: 'InvalidArgument',
    ErrorMessage: `Parameter ${member} is not valid. Reason: ${member} is a required argument.`,
  });
  if (!Source) return missing('Source');
  if (!DetailType) return missing('DetailType');
  if (Detail === undefined) return missing('Detail');
  if (/^aws\./i.test(Source)) return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: `Not authorized for the source.` };
  if (readDetail(Detail) === undefined) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
  if (Buffer.byteLength(Detail) + Source.length + DetailType.length > limits.eventBytes) {
    return {
      ErrorCode: 'InvalidArgument',
      ErrorMessage: `Total size of the entry in the request is over the limit of ${limits.eventBytes} bytes.`,
    };
  }
  return undefined;
}

async function busFault(
  deps: IntentDeps,
  context: CallContext,
  { EventBusName }: PutEventsRequestEntry,
): Promise<PutEventsResultEntry | undefined> {
  try {
    await deps.store.read((tx) => assertBus(tx, context, busOf(context, EventBusName)));
    return undefined;
  } catch (error) {
    if (!isFault(error, 'ResourceNotFound')) throw error;
    return { ErrorCode: 'InvalidArgument', ErrorMessage: error.message };
  }
}

function envelope({ account, region }: CallContext, entry: PutEventsRequestEntry, id: string, now: number): EventEnvelope {
  return {
    version: '0',
    id,
    'detail-type': entry.DetailType ?? '',
    source: entry.Source ?? '',
    account,
    time: eventTime(entry.Time?.getTime() ?? now),
    region,
    resources: entry.Resources ?? [],
    detail: readDetail(entry.Detail ?? '') ?? {},
  };
}

/** undefined for what is no JSON object. */
function readDetail(text: string): { [key: string]: Json } | undefined {
  try {
    const read = JSON.parse(text) as Json;
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? read : undefined;
  } catch {
    return undefined;
  }
}

const MEMBERS = ['id', 'account', 'source', 'time', 'region', 'resources', 'detail-type'];

export function testEventPattern(): Handler<TestEventPatternRequest, TestEventPatternResponse> {
  return {
    name: 'TestEventPattern',
    async handle(input) {
      const event = readDetail(input.Event ?? '');
      if (event === undefined) throw eventsInvalid('Parameter Event is not valid. Reason: it is no JSON object.');
      const missing = MEMBERS.find((member) => !Object.hasOwn(event, member));
      if (missing !== undefined)
        throw eventsFault('ValidationException', `Parameter Event is not valid. Reason: the event has no "${missing}".`);
      return { Result: compilePattern(checkPattern(input.EventPattern ?? '')).matches(event) };
    },
  };
}
