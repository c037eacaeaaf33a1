/**
 * AWS Identity and Access Management: users and their keys, roles, policies. Making groups, login profiles, MFA devices and identity providers is refused by
 * name. Reference: IAM API reference, version 2010-05-08.
 */
import { describingResources } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import { aboutIam } from './access.ts';
import { accountOperations } from './account.ts';
import { entityOperations } from './entities.ts';
import { iamErrors } from './errors.ts';
import type { IamDeps } from './operation.ts';
import { policyOperations } from './policies.ts';
import { roleOperations } from './roles.ts';
import { simulateOperations } from './simulate.ts';
import { userOperations } from './users.ts';

export function createIamApi(deps: IamDeps): ApiSpec {
  return {
    service: 'iam',
    protocol: 'query',
    target: '2010-05-08',
    schemaPackage: '@aws-sdk/client-iam',
    errors: iamErrors,
    operations: describingResources(
      (arn, context) => aboutIam(deps, arn, context),
      [
        ...userOperations(deps),
        ...roleOperations(deps),
        ...entityOperations(deps, 'user'),
        ...entityOperations(deps, 'role'),
        ...policyOperations(deps),
        ...simulateOperations(deps),
        ...accountOperations(deps),
      ],
    ),
  };
}
