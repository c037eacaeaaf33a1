import type { DescribeSubscriptionFiltersRequest, DescribeSubscriptionFiltersResponse } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { tagsOf } from './tags.ts';

/** There are none: what they lead to (Kinesis, Firehose, Lambda) isn't here, and PutSubscriptionFilter says so. */
export function describeSubscriptionFiltersOperation(
  logs: Logs,
): Handler<DescribeSubscriptionFiltersRequest, DescribeSubscriptionFiltersResponse> {
  return {
    name: 'DescribeSubscriptionFilters',
    async handle(input, scope) {
      await tagsOf(logs, scope, input.logGroupName ?? ''); // a group that isn't there is said to be missing
      return { subscriptionFilters: [] };
    },
  };
}
