/** Rules of load balancing that need no store: conditions, actions, health checks, attributes, ARNs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { parseElbArn } from './elb-arn.ts';
import {
  changeListenerAttributes,
  changeLoadBalancerAttributes,
  changeTargetGroupAttributes,
  listenerAttributes,
  loadBalancerAttributes,
  targetGroupAttributes,
} from './elb-attributes.ts';
import { assertActions, unchangedRedirect } from './listener-actions.ts';
import { assertConditions } from './listener-conditions.ts';
import type { ListenerAction, RuleCondition } from './load-balancer.ts';
import { sslPolicies, sslPolicyNamed } from './ssl-policies.ts';
import { resolveHealthCheck } from './target-health-check.ts';

const refused =
  (text: RegExp, name = 'ValidationError') =>
  (error: unknown) => {
    assert.ok(isFault(error), String(error));
    assert.equal(error.details['errorName'], name);
    assert.match(error.message, text);
    return true;
  };

describe('conditions', () => {
  const path = (...values: string[]): RuleCondition => ({ field: 'path-pattern', values });
  it('of each kind are taken', () => {
    const good: RuleCondition[] = [
      { field: 'host-header', values: ['*.example.com'] },
      path('/img/*.png'),
      { field: 'http-header', name: 'User-Agent', values: ['*Chrome*'] },
      { field: 'query-string', values: [{ key: null, value: 'v' }] },
      { field: 'source-ip', values: ['2001:db8::/32'] },
    ];
    assertConditions(good);
    assertConditions([{ field: 'http-request-method', values: ['GET', 'M-SEARCH'] }]);
  });

  it('are refused by what is wrong', () => {
    const cases: [RuleCondition[], RegExp][] = [
      [[], /^A condition must be specified$/],
      [[path()], /value must be specified/],
      [[path('/a'), path('/b')], /^A rule can only have one 'path-pattern' condition$/],
      [[path('/1', '/2', '/3', '/4', '/5', '/6')], /^A rule can only have '5' condition values$/],
      [[path('/******')], /^A rule can only have '5' condition wildcards$/],
      [[path(`/${'a'.repeat(128)}`)], /1 to 128 characters/],
      [[path('/a b')], /character that is not valid/],
      [[{ field: 'host-header', values: ['localhost'] }], /at least one '.'/],
      [[{ field: 'host-header', values: ['a/b.com'] }], /character that is not valid/],
      [[{ field: 'http-header', name: 'Host', values: ['a'] }], /use the condition field 'host-header'/],
      [[{ field: 'http-header', name: 'a b', values: ['a'] }], /header name 'a b' is not valid/],
      [[{ field: 'http-request-method', values: ['get'] }], /not valid/],
      [[{ field: 'source-ip', values: ['10.0.0.1'] }], /not a valid CIDR block/],
      [[{ field: 'source-ip', values: ['10.0.0.1/8'] }], /not a valid CIDR block/],
      [[{ field: 'source-ip', values: ['::1/129'] }], /not a valid CIDR block/],
    ];
    for (const [conditions, text] of cases) assert.throws(() => assertConditions(conditions), refused(text), JSON.stringify(conditions));
  });

  it('an escaped wildcard is none', () => assertConditions([path('/\\*\\*\\*\\*\\*\\*')]));
});

describe('actions', () => {
  const app = { type: 'application', protocol: 'HTTP' } as const;
  const forward = (...weights: number[]): ListenerAction => ({
    type: 'forward',
    order: null,
    groups: weights.map((weight, index) => ({ arn: `arn-${index}`, weight })),
    stickiness: null,
  });
  const redirect = (change: object): ListenerAction => ({
    type: 'redirect',
    order: 1,
    ...unchangedRedirect,
    statusCode: 'HTTP_301',
    ...change,
  });
  const fixed = (change: object): ListenerAction => ({ type: 'fixed-response', order: null, statusCode: '200', contentType: null, body: null, ...change }); // prettier-ignore

  it('are one, and may be each kind', () => {
    for (const action of [forward(1), forward(0, 999), redirect({ protocol: 'HTTPS' }), redirect({ path: '/a/#{path}' }), fixed({})]) assertActions([action], app); // prettier-ignore
    assert.throws(() => assertActions([], app), refused(/must be specified/));
    assert.throws(() => assertActions([forward(1), fixed({})], app), refused(/Exactly one/, 'InvalidLoadBalancerAction'));
  });

  it('are refused by what is wrong', () => {
    const cases: [ListenerAction, RegExp, string?][] = [
      [forward(), /target group ARN must be specified/],
      [forward(1, 1, 1, 1, 1, 1), /up to '5' target groups/, 'TooManyActions'],
      [forward(1000), /between 0 and 999/],
      [forward(-1), /between 0 and 999/],
      [{ ...forward(1), order: 0 }, /between 1 and 50000/],
      [{ ...forward(1), stickiness: { enabled: true, seconds: null } } as ListenerAction, /duration must be specified/],
      [{ ...forward(1), stickiness: { enabled: true, seconds: 604_801 } } as ListenerAction, /between 1 and 604800/],
      [redirect({}), /creates a loop/, 'InvalidLoadBalancerAction'],
      [redirect({ protocol: 'HTTP' }), /creates a loop/, 'InvalidLoadBalancerAction'],
      [redirect({ port: '70000' }), /redirect port '70000' is not valid/],
      [redirect({ path: 'a' }), /redirect path 'a' is not valid/],
      [redirect({ host: 'a b' }), /redirect host/],
      [fixed({ statusCode: '302' }), /2XX, 4XX or 5XX/],
      [fixed({ contentType: 'image/png' }), /content type 'image\/png' must be one of/],
      [fixed({ body: 'x'.repeat(1025) }), /up to 1024 characters/],
    ];
    for (const [action, text, name] of cases)
      assert.throws(() => assertActions([action], app), refused(text, name), JSON.stringify(action));
    assert.throws(() => assertActions([redirect({ protocol: 'HTTP' })], { type: 'application', protocol: 'HTTPS' }), refused(/HTTPS can not/, 'InvalidLoadBalancerAction')); // prettier-ignore
    assert.throws(() => assertActions([fixed({})], { type: 'network', protocol: 'TCP' }), refused(/Network Load Balancer/, 'InvalidLoadBalancerAction')); // prettier-ignore
  });
});

describe('health checks', () => {
  const http = { protocol: 'HTTP', protocolVersion: 'HTTP1', targetType: 'ip' } as const;
  const tcp = { protocol: 'TCP', protocolVersion: null, targetType: 'ip' } as const;

  it('have AWS’s defaults for each protocol', () => {
    const check = resolveHealthCheck(http, {});
    assert.deepEqual(check, { enabled: true, protocol: 'HTTP', port: 'traffic-port', path: '/', intervalSeconds: 30, timeoutSeconds: 5, healthyThreshold: 5, unhealthyThreshold: 2, matcher: '200' }); // prettier-ignore
    const overTcp = resolveHealthCheck(tcp, { protocol: 'HTTP' });
    assert.deepEqual([overTcp.path, overTcp.timeoutSeconds, overTcp.matcher], ['/', 6, '200-399']);
    const grpc = resolveHealthCheck({ ...http, protocolVersion: 'GRPC' }, {});
    assert.deepEqual([grpc.path, grpc.matcher], ['/AWS.ALB/healthcheck', '12']);
  });

  it('lose and win path and codes with their protocol', () => {
    const plain = resolveHealthCheck(tcp, {});
    const asked = resolveHealthCheck(tcp, { protocol: 'HTTP', path: '/x' }, plain);
    assert.deepEqual([asked.path, asked.matcher], ['/x', '200-399']);
    assert.deepEqual(resolveHealthCheck(tcp, { protocol: 'TCP' }, asked).path, null);
    assert.throws(() => resolveHealthCheck(tcp, { path: '/x' }, plain), refused(/TCP health checks/, 'InvalidConfigurationRequest'));
  });

  it('hold their bounds whatever is said', () => {
    const wish = fc.record(
      {
        port: fc.constantFrom('traffic-port', '0', '80', '65536', 'x'),
        path: fc.constantFrom('/', 'x', '/a b', `/${'x'.repeat(2000)}`),
        intervalSeconds: fc.integer({ min: 0, max: 400 }),
        timeoutSeconds: fc.integer({ min: 0, max: 200 }),
        healthyThreshold: fc.integer({ min: 0, max: 12 }),
        unhealthyThreshold: fc.double({ min: 0, max: 12, noNaN: true }),
        matcher: fc.constantFrom('200', '200-299', '200,301', '199', '500', '299-200', '', ',', '200-', 'x'),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(wish, (said) => {
        try {
          const check = resolveHealthCheck(http, said);
          assert.ok(check.timeoutSeconds < check.intervalSeconds && check.intervalSeconds <= 300 && check.timeoutSeconds >= 2);
          assert.ok(Number.isInteger(check.unhealthyThreshold) && check.unhealthyThreshold >= 2 && check.unhealthyThreshold <= 10);
          assert.match(check.matcher ?? '', /^[234]\d\d(-[234]\d\d)?(,[234]\d\d(-[234]\d\d)?)*$/);
          assert.match(check.port, /^(traffic-port|80)$/);
        } catch (error) {
          assert.ok(isFault(error), String(error));
        }
      }),
    );
  });
});

describe('attributes', () => {
  const alb = { type: 'application', attributes: {} } as const;
  const group = { protocol: 'HTTP', targetType: 'ip', attributes: {} } as const;

  it('every default is a value that it takes', () => {
    for (const type of ['application', 'network'] as const) {
      const all = loadBalancerAttributes({ type, attributes: {} });
      assert.deepEqual(loadBalancerAttributes({ type, attributes: changeLoadBalancerAttributes({ type, attributes: {} }, all) }), all);
    }
    for (const protocol of ['HTTP', 'HTTPS', 'TCP', 'TLS'] as const) {
      const one = { ...group, protocol };
      const all = targetGroupAttributes(one);
      assert.deepEqual(targetGroupAttributes({ ...one, attributes: changeTargetGroupAttributes(one, all) }), all);
      const listener = { protocol, attributes: {} };
      const own = listenerAttributes(listener);
      assert.deepEqual(listenerAttributes({ protocol, attributes: changeListenerAttributes(listener, own) }), own);
    }
  });

  it('a key that isn’t there, or a value out of bounds, is refused', () => {
    assert.throws(() => changeLoadBalancerAttributes(alb, { 'dns_record.client_routing_policy': 'any_availability_zone' }), refused(/not recognized/)); // prettier-ignore
    assert.throws(
      () => changeLoadBalancerAttributes(alb, { 'load_balancing.cross_zone.enabled': 'false' }),
      refused(/must be one of true/),
    );
    assert.throws(() => changeTargetGroupAttributes(group, { 'slow_start.duration_seconds': '29' }), refused(/between 30 and 900 or 0/));
    assert.throws(() => changeTargetGroupAttributes(group, { 'stickiness.app_cookie.cookie_name': 'AWSALBX' }), refused(/cookie/));
    const slow = { 'slow_start.duration_seconds': '30', 'load_balancing.algorithm.type': 'least_outstanding_requests' };
    assert.throws(() => changeTargetGroupAttributes(group, slow), refused(/Slow start/, 'InvalidConfigurationRequest'));
  });
});

it('ARNs are read back, and nothing else is one', () => {
  const at = 'arn:aws:elasticloadbalancing:us-east-1:1:';
  const id = '0123456789abcdef';
  assert.equal(parseElbArn(`${at}loadbalancer/app/a/${id}`)?.kind, 'load-balancer');
  assert.equal(parseElbArn(`${at}targetgroup/a/${id}`)?.kind, 'target-group');
  assert.equal(parseElbArn(`${at}listener/net/a/${id}/${id}`)?.kind, 'listener');
  assert.equal(parseElbArn(`${at}listener-rule/app/a/${id}/${id}/${id}`)?.kind, 'rule');
  for (const text of ['', 'x', `${at}loadbalancer/gwy/a/${id}`, `${at}listener/app/a/${id}`, `${at}targetgroup/a/${id}/x`, `${at}loadbalancer/app/a/${id}/${id}/${id}/x`]) assert.equal(parseElbArn(text), undefined, text); // prettier-ignore
});

it('security policies have a default, and none is empty', () => {
  assert.ok(sslPolicyNamed('ELBSecurityPolicy-2016-08'));
  assert.deepEqual(sslPolicyNamed('ELBSecurityPolicy-TLS13-1-3-2021-06')?.protocols, ['TLSv1.3']);
  for (const { name, protocols, ciphers } of sslPolicies) assert.ok(protocols.length > 0 && ciphers.length > 0, name);
});
