/**
 * Attributes of load balancers, target groups and listeners: which there are, their defaults and what they take (API reference,
 * LoadBalancerAttribute, TargetGroupAttribute, ListenerAttribute). Records keep those that were set; `...Attributes` gives all.
 */
import { elbFault, notInBerth } from './elb-fault.ts';
import type { ListenerRecord, LoadBalancerRecord, TargetGroupRecord } from './load-balancer.ts';
import { clip } from './names.ts';

/** `takes` returns why a value is refused, or undefined. */
type Rule = { fallback: string; takes: (value: string) => string | undefined };
type Table = Record<string, Rule>;

const oneOf = (fallback: string, ...values: string[]): Rule => ({
  fallback,
  takes: (value) => (values.includes(value) ? undefined : `must be one of ${values.join(', ')}`),
});
const flag = (fallback: 'true' | 'false') => oneOf(fallback, 'true', 'false');
const range = (fallback: string, least: number, most: number, ...words: string[]): Rule => ({
  fallback,
  takes(value) {
    if (words.includes(value)) return undefined;
    const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN;
    const or = words.length === 0 ? '' : ` or ${words.join(' or ')}`;
    return number >= least && number <= most ? undefined : `must be between ${least} and ${most}${or}`;
  },
});
const text = (fallback = '', chars = 1024): Rule => ({
  fallback,
  takes: (value) => (value.length <= chars && /^[\x20-\x7e]*$/.test(value) ? undefined : `must have up to ${chars} printable characters`),
});
const headerName = (fallback: string): Rule => ({
  fallback,
  takes: (value) => (/^[A-Za-z0-9_-]{1,40}$/.test(value) ? undefined : 'must be the name of a header of up to 40 characters'),
});
/** What writes into an S3 bucket can't be switched on: berth has no S3. */
const bucketLogs = (what: string): Table => ({
  [`${what}.s3.enabled`]: flag('false'),
  [`${what}.s3.bucket`]: text(),
  [`${what}.s3.prefix`]: text(),
});

const everyLoadBalancer: Table = {
  ...bucketLogs('access_logs'),
  'deletion_protection.enabled': flag('false'),
  'ipv6.deny_all_igw_traffic': flag('false'),
  'zonal_shift.config.enabled': flag('false'),
};

const loadBalancerTables: Record<LoadBalancerRecord['desired']['type'], Table> = {
  application: {
    ...everyLoadBalancer,
    'idle_timeout.timeout_seconds': range('60', 1, 4000),
    'client_keep_alive.seconds': range('3600', 60, 604_800),
    ...bucketLogs('connection_logs'),
    ...bucketLogs('health_check_logs'),
    'load_balancing.cross_zone.enabled': oneOf('true', 'true'),
    'routing.http.desync_mitigation_mode': oneOf('defensive', 'monitor', 'defensive', 'strictest'),
    'routing.http.drop_invalid_header_fields.enabled': flag('false'),
    'routing.http.preserve_host_header.enabled': flag('false'),
    'routing.http.x_amzn_tls_version_and_cipher_suite.enabled': flag('false'),
    'routing.http.xff_client_port.enabled': flag('false'),
    'routing.http.xff_header_processing.mode': oneOf('append', 'append', 'preserve', 'remove'),
    'routing.http2.enabled': flag('true'),
    'waf.fail_open.enabled': flag('false'),
  },
  network: {
    ...everyLoadBalancer,
    'load_balancing.cross_zone.enabled': flag('false'),
    'dns_record.client_routing_policy': oneOf(
      'any_availability_zone',
      'any_availability_zone',
      'availability_zone_affinity',
      'partial_availability_zone_affinity',
    ),
    'secondary_ips.auto_assigned.per_subnet': range('0', 0, 7),
  },
};

