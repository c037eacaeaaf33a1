/** The roles that rules and schedules name: what berth does for them it does as those, as AWS's services do. */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { iamScope } from '#domain/iam.ts';
import type { Principal } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { CallContext } from '#gateway/types.ts';
import { findRole, type Identity } from '#identity/index.ts';
import type { Store } from '#store/types.ts';

export type Deps = { store: Pick<Store, 'read'>; identity: Identity; clock: Clock };

/** `service`: who assumes it (`events.amazonaws.com`); `sourceArn`: for what. */
export type RoleWish = { roleArn: string; service: string; sessionName: string; sourceArn: string };

const MINUTES_15 = 900;

/**
 * A call's context as this role. While the account has neither user nor role, a role is a mere name, and may do what is asked of it here: only whoever could make the
 * rule could name it. Throws AccessDenied for one that isn't there or doesn't trust the service.
 */
export async function contextOfRole(deps: Deps, scope: Scope, wish: RoleWish, requestId: string): Promise<CallContext> {
  const { store, identity, clock } = deps;
  const { roleArn, service, sessionName, sourceArn } = wish;
  const { role, isKept } = await store.read(async (tx) => {
    const iam = iamScope(scope);
    return {
      role: await findRole(tx, roleArn),
      isKept: (await tx.iamRoles.list(iam)).length > 0 || (await tx.iamUsers.list(iam)).length > 0,
    };
  });
  const call = { now: clock.now(), region: scope.region, sourceIp: service, userAgent: service, secure: true };
  const nobody = { account: scope.account, arn: roleArn, userId: '', accessKeyId: '' };
  const base = { account: scope.account, region: scope.region, requestId, sourceIp: service, userAgent: service };
  if (role === undefined && !isKept) return { ...base, principal: nobody, assertAllowed: async () => {} };
  const facts = { 'aws:SourceAccount': scope.account, 'aws:SourceArn': sourceArn };
  const made = role === undefined ? null : identity.assumeForService(role, { service, sessionName, seconds: MINUTES_15, facts });
  if (made === null) {
    throw new Fault('AccessDenied', `The role ${roleArn} can't be assumed by ${service}: it must be there, and trust ${service}.`);
  }
  const principal: Principal = made.principal;
  return {
    ...base,
    principal,
    assertAllowed: (action, resources, own = {}) => identity.assertAllowed(principal, action, resources, call, own),
  };
}
