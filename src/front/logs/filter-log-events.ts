import type { FilterLogEventsRequest, FilterLogEventsResponse } from '@aws-sdk/client-cloudwatch-logs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupNameOf } from './arn.ts';
import { pageLimit } from './page.ts';
import { eventView } from './views.ts';

export function filterLogEventsOperation(logs: Logs): Handler<FilterLogEventsRequest, FilterLogEventsResponse> {
  return {
    name: 'FilterLogEvents',
    async handle(input, scope) {
      const {
        logStreamNames: streams,
        logStreamNamePrefix: streamPrefix,
        startTime,
        endTime,
        filterPattern: pattern,
        nextToken: token,
      } = input;
      if (streams !== undefined && streamPrefix !== undefined) {
        throw new Fault('InvalidParameter', 'logStreamNames and logStreamNamePrefix are mutually exclusive parameters.');
      }
      if (streams !== undefined && (streams.length === 0 || streams.length > 100)) {
        throw new Fault('InvalidParameter', `logStreamNames takes 1 to 100 names; there are ${streams.length}.`);
      }
      if (input.startFromHead === false) {
        throw new Fault('Unsupported', 'berth returns the earliest events first only; leave out startFromHead.');
      }
      const { events, next } = await logs.filter(scope, groupNameOf(input, scope), {
        ...(streams === undefined ? {} : { streams }),
        ...(streamPrefix === undefined ? {} : { streamPrefix }),
        ...(startTime === undefined ? {} : { startTime }),
        ...(endTime === undefined ? {} : { endTime }),
        ...(pattern === undefined ? {} : { pattern }),
        ...(token === undefined ? {} : { token }),
        limit: pageLimit(input.limit, limits.logPageEvents),
      });
      return { events: events.map(eventView), searchedLogStreams: [], nextToken: next };
    },
  };
}
