import type { StartLiveTailRequest, StartLiveTailResponse, StartLiveTailResponseStream } from '@aws-sdk/client-cloudwatch-logs';
import { asFault, Fault } from '#base/fault.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import type { LiveTailEvent, LiveTailUpdate, Logs } from '#logs/types.ts';
import { nameOfIdentifier } from './arn.ts';

/** Source: CloudWatch Logs API reference, StartLiveTail; limits of its members as there. */
export function startLiveTailOperation(logs: Logs): Handler<StartLiveTailRequest, StartLiveTailResponse> {
  return {
    name: 'StartLiveTail',
    async handle(input, context) {
      check(input);
      const {
        logGroupIdentifiers = [],
        logStreamNames: streams,
        logStreamNamePrefixes: streamPrefixes,
        logEventFilterPattern: pattern,
      } = input;
      const names = logGroupIdentifiers.map((one) => nameOfIdentifier(one, context));
      const updates = logs.liveTail(context, names, {
        ...(streams === undefined ? {} : { streams }),
        ...(streamPrefixes === undefined ? {} : { streamPrefixes }),
        ...(pattern === undefined ? {} : { pattern }),
      });
      return { responseStream: session(input, context, updates) };
    },
  };
}

function check({ logGroupIdentifiers = [], logStreamNames, logStreamNamePrefixes }: StartLiveTailRequest): void {
  const refuse = (message: string) => new Fault('InvalidParameter', message);
  if (logGroupIdentifiers.length < 1 || logGroupIdentifiers.length > 10)
    throw refuse(`logGroupIdentifiers takes 1 to 10 log groups; there are ${logGroupIdentifiers.length}.`);
  if (logStreamNames !== undefined && logStreamNamePrefixes !== undefined)
    throw refuse('logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.');
  for (const [member, values] of Object.entries({ logStreamNames, logStreamNamePrefixes })) {
    if (values === undefined) continue;
    if (values.length < 1 || values.length > 10) throw refuse(`${member} takes 1 to 10 names; there are ${values.length}.`);
    if (logGroupIdentifiers.length > 1)
      throw refuse(`${member} can be given for one log group only; there are ${logGroupIdentifiers.length}.`);
  }
}

async function* session(
  { logGroupIdentifiers, logStreamNames, logStreamNamePrefixes, logEventFilterPattern }: StartLiveTailRequest,
  context: CallContext,
  updates: AsyncGenerator<LiveTailUpdate>,
): AsyncGenerator<StartLiveTailResponseStream> {
  const { requestId } = context;
  const filters = { logGroupIdentifiers, logStreamNames, logStreamNamePrefixes, logEventFilterPattern };
  try {
    // What is put once the caller knows of the session is told: the tail begins before.
    let next = updates.next();
    yield { sessionStart: { requestId, sessionId: requestId, ...filters } };
    for (let update = await next; update.done !== true; update = await next) {
      const { events, sampled } = update.value;
      next = updates.next();
      next.catch(() => {});
      yield { sessionUpdate: { sessionMetadata: { sampled }, sessionResults: events.map((event) => view(context.account, event)) } };
    }
  } catch (error) {
    const { code, message } = asFault(error);
    // The shapes of errors have a message and nothing else on the wire.
    const body = { message } as never;
    yield code === 'TimedOut' ? { SessionTimeoutException: body } : { SessionStreamingException: body };
  } finally {
    await updates.return(undefined);
  }
}

function view(account: string, { group, stream, timestamp, message, ingestedAt }: LiveTailEvent) {
  return { logStreamName: stream, logGroupIdentifier: `${account}:${group}`, message, timestamp, ingestionTime: ingestedAt };
}
