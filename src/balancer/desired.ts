/** From the records of the API to what the balancer is to do. Pure. */
import { join } from 'node:path';
import { deregistrationDelayMs, forwardWeights, parseTargetGroupArn } from '#domain/load-balancer.ts';
import type {
  ListenerAction,
  ListenerRecord,
  LoadBalancerRecord,
  RuleRecord,
  TargetGroupRecord,
  TargetRecord,
  TrafficShift,
} from '#domain/load-balancer.ts';
import { accessLogOf } from './desired-access-log.ts';
import { groupOf } from './desired-group.ts';
import { tlsOf } from './desired-tls.ts';
import type { ListenerDesired, Route, TargetDesired, TrafficDesired } from './types.ts';

export type TrafficRecords = {
  loadBalancers: readonly LoadBalancerRecord[];
  listeners: readonly ListenerRecord[];
  rules: readonly RuleRecord[];
  groups: readonly TargetGroupRecord[];
  targets: readonly TargetRecord[];
};

/** Idle time in seconds, where none was set (load balancer attributes of the API reference). */
const HTTP_IDLE_S = 60;
const TCP_IDLE_S = 350;
const KEEP_ALIVE_S = 3600;

/** `certificatesDir`: holds `ID.pem` of each certificate. */
export function desiredTraffic(
  records: TrafficRecords,
  names: Pick<TrafficDesired, 'endpoints' | 'aliases'>,
  certificatesDir: string,
): TrafficDesired {
  const standing = records.loadBalancers.filter((lb) => lb.observed.ip !== null);
  const ofListener = Map.groupBy(records.rules, (rule) => rule.key.listener);
  const pairs = standing.flatMap((lb) => listenersOf(lb, records.listeners).map((listener) => ({ lb, listener })));
  const listeners = pairs.map(({ lb, listener }) => {
    const rules = ofListener.get(listener.key.id) ?? [];
    return { ...listenerOf(lb, listener, rules, certificatesDir), accessLog: accessLogOf(lb, listener, rules, records.groups) };
  });
  const users = usersOf(pairs, listeners);
  const targets = Map.groupBy(records.targets, (target) => target.key.group);
  const groups = records.groups.flatMap((group) => {
    const lb = users.get(group.desired.id);
    return lb === undefined ? [] : [groupOf(group, idleSeconds(lb), wantedTargets(group, targets.get(group.desired.id) ?? []))];
  });
  const known = new Set(groups.map((group) => group.id));
  return { ...names, listeners: listeners.map((listener) => withKnown(listener, known)), groups };
}

const listenersOf = (lb: LoadBalancerRecord, all: readonly ListenerRecord[]) =>
  all.filter((listener) => listener.desired.loadBalancerId === lb.desired.id);

/** Ids of groups that a listener leads to -> its load balancer. */
export function usersOf(
  pairs: readonly { lb: LoadBalancerRecord }[],
  listeners: readonly ListenerDesired[],
): Map<string, LoadBalancerRecord> {
  const users = new Map<string, LoadBalancerRecord>();
  listeners.forEach((listener, at) => {
    const lb = pairs[at]?.lb;
    const routes = [listener.otherwise, ...listener.rules.map((rule) => rule.route)];
    for (const route of routes) if (route.kind === 'forward' && lb !== undefined) for (const { id } of route.groups) users.set(id, lb);
  });
  return users;
}

function listenerOf(
  lb: LoadBalancerRecord,
  listener: ListenerRecord,
  rules: readonly RuleRecord[],
  certificatesDir: string,
): Omit<ListenerDesired, 'accessLog'> {
  const { desired, observed } = listener;
  const attributes = lb.desired.attributes;
  const mode = lb.desired.type === 'application' ? 'http' : 'tcp';
  const certificates = desired.certificateArns.map((arn) => join(certificatesDir, `${arn.slice(arn.lastIndexOf('/') + 1)}.pem`));
  const xff = attributes['routing.http.xff_header_processing.mode'];
  return {
    id: listener.key.id,
    address: lb.observed.ip ?? '',
    port: desired.port,
    mode,
    tls: desired.protocol === 'HTTPS' || desired.protocol === 'TLS' ? tlsOf(desired, certificates, attributes) : null,
    rules: rules
      .toSorted((a, b) => a.desired.priority - b.desired.priority)
      .map((rule) => ({
        id: rule.key.id,
        conditions: rule.desired.conditions,
        route: routeOf(rule.desired.actions, rule.desired.modifiedAt, rule.observed.shift),
      })),
    otherwise: routeOf(desired.defaultActions, desired.modifiedAt, observed.shift),
    idleSeconds: idleSeconds(lb, listener),
    keepAliveSeconds: Number(attributes['client_keep_alive.seconds'] ?? KEEP_ALIVE_S),
    forwardedFor: xff === 'preserve' || xff === 'remove' ? xff : 'append',
    dropInvalidHeaders: attributes['routing.http.drop_invalid_header_fields.enabled'] === 'true',
  };
}

function idleSeconds(lb: LoadBalancerRecord, listener?: ListenerRecord): number {
  if (lb.desired.type === 'application') return Number(lb.desired.attributes['idle_timeout.timeout_seconds'] ?? HTTP_IDLE_S);
  return Number(listener?.desired.attributes['tcp.idle_timeout.seconds'] ?? TCP_IDLE_S);
}

/** The last of the actions is the one that answers (those before it would authenticate, which the API refuses). */
function routeOf(actions: readonly ListenerAction[], modifiedAt: number, shift: TrafficShift | null): Route {
  const action = actions.toSorted((a, b) => (a.order ?? 0) - (b.order ?? 0)).at(-1);
  if (action === undefined) return { kind: 'fixed', status: 503, contentType: null, body: null };
  if (action.type === 'fixed-response') {
    return { kind: 'fixed', status: Number(action.statusCode), contentType: action.contentType, body: action.body };
  }
  if (action.type === 'redirect') {
    const { protocol, host, port, path, query } = action;
    return { kind: 'redirect', protocol, host, port, path, query, status: action.statusCode === 'HTTP_301' ? 301 : 302 };
  }
  const groups = forwardWeights(action, modifiedAt, shift).flatMap(({ arn, weight }) => {
    const id = parseTargetGroupArn(arn)?.id;
    return id === undefined ? [] : [{ id, weight }];
  });
  const sticky = action.stickiness?.enabled === true ? (action.stickiness.seconds ?? 3600) : null;
  return { kind: 'forward', groups, stickySeconds: sticky };
}

function wantedTargets(group: TargetGroupRecord, targets: readonly TargetRecord[]): TargetDesired[] {
  // What isn't an address (an instance) can't be reached.
  return targets.filter(reachable).map(({ key, desired, observed }) => ({
    ip: key.target,
    port: key.port,
    registeredAt: desired.registeredAt,
    drainUntil: desired.deregisteredAt === null ? null : desired.deregisteredAt + deregistrationDelayMs(group),
    unhealthy: observed.state === 'unhealthy',
  }));
}

export const reachable = (target: TargetRecord): boolean => /^\d+\.\d+\.\d+\.\d+$/.test(target.key.target);

/** A group that is being deleted, or of which nothing is known, gets nothing. */
function withKnown(listener: ListenerDesired, known: ReadonlySet<string>): ListenerDesired {
  const only = (route: Route): Route =>
    route.kind === 'forward' ? { ...route, groups: route.groups.filter((group) => known.has(group.id)) } : route;
  return { ...listener, otherwise: only(listener.otherwise), rules: listener.rules.map((rule) => ({ ...rule, route: only(rule.route) })) };
}
