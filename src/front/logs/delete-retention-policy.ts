import type { DeleteRetentionPolicyRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Operation } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupArn } from './arn.ts';

export function deleteRetentionPolicyOperation(logs: Logs): Operation<DeleteRetentionPolicyRequest, void> {
  return {
    name: 'DeleteRetentionPolicy',
    action: 'logs:DeleteRetentionPolicy',
    resources: (input, scope) => [groupArn(scope, input.logGroupName ?? '')],
    async handle(input, scope) {
      await logs.setRetention(scope, input.logGroupName ?? '', null);
    },
  };
}
