import type { DescribeLogStreamsRequest, DescribeLogStreamsResponse } from '@aws-sdk/client-cloudwatch-logs';
import { Fault } from '#base/fault.ts';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupNameOf } from './arn.ts';
import { decodeToken, encodeToken, pageLimit } from './page.ts';
import { streamView } from './views.ts';

export function describeLogStreamsOperation(logs: Logs): Handler<DescribeLogStreamsRequest, DescribeLogStreamsResponse> {
  return {
    name: 'DescribeLogStreams',
    async handle(input, scope) {
      const { orderBy = 'LogStreamName', logStreamNamePrefix: prefix } = input;
      if (orderBy !== 'LogStreamName' && orderBy !== 'LastEventTime') {
        const text = 'failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]';
        throw new Fault('InvalidParameter', `1 validation error detected: Value '${String(orderBy)}' at 'orderBy' ${text}`);
      }
      if (orderBy === 'LastEventTime' && prefix !== undefined) {
        throw new Fault('InvalidParameter', 'Cannot order by LastEventTime with a logStreamNamePrefix.');
      }
      const group = groupNameOf(input, scope);
      const { streams, next } = await logs.listStreams(scope, group, {
        ...(prefix === undefined ? {} : { prefix }),
        ...decodeToken(input.nextToken),
        orderBy,
        descending: input.descending ?? false,
        limit: pageLimit(input.limit, 50),
      });
      return { logStreams: streams.map((stream) => streamView(scope, group, stream)), nextToken: encodeToken(next) };
    },
  };
}
