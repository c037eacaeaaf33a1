/** What the session-manager-plugin asks about a session of ExecuteCommand. */
import type { ResumeSessionRequest, ResumeSessionResponse, TerminateSessionRequest, TerminateSessionResponse } from '@aws-sdk/client-ssm';
import type { Handler } from '#gateway/types.ts';
import type { Sessions } from '#session/sessions.ts';

export type SessionDeps = { sessions: Pick<Sessions, 'terminate'> };

export const sessionOperations = (deps: SessionDeps): Handler[] => [resumeSession, terminateSession(deps)];

/**
 * What the plugin asks when its connection broke. A session ends with its connection, so there is never one to go on with: an answer without a token is what
 * AWS gives for a session that has timed out, and the plugin then says so and ends, where an error would let it wait for good.
 */
const resumeSession: Handler<ResumeSessionRequest, ResumeSessionResponse> = {
  name: 'ResumeSession',
  async handle({ SessionId }) {
    return { SessionId };
  },
};

function terminateSession({ sessions }: SessionDeps): Handler<TerminateSessionRequest, TerminateSessionResponse> {
  return {
    name: 'TerminateSession',
    async handle({ SessionId = '' }, { account }) {
      sessions.terminate(account, SessionId);
      return { SessionId };
    },
  };
}
