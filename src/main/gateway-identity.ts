/** What the gateway asks about callers: the root keys of the key file, and behind them users, roles and their policies. */
import type { Clock } from '#base/clock.ts';
import type { GatewayDeps, Keys } from '#gateway/index.ts';
import type { Identity } from '#identity/index.ts';

export function gatewayIdentity(keys: Keys, identity: Identity, clock: Clock): Pick<GatewayDeps, 'keys' | 'authorize'> {
  return {
    keys: { lookup: (accessKeyId, token) => keys.lookup(accessKeyId) ?? identity.lookup(accessKeyId, token) },
    authorize: (principal, action, resources, { region, sourceIp, userAgent }, facts) =>
      identity.assertAllowed(principal, action, resources, { now: clock.now, region, sourceIp, userAgent, secure: false }, facts),
  };
}
