import type { PutRetentionPolicyRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupArn } from './arn.ts';

export function putRetentionPolicyOperation(logs: Logs): Operation<PutRetentionPolicyRequest, void> {
  return {
    name: 'PutRetentionPolicy',
    action: 'logs:PutRetentionPolicy',
    resources: (input, scope) => [groupArn(scope, input.logGroupName ?? '')],
    async handle(input, scope) {
      await logs.setRetention(scope, input.logGroupName ?? '', input.retentionInDays ?? 0);
    },
  };
}
