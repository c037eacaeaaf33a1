/** What the gateway asks about callers: the root keys of the key file, and behind them users, roles and their policies. */
import type { Clock } from '#base/clock.ts';
import type { GatewayDeps, Keys } from '#gateway/index.ts';
import type { Random } from '#base/random.ts';
import { createIdentity, type Identity } from '#identity/index.ts';
import type { Store } from '#store/types.ts';
import { openVault } from '#vault/index.ts';

export function gatewayIdentity(keys: Keys, identity: Identity, clock: Clock): Pick<GatewayDeps, 'keys' | 'authorize'> {
  return {
    keys: { lookup: (accessKeyId, token) => keys.lookup(accessKeyId) ?? identity.lookup(accessKeyId, token) },
    authorize: (principal, action, resources, { region, sourceIp, userAgent }, facts) =>
      identity.assertAllowed(principal, action, resources, { now: clock.now(), region, sourceIp, userAgent, secure: false }, facts),
  };
}

/** `vaultKeys`: the file of master keys, made if there is none. */
export function openIdentity(deps: { store: Store; clock: Clock; random: Random }, vaultKeys: string): Identity {
  return createIdentity({ ...deps, vault: openVault(deps, { path: vaultKeys }) });
}
