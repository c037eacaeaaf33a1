import type { PutLogGroupDeletionProtectionRequest } from '@aws-sdk/client-cloudwatch-logs';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { nameOfIdentifier } from './arn.ts';

export function putLogGroupDeletionProtectionOperation(logs: Logs): Handler<PutLogGroupDeletionProtectionRequest, void> {
  return {
    name: 'PutLogGroupDeletionProtection',
    async handle(input, scope) {
      await logs.setProtection(scope, nameOfIdentifier(input.logGroupIdentifier ?? '', scope), input.deletionProtectionEnabled === true);
    },
  };
}
