/** What the balancer is to do, in its own words: names under `.localhost`, listeners of load balancers, and groups of targets. */
import type { RuleCondition } from '#domain/load-balancer.ts';
import type { Scope } from '#domain/scope.ts';
import type { LatencyMs } from './latency.ts';

export type EndpointTarget = {
  /** Stable and unique within the endpoint: the task's id. */
  id: string;
  ip: string;
  port: number;
};

export type EndpointDesired = {
  /** A DNS label (RFC 1123, section 2.1): `NAME.localhost` is routed here. */
  name: string;
  /** Tasks that run; empty while there are none. */
  targets: EndpointTarget[];
  /** Said on the page that answers while no target does. */
  note: { state: 'starting' | 'running' | 'stopped'; detail: string };
};

/** `NAME.localhost` on the front door leads to a load balancer's listener. */
export type AliasDesired = { name: string; ip: string; port: number; tls: boolean };

/** Where a request goes. */
export type Route =
  | {
      kind: 'forward';
      /** Ids of groups; those of weight 0 get nothing, and where all have it the answer is 503. */
      groups: { id: string; weight: number }[];
      /** How long a client stays with the group that it got; null: each request anew. */
      stickySeconds: number | null;
    }
  | { kind: 'redirect'; protocol: string; host: string; port: string; path: string; query: string; status: 301 | 302 }
  | { kind: 'fixed'; status: number; contentType: string | null; body: string | null };

export type ListenerDesired = {
  /** Unique; letters and digits. */
  id: string;
  address: string;
  port: number;
  mode: 'http' | 'tcp';
  tls: ListenerTls | null;
  /** In order of priority. */
  rules: { id: string; conditions: RuleCondition[]; route: Route }[];
  otherwise: Route;
  idleSeconds: number;
  keepAliveSeconds: number;
  forwardedFor: 'append' | 'preserve' | 'remove';
  dropInvalidHeaders: boolean;
  /** null: nothing is logged. */
  accessLog: AccessLogDesired | null;
};

/** Where a listener's access log goes, and what its lines say of it. */
export type AccessLogDesired = Scope & {
  /** A log group, made where it is missing; `balancer` is the stream's name too. */
  group: string;
  /** `app/NAME/ID`, `net/NAME/ID`. */
  balancer: string;
  balancerId: string;
  certificateArns: string[];
  /** Of rules by their ids; 0 for `default`. */
  priorities: Record<string, number>;
  /** Of target groups by their ids. */
  groupArns: Record<string, string>;
};

export type ListenerTls = {
  /** Files with certificate, chain and key; the default one first. */
  certificates: string[];
  minVersion: TlsVersion;
  maxVersion: TlsVersion;
  alpn: string[];
};
export type TlsVersion = 'TLSv1.0' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

export type GroupDesired = {
  id: string;
  mode: 'http' | 'tcp';
  tls: boolean;
  http2: boolean;
  balance: 'roundrobin' | 'leastconn' | 'random' | 'source';
  stickiness: { kind: 'lb_cookie'; seconds: number } | { kind: 'app_cookie'; name: string; seconds: number } | null;
  slowStartSeconds: number;
  idleSeconds: number;
  check: CheckDesired;
  targets: TargetDesired[];
};

export type CheckDesired = {
  protocol: 'HTTP' | 'HTTPS' | 'TCP';
  http2: boolean;
  grpc: boolean;
  /** null: the target's own. */
  port: number | null;
  path: string;
  /** Statuses (`200-299,301`), of gRPC its codes. */
  matcher: string;
  intervalSeconds: number;
  timeoutSeconds: number;
  healthy: number;
  unhealthy: number;
};

export type TargetDesired = {
  ip: string;
  port: number;
  registeredAt: number;
  /** Gets nothing new; what it has may go on until then. */
  drainUntil: number | null;
  /** Its state as it was told last. While all targets of a group are, each gets traffic all the same, as in AWS. */
  unhealthy: boolean;
};

export type TrafficDesired = {
  endpoints: EndpointDesired[];
  aliases: AliasDesired[];
  listeners: ListenerDesired[];
  groups: GroupDesired[];
};

/** A target as HAProxy sees it. */
export type TargetSeen = {
  groupId: string;
  ip: string;
  port: number;
  /** absent: HAProxy has none of it (any more). */
  status: 'up' | 'down' | 'draining' | 'absent';
  /** It passed a check before it went down. */
  wasUp: boolean;
  /** HAProxy's short word for the last check: L7OK, L7STS, L4CON, L7TOUT, ...; empty before the first. */
  check: string;
  /** Status code of the last check; 0 for none. */
  code: number;
  sessions: number;
};

export type BalancerSeen = {
  targets: TargetSeen[];
  /** Certificate files that are not there yet: a listener whose default one is missing is left out. */
  missing: string[];
  /** Servers that nobody wants any more and that still have connections. */
  leaving: number;
};

export type Balancer = {
  /**
   * Makes HAProxy's state what is desired; level-triggered and idempotent, the newest wish wins. Throws Fault: Unavailable (no HAProxy, or it refused the
   * configuration, with its words), TimedOut.
   */
  apply(traffic: TrafficDesired): Promise<BalancerSeen>;
  /** Called when a HAProxy that nobody asked for has come up. */
  onRestart(then: () => void): void;
  /** Counters since this balancer began, kept over reloads. */
  metrics(): BalancerMetrics;
  /**
   * How long answers of targets took to begin since this was asked last, by group: ms -> how often. Only of groups whose load balancer has an access log; for
   * one asker.
   */
  takeAnswerTimes?(): ReadonlyMap<string, ReadonlyMap<number, number>>;
};

export type TrafficCounters = {
  requests: number;
  /** By first digit of the status. */
  responses: Record<'1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'other', number>;
  connections: number;
  bytesIn: number;
  bytesOut: number;
  connectionErrors: number;
  responseErrors: number;
};

export type BalancerMetrics = {
  at: number;
  listeners: (TrafficCounters & { id: string; activeConnections: number })[];
  groups: (TrafficCounters & {
    id: string;
    activeConnections: number;
    healthy: number;
    unhealthy: number;
    /** Milliseconds until a target's answer began: the mean of the last 1,024 requests, the longest between a look and the one before (its time), and a sum that the mean makes with the count. */
    responseMs: { mean: number; longest: readonly { at: number; ms: number }[]; sum: number };
    /** Until a target's answer began, over the last minutes; only where an access log is on. */
    latencyMs?: LatencyMs;
  })[];
  /** Whole requests, over the last minutes; only of those whose access log is on. */
  loadBalancers?: { id: string; latencyMs: LatencyMs }[];
};