const everyTargetGroup: Table = {
  'deregistration_delay.timeout_seconds': range('300', 0, 3600),
  'stickiness.enabled': flag('false'),
  'load_balancing.cross_zone.enabled': oneOf('use_load_balancer_configuration', 'true', 'false', 'use_load_balancer_configuration'),
  'target_group_health.dns_failover.minimum_healthy_targets.count': range('1', 1, 1000, 'off'),
  'target_group_health.dns_failover.minimum_healthy_targets.percentage': range('off', 1, 100, 'off'),
  'target_group_health.unhealthy_state_routing.minimum_healthy_targets.count': range('1', 1, 1000),
  'target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage': range('off', 1, 100, 'off'),
};
const httpTargetGroup: Table = {
  ...everyTargetGroup,
  'stickiness.type': oneOf('lb_cookie', 'lb_cookie', 'app_cookie'),
  'stickiness.lb_cookie.duration_seconds': range('86400', 1, 604_800),
  'stickiness.app_cookie.cookie_name': {
    fallback: '',
    takes: (value) =>
      /^[!#$%&'*+.^_`|~0-9A-Za-z-]{0,255}$/.test(value) && !/^AWSALB(APP|TG)?/.test(value)
        ? undefined
        : 'must be the name of a cookie that does not begin with AWSALB, AWSALBAPP or AWSALBTG',
  },
  'stickiness.app_cookie.duration_seconds': range('86400', 1, 604_800),
  'slow_start.duration_seconds': range('0', 30, 900, '0'),
  'load_balancing.algorithm.type': oneOf('round_robin', 'round_robin', 'least_outstanding_requests', 'weighted_random'),
  'load_balancing.algorithm.anomaly_mitigation': oneOf('off', 'on', 'off'),
};
const tcpTargetGroup = (targetType: TargetGroupRecord['desired']['targetType']): Table => ({
  ...everyTargetGroup,
  'stickiness.type': oneOf('source_ip', 'source_ip'),
  'deregistration_delay.connection_termination.enabled': flag('false'),
  'preserve_client_ip.enabled': flag(targetType === 'ip' ? 'false' : 'true'),
  'proxy_protocol_v2.enabled': flag('false'),
  'target_health_state.unhealthy.connection_termination.enabled': flag('true'),
  'target_health_state.unhealthy.draining_interval_seconds': range('0', 0, 360_000),
});

const httpListener: Table = {
  'routing.http.response.server.enabled': flag('true'),
  'routing.http.response.strict_transport_security.header_value': text(),
  'routing.http.response.access_control_allow_origin.header_value': text(),
  'routing.http.response.access_control_allow_methods.header_value': text(),
  'routing.http.response.access_control_allow_headers.header_value': text(),
  'routing.http.response.access_control_allow_credentials.header_value': oneOf('', '', 'true'),
  'routing.http.response.access_control_expose_headers.header_value': text(),
  'routing.http.response.access_control_max_age.header_value': range('', 0, 86_400, ''),
  'routing.http.response.content_security_policy.header_value': text(),
  'routing.http.response.x_content_type_options.header_value': oneOf('', '', 'nosniff'),
  'routing.http.response.x_frame_options.header_value': text(),
};
const listenerTables: Record<ListenerRecord['desired']['protocol'], Table> = {
  HTTP: httpListener,
  HTTPS: {
    ...httpListener,
    'routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name': headerName('X-Amzn-Mtls-Clientcert-Serial-Number'),
    'routing.http.request.x_amzn_mtls_clientcert_issuer.header_name': headerName('X-Amzn-Mtls-Clientcert-Issuer'),
    'routing.http.request.x_amzn_mtls_clientcert_subject.header_name': headerName('X-Amzn-Mtls-Clientcert-Subject'),
    'routing.http.request.x_amzn_mtls_clientcert_validity.header_name': headerName('X-Amzn-Mtls-Clientcert-Validity'),
    'routing.http.request.x_amzn_mtls_clientcert_leaf.header_name': headerName('X-Amzn-Mtls-Clientcert-Leaf'),
    'routing.http.request.x_amzn_mtls_clientcert.header_name': headerName('X-Amzn-Mtls-Clientcert'),
    'routing.http.request.x_amzn_tls_version.header_name': headerName('X-Amzn-Tls-Version'),
    'routing.http.request.x_amzn_tls_cipher_suite.header_name': headerName('X-Amzn-Tls-Cipher-Suite'),
  },
  TCP: { 'tcp.idle_timeout.seconds': range('350', 60, 6000) },
  TLS: {},
};

type LoadBalancerKind = Pick<LoadBalancerRecord['desired'], 'type' | 'attributes'>;
type TargetGroupKind = Pick<TargetGroupRecord['desired'], 'protocol' | 'targetType' | 'attributes'>;
type ListenerKind = Pick<ListenerRecord['desired'], 'protocol' | 'attributes'>;

/** All attributes, those that were set over the defaults. */
export const loadBalancerAttributes = (lb: LoadBalancerKind) => over(loadBalancerTables[lb.type], lb.attributes);
export const targetGroupAttributes = (group: TargetGroupKind) => over(targetGroupTable(group), group.attributes);
export const listenerAttributes = (listener: ListenerKind) => over(listenerTables[listener.protocol], listener.attributes);

/** `changes` over the attributes that were set. Throws ELBv2's ValidationError and InvalidConfigurationRequest. */
export function changeLoadBalancerAttributes(lb: LoadBalancerKind, changes: Record<string, string>): Record<string, string> {
  const merged = change(loadBalancerTables[lb.type], `load balancer attribute`, lb.attributes, changes);
  for (const what of ['access_logs', 'connection_logs', 'health_check_logs']) {
    if (merged[`${what}.s3.enabled`] !== 'true') continue;
    if ((merged[`${what}.s3.bucket`] ?? '') === '') {
      throw elbFault('InvalidConfigurationRequest', `${what}.s3.bucket must be specified to enable ${what}.s3.enabled`);
    }
    throw notInBerth(`${what} in an S3 bucket: there is no S3 here`);
  }
  return merged;
}

export function changeTargetGroupAttributes(group: TargetGroupKind, changes: Record<string, string>): Record<string, string> {
  const merged = change(targetGroupTable(group), 'target group attribute', group.attributes, changes);
  const all = over(targetGroupTable(group), merged);
  const is = (key: string, value: string) => all[key] === value;
  if (is('stickiness.enabled', 'true') && is('stickiness.type', 'app_cookie') && is('stickiness.app_cookie.cookie_name', '')) {
    throw elbFault('ValidationError', 'You must specify a cookie name for application-based stickiness');
  }
  const slow = (all['slow_start.duration_seconds'] ?? '0') !== '0';
  if (slow && !is('load_balancing.algorithm.type', 'round_robin')) {
    throw elbFault(
      'InvalidConfigurationRequest',
      `Slow start cannot be enabled with the algorithm '${all['load_balancing.algorithm.type'] ?? ''}'`,
    );
  }
  if (is('load_balancing.algorithm.anomaly_mitigation', 'on') && !is('load_balancing.algorithm.type', 'weighted_random')) {
    throw elbFault('InvalidConfigurationRequest', 'Anomaly mitigation can only be enabled with the algorithm weighted_random');
  }
  return merged;
}

export function changeListenerAttributes(listener: ListenerKind, changes: Record<string, string>): Record<string, string> {
  return change(listenerTables[listener.protocol], 'listener attribute', listener.attributes, changes);
}

function targetGroupTable(group: Omit<TargetGroupKind, 'attributes'>): Table {
  return group.protocol === 'HTTP' || group.protocol === 'HTTPS' ? httpTargetGroup : tcpTargetGroup(group.targetType);
}

/** What was set before and has no place any more (a listener's protocol changed) is left out. */
function over(table: Table, set: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(table).map(([key, rule]) => [key, set[key] ?? rule.fallback]));
}

function change(table: Table, what: string, present: Record<string, string>, changes: Record<string, string>): Record<string, string> {
  for (const [key, value] of Object.entries(changes)) {
    const rule = Object.hasOwn(table, key) ? table[key] : undefined;
    if (rule === undefined) {
      throw elbFault('ValidationError', `The ${what} '${clip(key)}' is not recognized or not supported for this type`);
    }
    const refused = rule.takes(value);
    if (refused !== undefined) {
      throw elbFault('ValidationError', `The value '${clip(value)}' of the ${what} '${key}' is not valid: it ${refused}`);
    }
  }
  return { ...present, ...changes };
}
