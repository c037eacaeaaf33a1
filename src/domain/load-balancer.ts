/**
 * Elastic Load Balancing v2: load balancers, listeners, rules, target groups and targets (API reference, version 2015-12-01). Desired columns
 * are intent's; of targets that belong to a service's task they are control/targets'. Observed ones are written by who is named there.
 */
import { limits } from '#base/limits.ts';
import type { Scope } from './scope.ts';
import type { Tag } from './task.ts';

export type LoadBalancerType = 'application' | 'network';

export type LoadBalancerRecord = {
  key: Scope & { name: string };
  revision: number;
  desired: {
    /** 16 hex digits, in the ARN and the DNS name. */
    id: string;
    type: LoadBalancerType;
    scheme: 'internet-facing' | 'internal';
    ipAddressType: string;
    vpcId: string;
    subnetIds: string[];
    securityGroupIds: string[];
    /** Those that were set; the others have the defaults of AWS. */
    attributes: Record<string, string>;
    tags: Tag[];
    createdAt: number;
  };
  /** Writers: `ip` and `subnetId` control/placement; `state` and `reason` control/balancer. */
  observed: { ip: string | null; subnetId: string | null; state: 'provisioning' | 'active' | 'failed'; reason: string | null };
};

/** An action as the API has it: type, order, forward config, redirect config, fixed response; checked when it was made. */
export type ListenerAction =
  | {
      type: 'forward';
      order: number | null;
      groups: { arn: string; weight: number }[];
      stickiness: { enabled: boolean; seconds: number | null } | null;
    }
  | {
      type: 'redirect';
      order: number | null;
      protocol: string;
      port: string;
      host: string;
      path: string;
      query: string;
      statusCode: 'HTTP_301' | 'HTTP_302';
    }
  | { type: 'fixed-response'; order: number | null; statusCode: string; contentType: string | null; body: string | null };

export type RuleCondition =
  | { field: 'host-header'; values: string[] }
  | { field: 'path-pattern'; values: string[] }
  | { field: 'http-header'; name: string; values: string[] }
  | { field: 'http-request-method'; values: string[] }
  | { field: 'query-string'; values: { key: string | null; value: string }[] }
  | { field: 'source-ip'; values: string[] };

export type ListenerRecord = {
  key: Scope & { loadBalancer: string; id: string };
  revision: number;
  desired: {
    /** Id of its default rule, 16 hex digits. */
    defaultRuleId: string;
    loadBalancerType: LoadBalancerType;
    loadBalancerId: string;
    port: number;
    protocol: 'HTTP' | 'HTTPS' | 'TCP' | 'TLS';
    sslPolicy: string | null;
    /** The default certificate first. */
    certificateArns: string[];
    alpnPolicy: string | null;
    defaultActions: ListenerAction[];
    attributes: Record<string, string>;
    tags: Tag[];
    createdAt: number;
    /** When its actions were last set by a caller. */
    modifiedAt: number;
  };
  observed: { shift: TrafficShift | null };
};

export type RuleRecord = {
  /** `loadBalancer` is a name, `listener` a listener's id. */
  key: Scope & { loadBalancer: string; listener: string; id: string };
  revision: number;
  desired: {
    priority: number;
    conditions: RuleCondition[];
    actions: ListenerAction[];
    tags: Tag[];
    createdAt: number;
    modifiedAt: number;
  };
  observed: { shift: TrafficShift | null };
};

/**
 * Weights that a deployment gave to the groups of a forward action, by ARN (writer: control/services). They hold until a caller changes the
 * actions after `at`.
 */
export type TrafficShift = { weights: Record<string, number>; at: number };

export type TargetGroupRecord = {
  key: Scope & { name: string };
  revision: number;
  desired: {
    /** 16 hex digits. */
    id: string;
    protocol: 'HTTP' | 'HTTPS' | 'TCP' | 'TLS';
    protocolVersion: 'HTTP1' | 'HTTP2' | 'GRPC' | null;
    port: number;
    vpcId: string;
    targetType: 'ip' | 'instance';
    ipAddressType: string;
    healthCheck: HealthCheck;
    attributes: Record<string, string>;
    tags: Tag[];
    createdAt: number;
  };
  observed: Record<string, never>;
};

export type HealthCheck = {
  enabled: boolean;
  protocol: 'HTTP' | 'HTTPS' | 'TCP';
  /** `traffic-port` or a number. */
  port: string;
  path: string | null;
  intervalSeconds: number;
  timeoutSeconds: number;
  healthyThreshold: number;
  unhealthyThreshold: number;
  /** `200`, `200-299`, `200,301`; of a GRPC group its grpc codes. null for TCP. */
  matcher: string | null;
};

