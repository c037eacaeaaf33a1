/** Targets, from the API's words to ours, and their health as DescribeTargetHealth tells it. */
import type { TargetDescription, TargetHealth, TargetHealthDescription } from '@aws-sdk/client-elastic-load-balancing-v2';
import { notInBerth } from '#domain/elb-fault.ts';
import type { TargetGroupRecord, TargetRecord } from '#domain/load-balancer.ts';
import type { TargetWish } from '#intent/index.ts';

export function targetsOf(input: readonly TargetDescription[] | undefined): TargetWish[] {
  return (input ?? []).map((target) => {
    if (target.QuicServerId !== undefined) throw notInBerth('targets with a QUIC server id');
    return { id: target.Id ?? '', port: target.Port };
  });
}

/** `target` undefined: it is not registered. `used`: whether a load balancer leads to the group. */
export function targetHealthView(
  group: TargetGroupRecord,
  { id, port, target }: { id: string; port: number; target: TargetRecord | undefined },
  used: boolean,
): TargetHealthDescription {
  const check = group.desired.healthCheck;
  const zone = target?.desired.zone ?? null;
  return {
    Target: { Id: id, Port: port, ...(zone === null ? {} : { AvailabilityZone: zone }) },
    HealthCheckPort: check.port === 'traffic-port' ? String(port) : check.port,
    TargetHealth: targetHealth(target, used),
  };
}

function targetHealth(target: TargetRecord | undefined, used: boolean): TargetHealth {
  if (target === undefined) return health('unused', 'Target.NotRegistered', 'Target is not registered to the target group');
  const { desired, observed } = target;
  if (desired.deregisteredAt !== null) return health('draining', 'Target.DeregistrationInProgress', 'Target deregistration is in progress');
  if (!used) return health('unused', 'Target.NotInUse', 'Target group is not configured to receive traffic from the load balancer');
  // What was seen while it drained, or while nothing led to its group, says nothing of it now.
  if (observed.state === 'draining' || observed.reason === 'Target.NotInUse') {
    return health('initial', 'Elb.RegistrationInProgress', 'Target registration is in progress');
  }
  return health(observed.state, observed.reason, observed.description);
}

function health(state: NonNullable<TargetHealth['State']>, reason: string | null, description: string | null): TargetHealth {
  return {
    State: state,
    ...(reason === null ? {} : { Reason: reason as NonNullable<TargetHealth['Reason']> }),
    ...(description === null ? {} : { Description: description }),
  };
}
