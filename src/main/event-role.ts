/** The roles that rules and schedules name: what berth does for them it does as those, as AWS's services do. */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { Scope } from '#domain/scope.ts';
import type { SchedulerDeps } from '#front/scheduler/index.ts';
import type { CallContext } from '#gateway/types.ts';
import type { Identity } from '#identity/index.ts';
import type { Store } from '#store/types.ts';
import { assumeRole, isNominal } from './task-credentials.ts';

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
  const call = { now: clock.now, region: scope.region, sourceIp: service, userAgent: service, secure: true };
  const base = { account: scope.account, region: scope.region, requestId, sourceIp: service, userAgent: service };
  const facts = { 'aws:SourceAccount': scope.account, 'aws:SourceArn': sourceArn };
  const made = await assumeRole({ store, identity }, scope, roleArn, { service, sessionName, seconds: MINUTES_15, facts });
  if (made === null) {
    throw new Fault('AccessDenied', `The role ${roleArn} can't be assumed by ${service}: it must be there, and trust ${service}.`);
  }
  const { principal } = made;
  return {
    ...base,
    principal,
    async assertAllowed(action, resources, own = {}) {
      if (!isNominal(principal)) await identity.assertAllowed(principal, action, resources, call, own);
    },
  };
}

/** What the front door of Scheduler asks of a role before it takes it. */
export const mayAssume =
  (deps: Pick<Deps, 'store' | 'identity'>): SchedulerDeps['mayAssume'] =>
  async (scope, { roleArn, service, sourceArn }) => {
    const facts = { 'aws:SourceAccount': scope.account, 'aws:SourceArn': sourceArn };
    return (await assumeRole(deps, scope, roleArn, { service, sessionName: 'look', seconds: MINUTES_15, facts })) !== null;
  };
