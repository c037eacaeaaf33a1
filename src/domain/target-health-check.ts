/** Health checks of target groups: AWS's defaults and bounds (API reference, CreateTargetGroup; "Health checks" of both user guides). */
import { elbFault } from './elb-fault.ts';
import type { HealthCheck, TargetGroupRecord } from './load-balancer.ts';
import { clip } from './names.ts';

type Group = Pick<TargetGroupRecord['desired'], 'protocol' | 'protocolVersion' | 'targetType'>;
/** What a caller said; the rest is AWS's. `matcher` of a GRPC group is its grpc codes. */
export type HealthCheckWish = { [K in keyof HealthCheck]?: HealthCheck[K] | undefined };

const PATH_CHARS = 1024;
const isHttp = (protocol: string) => protocol === 'HTTP' || protocol === 'HTTPS';

export function defaultHealthCheck(group: Group, protocol: HealthCheck['protocol']): HealthCheck {
  const grpc = group.protocolVersion === 'GRPC';
  const common = { enabled: true, protocol, port: 'traffic-port', intervalSeconds: 30, healthyThreshold: 5, unhealthyThreshold: 2 };
  if (protocol === 'TCP') return { ...common, path: null, timeoutSeconds: 10, matcher: null };
  if (isHttp(group.protocol)) {
    return { ...common, path: grpc ? '/AWS.ALB/healthcheck' : '/', timeoutSeconds: 5, matcher: grpc ? '12' : '200' };
  }
  return { ...common, path: '/', timeoutSeconds: protocol === 'HTTP' ? 6 : 10, matcher: '200-399' };
}

/** The check of a new group, or (`present`) one that changes. Throws ELBv2's ValidationError and InvalidConfigurationRequest. */
export function resolveHealthCheck(group: Group, wish: HealthCheckWish, present?: HealthCheck): HealthCheck {
  const protocol = wish.protocol ?? present?.protocol ?? (isHttp(group.protocol) ? 'HTTP' : 'TCP');
  const defaults = defaultHealthCheck(group, protocol);
  const base = present === undefined ? defaults : { ...present, protocol };
  // A check that turns from TCP to HTTP needs a path and codes; the other way round it has none.
  const change = Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined)) as Partial<HealthCheck>;
  const check: HealthCheck = {
    ...base,
    path: protocol === 'TCP' ? null : (base.path ?? defaults.path),
    matcher: protocol === 'TCP' ? null : (base.matcher ?? defaults.matcher),
    ...change,
  };
  assertHealthCheck(group, check);
  return check;
}

function assertHealthCheck(group: Group, check: HealthCheck): void {
  if (!check.enabled) throw wrong(`Health check enabled must be true for target groups with target type '${group.targetType}'`);
  if (check.protocol === 'TCP' && isHttp(group.protocol)) {
    throw wrong(`Health check protocol 'TCP' is not supported for target groups with the protocol '${group.protocol}'`);
  }
  if (check.port !== 'traffic-port' && !(/^[1-9]\d{0,4}$/.test(check.port) && Number(check.port) <= 65_535)) {
    throw wrong(`Health check port '${clip(check.port)}' must be 'traffic-port' or between 1 and 65535`);
  }
  bounded('interval', check.intervalSeconds, 5, 300);
  bounded('timeout', check.timeoutSeconds, 2, 120);
  bounded('healthy threshold count', check.healthyThreshold, 2, 10);
  bounded('unhealthy threshold count', check.unhealthyThreshold, 2, 10);
  if (check.timeoutSeconds >= check.intervalSeconds) throw wrong('Health check interval must be greater than the timeout.');
  assertPath(check);
  assertMatcher(group, check);
}

function assertPath({ protocol, path }: HealthCheck): void {
  if (path === null) return;
  if (protocol === 'TCP') throw elbFault('InvalidConfigurationRequest', 'Health check path cannot be specified for TCP health checks');
  if (!/^\/[\x21-\x7e]*$/.test(path) || path.length > PATH_CHARS) {
    throw wrong(`Health check path '${clip(path)}' must begin with '/' and have up to ${PATH_CHARS} printable characters`);
  }
}

function assertMatcher(group: Group, { protocol, matcher }: HealthCheck): void {
  if (matcher === null) return;
  if (protocol === 'TCP') throw elbFault('InvalidConfigurationRequest', 'Health check matcher cannot be specified for TCP health checks');
  const grpc = group.protocolVersion === 'GRPC';
  const most = isHttp(group.protocol) ? 499 : 599;
  const [low, high] = grpc ? [0, 99] : [200, most];
  const items = matcher.split(',').map((item) => /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(item));
  const fits = items.every((item) => {
    const from = Number(item?.[1] ?? NaN);
    const to = Number(item?.[2] ?? from);
    return from >= low && to <= high && from <= to;
  });
  if (!fits || matcher.length > 255) {
    throw wrong(`Health check matcher ${grpc ? 'GRPC' : 'HTTP'} code '${clip(matcher)}' must be within '${low}-${high}' inclusive`);
  }
}

function bounded(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw wrong(`Health check ${what} '${value}' must be between ${least} and ${most}`);
}

const wrong = (message: string) => elbFault('ValidationError', message);
