import type { GetLogEventsRequest, GetLogEventsResponse } from '@aws-sdk/client-cloudwatch-logs';
import { limits } from '#base/limits.ts';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupNameOf } from './arn.ts';
import { pageLimit } from './page.ts';

export function getLogEventsOperation(logs: Logs): Handler<GetLogEventsRequest, GetLogEventsResponse> {
  return {
    name: 'GetLogEvents',
    async handle(input, scope) {
      const { startTime, endTime, nextToken: token } = input;
      const { events, forward, backward } = await logs.getEvents(scope, groupNameOf(input, scope), input.logStreamName ?? '', {
        ...(startTime === undefined ? {} : { startTime }),
        ...(endTime === undefined ? {} : { endTime }),
        ...(token === undefined ? {} : { token }),
        fromHead: input.startFromHead ?? false,
        limit: pageLimit(input.limit, limits.logPageEvents),
      });
      return {
        events: events.map((event) => ({ timestamp: event.timestamp, message: event.message, ingestionTime: event.ingestedAt })),
        nextForwardToken: forward,
        nextBackwardToken: backward,
      };
    },
  };
}
