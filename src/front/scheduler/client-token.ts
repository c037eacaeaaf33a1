/** ClientToken of Scheduler's operations. Source: EventBridge Scheduler API reference, CreateSchedule. */
import type { TokenWish } from '#intent/index.ts';
import { paramsHash } from '../ecs/params-hash.ts';
import { constraint } from '../events/input.ts';

export function tokenOf(input: { ClientToken?: string | undefined }): TokenWish | null {
  const { ClientToken: token } = input;
  if (token === undefined) return null;
  if (token.length < 1) throw constraint(token, 'clientToken', 'have length greater than or equal to 1');
  if (token.length > 64) throw constraint(token, 'clientToken', 'have length less than or equal to 64');
  if (!/^[a-zA-Z0-9-_]+$/.test(token)) throw constraint(token, 'clientToken', 'satisfy regular expression pattern: [a-zA-Z0-9-_]+');
  return { token, paramsHash: paramsHash(input) };
}
