import type { PutLogEventsRequest, PutLogEventsResponse } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { SEQUENCE_TOKEN } from './views.ts';

export function putLogEventsOperation(logs: Logs): Handler<PutLogEventsRequest, PutLogEventsResponse> {
  return {
    name: 'PutLogEvents',
    async handle(input, scope) {
      const events = (input.logEvents ?? []).map((event) => ({ timestamp: event.timestamp ?? 0, message: event.message ?? '' }));
      const { tooOldEnd, tooNewStart, expiredEnd } = await logs.put(scope, input.logGroupName ?? '', input.logStreamName ?? '', events);
      const rejected = {
        ...(tooNewStart === undefined ? {} : { tooNewLogEventStartIndex: tooNewStart }),
        ...(tooOldEnd === undefined ? {} : { tooOldLogEventEndIndex: tooOldEnd }),
        ...(expiredEnd === undefined ? {} : { expiredLogEventEndIndex: expiredEnd }),
      };
      return { nextSequenceToken: SEQUENCE_TOKEN, ...(Object.keys(rejected).length === 0 ? {} : { rejectedLogEventsInfo: rejected }) };
    },
  };
}
