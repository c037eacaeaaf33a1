/** GetSessionToken: temporary credentials of the caller itself. No permission is needed, as in AWS. */
import type { GetSessionTokenRequest, GetSessionTokenResponse } from '@aws-sdk/client-sts';
import { Fault } from '#base/fault.ts';
import type { Operation } from '#gateway/types.ts';
import { assertSeconds, credentialsView, type StsDeps } from './assume-role.ts';

const SECONDS = 43_200;
const SECONDS_MAX = 129_600;
const ROOT_MAX = 3600;

export function getSessionToken({ identity }: Pick<StsDeps, 'identity'>): Operation<GetSessionTokenRequest, GetSessionTokenResponse> {
  return {
    name: 'GetSessionToken',
    action: 'sts:GetSessionToken',
    resources: () => ['*'],
    open: true,
    async handle(input, { principal }) {
      const { session, accessKeyId: _former, ...who } = principal;
      if (session !== undefined) throw new Fault('AccessDenied', 'Cannot call GetSessionToken with session credentials');
      if (input.SerialNumber !== undefined || input.TokenCode !== undefined) throw new Fault('AccessDenied', 'MultiFactorAuthentication failed with invalid MFA one time pass code. '); // prettier-ignore
      const isRoot = principal.actor === undefined;
      const seconds = input.DurationSeconds ?? SECONDS;
      assertSeconds(seconds, SECONDS_MAX);
      return { Credentials: credentialsView(identity.mint({ ...who, seconds: isRoot ? Math.min(seconds, ROOT_MAX) : seconds })) };
    },
  };
}
