/** GetCallerIdentity: who the access key stands for. No permission is needed, as in AWS. */
import type { GetCallerIdentityCommandInput, GetCallerIdentityCommandOutput } from '@aws-sdk/client-sts';
import type { Operation } from '#gateway/types.ts';

type Output = Omit<GetCallerIdentityCommandOutput, '$metadata'>;

export const getCallerIdentity: Operation<GetCallerIdentityCommandInput, Output> = {
  name: 'GetCallerIdentity',
  action: 'sts:GetCallerIdentity',
  resources: () => ['*'],
  open: true,
  async handle(_input, { principal }) {
    return { UserId: principal.userId, Account: principal.account, Arn: principal.arn };
  },
};