export type TargetState = 'initial' | 'healthy' | 'unhealthy' | 'unused' | 'draining' | 'unavailable';

export type TargetRecord = {
  /** `group`: the target group's id; `target`: an address (or an instance id). */
  key: Scope & { group: string; target: string; port: number };
  revision: number;
  desired: {
    registeredAt: number;
    /** Draining since; the row goes once its connections are done or the group's delay is over. */
    deregisteredAt: number | null;
    zone: string | null;
    /** The service's task that it stands for; null for one that a caller registered. */
    taskId: string | null;
  };
  /** Writer: control/balancer. `drained`: no connection is left, or the delay is over. */
  observed: { state: TargetState; reason: string | null; description: string | null; since: number; drained: boolean };
};

export function newTargetObserved(now: number): TargetRecord['observed'] {
  return {
    state: 'initial',
    reason: 'Elb.RegistrationInProgress',
    description: 'Target registration is in progress',
    since: now,
    drained: false,
  };
}

export function elbArn(scope: Scope, resource: string): string {
  return `arn:aws:elasticloadbalancing:${scope.region}:${scope.account}:${resource}`;
}
const short = (type: LoadBalancerType) => (type === 'network' ? 'net' : 'app');
export const loadBalancerArn = (lb: Pick<LoadBalancerRecord, 'key' | 'desired'>) =>
  elbArn(lb.key, `loadbalancer/${short(lb.desired.type)}/${lb.key.name}/${lb.desired.id}`);
export const listenerArn = (listener: Pick<ListenerRecord, 'key' | 'desired'>) =>
  elbArn(
    listener.key,
    `listener/${short(listener.desired.loadBalancerType)}/${listener.key.loadBalancer}/${listener.desired.loadBalancerId}/${listener.key.id}`,
  );
/** Of a rule, or of the listener's default rule. */
export const ruleArn = (listener: Pick<ListenerRecord, 'key' | 'desired'>, ruleId: string) =>
  `${listenerArn(listener).replace(':listener/', ':listener-rule/')}/${ruleId}`;
export const targetGroupArn = (group: Pick<TargetGroupRecord, 'key' | 'desired'>) =>
  elbArn(group.key, `targetgroup/${group.key.name}/${group.desired.id}`);

/** `NAME-ID.REGION.elb.berth.internal`: berth's resolver answers it in every task. An internal one begins with `internal-`, as in AWS. */
export function loadBalancerDnsName(lb: Pick<LoadBalancerRecord, 'key' | 'desired'>): string {
  const prefix = lb.desired.scheme === 'internal' && lb.desired.type === 'application' ? 'internal-' : '';
  return `${prefix}${lb.key.name}-${lb.desired.id}.${lb.key.region}.elb.berth.internal`.toLowerCase();
}

/** Name and id out of a target group's ARN; undefined for any other text. */
export function parseTargetGroupArn(arn: string): { name: string; id: string } | undefined {
  const match = /^arn:[^:]*:elasticloadbalancing:[^:]*:[^:]*:targetgroup\/([^/]+)\/([0-9a-f]{16})$/.exec(arn);
  return match?.[1] === undefined || match[2] === undefined ? undefined : { name: match[1], id: match[2] };
}

/** The weights in force: a caller's, or those of a deployment that came after, which may bring a group that the caller didn't name. */
export function forwardWeights(
  action: Extract<ListenerAction, { type: 'forward' }>,
  modifiedAt: number,
  shift: TrafficShift | null,
): { arn: string; weight: number }[] {
  if (shift === null || shift.at < modifiedAt) return action.groups;
  const named = new Set(action.groups.map((group) => group.arn));
  const brought = Object.entries(shift.weights).filter(([arn]) => !named.has(arn));
  return [
    ...action.groups.map((group) => ({ arn: group.arn, weight: shift.weights[group.arn] ?? group.weight })),
    ...brought.map(([arn, weight]) => ({ arn, weight })),
  ];
}

/** Defaults that AWS gives where none was set. */
export const DEREGISTRATION_DELAY_S = 300;
/** How long a deregistered target drains at most. What is under way has a moment also with a delay of 0: it would be lost for nothing. */
export function deregistrationDelayMs(group: Pick<TargetGroupRecord, 'desired'>): number {
  const set = group.desired.attributes['deregistration_delay.timeout_seconds'];
  return Math.max(limits.targetDrainMinMs, (set === undefined ? DEREGISTRATION_DELAY_S : Number(set)) * 1000);
}
