import type { DeleteRetentionPolicyRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';

export function deleteRetentionPolicyOperation(logs: Logs): Handler<DeleteRetentionPolicyRequest, void> {
  return {
    name: 'DeleteRetentionPolicy',
    async handle(input, scope) {
      await logs.setRetention(scope, input.logGroupName ?? '', null);
    },
  };
}
