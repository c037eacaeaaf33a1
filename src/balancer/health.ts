/** From HAProxy's word for a target to what DescribeTargetHealth says, in AWS's words. Pure. */
import type { TargetGroupRecord, TargetRecord } from '#domain/load-balancer.ts';
import { reachable } from './desired.ts';
import type { TargetSeen } from './types.ts';

type Observed = TargetRecord['observed'];
type Said = Pick<Observed, 'state' | 'reason' | 'description'> & { drained: boolean };

/** `seen` undefined: no listener leads to the group. `since` moves only with the state, and when it is registered again. */
export function observedTarget(target: TargetRecord, group: TargetGroupRecord, seen: TargetSeen | undefined, now: number): Observed {
  const said = sayOf(target, group, seen, now);
  const before = target.observed;
  return { ...said, since: said.state === before.state && before.since >= target.desired.registeredAt ? before.since : now };
}

export const sameHealth = (a: Observed, b: Observed): boolean =>
  a.state === b.state && a.reason === b.reason && a.description === b.description && a.drained === b.drained && a.since === b.since;

function sayOf(target: TargetRecord, group: TargetGroupRecord, seen: TargetSeen | undefined, now: number): Said {
  if (target.desired.deregisteredAt !== null) {
    const drained = seen === undefined || seen.status === 'absent';
    return { state: 'draining', reason: 'Target.DeregistrationInProgress', description: 'Target deregistration is in progress', drained };
  }
  const said = (state: Observed['state'], reason: string | null, description: string | null): Said => ({
    state,
    reason,
    description,
    drained: false,
  });
  if (!reachable(target)) return said('unused', 'Target.InvalidState', 'Target is not in the running state');
  if (seen === undefined) {
    return said('unused', 'Target.NotInUse', 'Target group is not configured to receive traffic from the load balancer');
  }
  if (seen.status === 'up') return said('healthy', null, null);
  if (seen.status === 'absent') return said('initial', 'Elb.RegistrationInProgress', 'Target registration is in progress');
  const [reason, description] = why(seen);
  if (!seen.wasUp && stillInitial(target, group, seen, now)) {
    return said('initial', 'Elb.InitialHealthChecking', 'Initial health checks in progress');
  }
  return said('unhealthy', reason, description);
}

/** Before a first pass it takes as long as the threshold of failures would. */
function stillInitial(target: TargetRecord, group: TargetGroupRecord, seen: TargetSeen, now: number): boolean {
  if (target.observed.state === 'unhealthy') return false;
  const { intervalSeconds, unhealthyThreshold } = group.desired.healthCheck;
  const patienceMs = intervalSeconds * 1000 * Math.max(1, unhealthyThreshold - 1);
  return seen.check === '' || seen.check === 'INI' || now - target.desired.registeredAt < patienceMs;
}

function why({ check, code }: TargetSeen): [reason: string, description: string] {
  if (check.endsWith('TOUT')) return ['Target.Timeout', 'Request timed out'];
  if (check === 'L7STS' && code > 0) return ['Target.ResponseCodeMismatch', `Health checks failed with these codes: [${code}]`];
  return ['Target.FailedHealthChecks', 'Health checks failed'];
}
