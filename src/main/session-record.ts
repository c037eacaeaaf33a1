/** What sessions of ExecuteCommand printed, into log events. */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Logs } from '#logs/types.ts';
import type { SessionsDeps } from '#session/sessions.ts';
import { unlessThere } from './access-logs.ts';

/** Fails when the group isn't there, as on AWS: who names a group makes it. */
export function createSessionRecord(clock: Clock, logs: Logs): SessionsDeps['record'] {
  const made = new Set<string>();
  return async ({ account, region, group, stream }, text) => {
    const scope = { account, region };
    if (made.size > limits.execSessions) made.clear(); // it may be asked for again
    if (!made.has(stream)) await unlessThere(logs.createStream(scope, group, stream));
    made.add(stream);
    await logs.put(scope, group, stream, [{ timestamp: clock.now(), message: text }]);
  };
}
