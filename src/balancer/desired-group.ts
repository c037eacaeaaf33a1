/** A target group's record as the balancer's group. */
import type { TargetGroupRecord } from '#domain/load-balancer.ts';
import type { CheckDesired, GroupDesired, TargetDesired } from './types.ts';

const STICKY_S = 86_400;

export function groupOf(group: TargetGroupRecord, idleSeconds: number, targets: TargetDesired[]): GroupDesired {
  const { desired } = group;
  const { attributes, protocol, protocolVersion } = desired;
  const mode = protocol === 'HTTP' || protocol === 'HTTPS' ? 'http' : 'tcp';
  return {
    id: desired.id,
    mode,
    tls: protocol === 'HTTPS' || protocol === 'TLS',
    http2: mode === 'http' && (protocolVersion === 'HTTP2' || protocolVersion === 'GRPC'),
    balance: balanceOf(attributes, mode),
    stickiness: stickinessOf(attributes, mode),
    slowStartSeconds: Number(attributes['slow_start.duration_seconds'] ?? 0),
    idleSeconds,
    check: checkOf(group),
    targets,
  };
}

function balanceOf(attributes: Record<string, string>, mode: 'http' | 'tcp'): GroupDesired['balance'] {
  if (mode === 'tcp') return sticky(attributes, 'source_ip') ? 'source' : 'roundrobin';
  switch (attributes['load_balancing.algorithm.type']) {
    case 'least_outstanding_requests':
      return 'leastconn';
    case 'weighted_random':
      return 'random';
    default:
      return 'roundrobin';
  }
}

const sticky = (attributes: Record<string, string>, type: string): boolean =>
  attributes['stickiness.enabled'] === 'true' && attributes['stickiness.type'] === type;

function stickinessOf(attributes: Record<string, string>, mode: 'http' | 'tcp'): GroupDesired['stickiness'] {
  if (mode === 'tcp') return null;
  const appName = attributes['stickiness.app_cookie.cookie_name'];
  if (sticky(attributes, 'app_cookie') && appName !== undefined && appName !== '') {
    return { kind: 'app_cookie', name: appName, seconds: Number(attributes['stickiness.app_cookie.duration_seconds'] ?? STICKY_S) };
  }
  const byBalancer =
    sticky(attributes, 'lb_cookie') || (attributes['stickiness.enabled'] === 'true' && attributes['stickiness.type'] === undefined);
  return byBalancer ? { kind: 'lb_cookie', seconds: Number(attributes['stickiness.lb_cookie.duration_seconds'] ?? STICKY_S) } : null;
}

function checkOf({ desired }: TargetGroupRecord): CheckDesired {
  const { healthCheck: check, protocolVersion } = desired;
  const grpc = protocolVersion === 'GRPC';
  return {
    protocol: check.protocol,
    http2: check.protocol !== 'TCP' && (grpc || protocolVersion === 'HTTP2'),
    grpc,
    port: check.port === 'traffic-port' ? null : Number(check.port),
    path: check.path ?? '/',
    matcher: check.matcher ?? (grpc ? '12' : '200-399'),
    intervalSeconds: check.intervalSeconds,
    timeoutSeconds: check.timeoutSeconds,
    healthy: check.healthyThreshold,
    unhealthy: check.unhealthyThreshold,
  };
}
