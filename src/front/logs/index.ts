/** Amazon CloudWatch Logs, as far as it is served. Reference: CloudWatch Logs API reference, version 2014-03-28. */
import type { Random } from '#base/random.ts';
import { guarded } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { logsAccess } from './access.ts';
import { createLogGroupOperation } from './create-log-group.ts';
import { createLogStreamOperation } from './create-log-stream.ts';
import { deleteLogGroupOperation } from './delete-log-group.ts';
import { deleteLogStreamOperation } from './delete-log-stream.ts';
import { deleteRetentionPolicyOperation } from './delete-retention-policy.ts';
import { describeLogGroupsOperation } from './describe-log-groups.ts';
import { describeLogStreamsOperation } from './describe-log-streams.ts';
import { describeSubscriptionFiltersOperation } from './describe-subscription-filters.ts';
import { filterLogEventsOperation } from './filter-log-events.ts';
import { getLogEventsOperation } from './get-log-events.ts';
import { listTagsForResourceOperation } from './list-tags-for-resource.ts';
import { listTagsLogGroupOperation } from './list-tags-log-group.ts';
import {
  deleteMetricFilterOperation,
  describeMetricFiltersOperation,
  putMetricFilterOperation,
  testMetricFilterOperation,
} from './metric-filters.ts';
import { putLogEventsOperation } from './put-log-events.ts';
import { putLogGroupDeletionProtectionOperation } from './put-log-group-deletion-protection.ts';
import { putRetentionPolicyOperation } from './put-retention-policy.ts';
import { describeQueriesOperation, getQueryResultsOperation, startQueryOperation, stopQueryOperation } from './queries.ts';
import { deleteQueryDefinitionOperation, describeQueryDefinitionsOperation, putQueryDefinitionOperation } from './query-definitions.ts';
import { startLiveTailOperation } from './start-live-tail.ts';
import { tagLogGroupOperation } from './tag-log-group.ts';
import { tagResourceOperation } from './tag-resource.ts';
import { untagLogGroupOperation } from './untag-log-group.ts';
import { untagResourceOperation } from './untag-resource.ts';
import { logsErrors } from './errors.ts';

export function createLogsApi({ logs, random }: { logs: Logs; random: Random }): ApiSpec {
  const make = [
    createLogGroupOperation,
    createLogStreamOperation,
    deleteLogGroupOperation,
    deleteLogStreamOperation,
    deleteMetricFilterOperation,
    deleteQueryDefinitionOperation,
    deleteRetentionPolicyOperation,
    describeLogGroupsOperation,
    describeLogStreamsOperation,
    describeMetricFiltersOperation,
    describeQueriesOperation,
    describeQueryDefinitionsOperation,
    describeSubscriptionFiltersOperation,
    filterLogEventsOperation,
    getLogEventsOperation,
    getQueryResultsOperation,
    listTagsForResourceOperation,
    listTagsLogGroupOperation,
    putLogEventsOperation,
    putLogGroupDeletionProtectionOperation,
    putMetricFilterOperation,
    putQueryDefinitionOperation,
    putRetentionPolicyOperation,
    startLiveTailOperation,
    startQueryOperation,
    stopQueryOperation,
    tagLogGroupOperation,
    tagResourceOperation,
    testMetricFilterOperation,
    untagLogGroupOperation,
    untagResourceOperation,
  ];
  return {
    service: 'logs',
    protocol: 'json-1.1',
    target: 'Logs_20140328',
    schemaPackage: '@aws-sdk/client-cloudwatch-logs',
    errors: logsErrors,
    operations: guarded(
      logsAccess(logs),
      make.map((operation) => operation(logs, random)),
    ),
  };
}
