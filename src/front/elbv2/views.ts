/** Records as the API shows them. */
import { createHash } from 'node:crypto';
import type { Listener, LoadBalancer, Rule, TargetGroup } from '@aws-sdk/client-elastic-load-balancing-v2';
import {
  listenerArn,
  loadBalancerArn,
  loadBalancerDnsName,
  ruleArn,
  targetGroupArn,
  type ListenerRecord,
  type LoadBalancerRecord,
  type TargetGroupRecord,
} from '#domain/load-balancer.ts';
import type { SubnetRecord } from '#domain/records.ts';
import type { RuleOfListener } from '#intent/index.ts';
import { actionViews } from './actions.ts';
import { conditionViews } from './conditions.ts';

export function loadBalancerView(lb: LoadBalancerRecord, subnets: readonly SubnetRecord[]): LoadBalancer {
  const { key, desired, observed } = lb;
  const zoneOf = new Map(subnets.map((subnet) => [subnet.key.id, subnet.zone]));
  const groups = desired.type === 'application' || desired.securityGroupIds.length > 0 ? { SecurityGroups: desired.securityGroupIds } : {};
  return {
    LoadBalancerArn: loadBalancerArn(lb),
    DNSName: loadBalancerDnsName(lb),
    CanonicalHostedZoneId: hostedZoneId(key.region, desired.type),
    CreatedTime: new Date(desired.createdAt),
    LoadBalancerName: key.name,
    Scheme: desired.scheme,
    VpcId: desired.vpcId,
    State: { Code: observed.state, ...(observed.reason === null ? {} : { Reason: observed.reason }) },
    Type: desired.type,
    AvailabilityZones: desired.subnetIds.map((id) => ({ ZoneName: zoneOf.get(id) ?? '', SubnetId: id, LoadBalancerAddresses: [] })),
    ...groups,
    IpAddressType: desired.ipAddressType as 'ipv4',
  };
}

/** Constant for a region and a type, and of Route 53's form. */
function hostedZoneId(region: string, type: string): string {
  return `Z${createHash('sha256').update(`${region}/${type}`).digest('hex').slice(0, 13).toUpperCase()}`;
}

export function listenerView(listener: ListenerRecord): Listener {
  const { key, desired, observed } = listener;
  const [certificate] = desired.certificateArns;
  return {
    ListenerArn: listenerArn(listener),
    LoadBalancerArn: loadBalancerArn({
      key: { ...key, name: key.loadBalancer },
      desired: { type: desired.loadBalancerType, id: desired.loadBalancerId } as LoadBalancerRecord['desired'],
    }),
    Port: desired.port,
    Protocol: desired.protocol,
    ...(certificate === undefined ? {} : { Certificates: [{ CertificateArn: certificate }] }),
    ...(desired.sslPolicy === null ? {} : { SslPolicy: desired.sslPolicy }),
    DefaultActions: actionViews(desired.defaultActions, desired.modifiedAt, observed.shift),
    ...(desired.alpnPolicy === null ? {} : { AlpnPolicy: [desired.alpnPolicy] }),
    ...(desired.protocol === 'HTTPS' ? { MutualAuthentication: { Mode: 'off' } } : {}),
  };
}

export function ruleView({ listener, rule }: RuleOfListener): Rule {
  if (rule === null) {
    return {
      RuleArn: ruleArn(listener, listener.desired.defaultRuleId),
      Priority: 'default',
      Conditions: [],
      Actions: actionViews(listener.desired.defaultActions, listener.desired.modifiedAt, listener.observed.shift),
      IsDefault: true,
    };
  }
  return {
    RuleArn: ruleArn(listener, rule.key.id),
    Priority: String(rule.desired.priority),
    Conditions: conditionViews(rule.desired.conditions),
    Actions: actionViews(rule.desired.actions, rule.desired.modifiedAt, rule.observed.shift),
    IsDefault: false,
  };
}

/** `users`: the load balancers that forward to it. */
export function targetGroupView(group: TargetGroupRecord, users: readonly LoadBalancerRecord[]): TargetGroup {
  const { key, desired } = group;
  const { healthCheck: check } = desired;
  const matcher = check.matcher === null ? {} : { Matcher: desired.protocolVersion === 'GRPC' ? { GrpcCode: check.matcher } : { HttpCode: check.matcher } }; // prettier-ignore
  return {
    TargetGroupArn: targetGroupArn(group),
    TargetGroupName: key.name,
    Protocol: desired.protocol,
    Port: desired.port,
    VpcId: desired.vpcId,
    HealthCheckProtocol: check.protocol,
    HealthCheckPort: check.port,
    HealthCheckEnabled: check.enabled,
    HealthCheckIntervalSeconds: check.intervalSeconds,
    HealthCheckTimeoutSeconds: check.timeoutSeconds,
    HealthyThresholdCount: check.healthyThreshold,
    UnhealthyThresholdCount: check.unhealthyThreshold,
    ...(check.path === null ? {} : { HealthCheckPath: check.path }),
    ...matcher,
    LoadBalancerArns: users.map((lb) => loadBalancerArn(lb)),
    TargetType: desired.targetType,
    ...(desired.protocolVersion === null ? {} : { ProtocolVersion: desired.protocolVersion }),
    IpAddressType: desired.ipAddressType as 'ipv4',
  };
}
