import type { PutRetentionPolicyRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';

export function putRetentionPolicyOperation(logs: Logs): Handler<PutRetentionPolicyRequest, void> {
  return {
    name: 'PutRetentionPolicy',
    async handle(input, scope) {
      await logs.setRetention(scope, input.logGroupName ?? '', input.retentionInDays ?? 0);
    },
  };
}
