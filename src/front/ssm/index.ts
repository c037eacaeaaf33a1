/**
 * AWS Systems Manager, as far as the session-manager-plugin asks it about a session of ExecuteCommand. Reference: Systems Manager API reference, version
 * 2014-11-06.
 */
import type { ResumeSessionRequest, ResumeSessionResponse, TerminateSessionRequest, TerminateSessionResponse } from '@aws-sdk/client-ssm';
import type { Scope } from '#domain/scope.ts';
import type { ApiErrors, ApiSpec, Operation } from '#gateway/types.ts';
import type { Sessions } from '#session/sessions.ts';

export type SsmDeps = { sessions: Pick<Sessions, 'terminate'> };

export function createSsmApi(deps: SsmDeps): ApiSpec {
  return {
    service: 'ssm',
    protocol: 'json-1.1',
    target: 'AmazonSSM',
    schemaPackage: '@aws-sdk/client-ssm',
    errors,
    operations: [resumeSession, terminateSession(deps)],
  };
}

const sessionArn = ({ SessionId = '' }: { SessionId?: string | undefined }, scope: Scope) => [
  `arn:aws:ssm:${scope.region}:${scope.account}:session/${SessionId}`,
];

/**
 * What the plugin asks when its connection broke. A session ends with its connection, so there is never one to go on with: an answer without a token is what
 * AWS gives for a session that has timed out, and the plugin then says so and ends, where an error would let it wait for good.
 */
const resumeSession: Operation<ResumeSessionRequest, ResumeSessionResponse> = {
  name: 'ResumeSession',
  action: 'ssm:ResumeSession',
  resources: sessionArn,
  async handle({ SessionId }) {
    return { SessionId };
  },
};

function terminateSession({ sessions }: SsmDeps): Operation<TerminateSessionRequest, TerminateSessionResponse> {
  return {
    name: 'TerminateSession',
    action: 'ssm:TerminateSession',
    resources: sessionArn,
    async handle({ SessionId = '' }, { account }) {
      sessions.terminate(account, SessionId);
      return { SessionId };
    },
  };
}

const errors: ApiErrors = {
  name(faultCode, errorName) {
    if (errorName !== undefined) return { name: errorName, status: 400 };
    if (faultCode === 'AccessDenied') return { name: 'AccessDeniedException', status: 400 };
    if (faultCode === 'InvalidParameter' || faultCode === 'ClientError') return { name: 'ValidationException', status: 400 };
    if (faultCode === 'Unsupported') return { name: 'UnsupportedOperation', status: 400 };
    return { name: 'InternalServerError', status: 500 };
  },
};
