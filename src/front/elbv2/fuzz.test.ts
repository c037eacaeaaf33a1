/** Bad input to every operation: one of AWS's errors, never one of our own, and nothing changed. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { formatIp, parseCidr } from '#domain/cidr.ts';
import type { ApiSpec, CallContext } from '#gateway/types.ts';
import { elbv2Errors } from './errors.ts';
import { createElbv2Api } from './index.ts';
import { scope, startElbv2, type Elbv2Bench } from './testing.ts';
import { isDoneOrRefused, oddNumbers, oddTexts, spoiledCalls } from '../../../test/fuzz/calls.ts';

let bench: Elbv2Bench;
let api: ApiSpec;
/** A good input of every operation. */
let good: Record<string, Record<string, unknown>>;

const context: CallContext = {
  ...scope,
  requestId: 'r',
  principal: { account: scope.account, arn: 'arn', userId: 'u', accessKeyId: 'k' },
  assertAllowed: async () => {},
  sourceIp: '127.0.0.1',
  userAgent: 'test',
};
const call = (name: string, input: unknown) => {
  const operation = api.operations.find((one) => one.name === name);
  assert.ok(operation, name);
  return operation.handle(input, context) as Promise<Record<string, { [key: string]: string }[]>>;
};

/** All that these operations may write. */
const everything = () =>
  bench.intent.store.read(async (tx) =>
    JSON.stringify([
      await tx.loadBalancers.list({}),
      await tx.listeners.list({}),
      await tx.listenerRules.list({}),
      await tx.targetGroups.list({}),
      await tx.targets.list({}),
    ]),
  );

before(async () => {
  bench = await startElbv2();
  api = createElbv2Api(bench.intent);
  const first = async (name: string, list: string, member: string, input: object) => (await call(name, input))[list]?.[0]?.[member] ?? '';
  const Subnets = bench.subnets.map((subnet) => subnet.key.id);
  const LoadBalancerArn = await first('CreateLoadBalancer', 'LoadBalancers', 'LoadBalancerArn', { Name: 'lb', Subnets });
  const group = { Name: 'g', Protocol: 'HTTP', Port: 80, VpcId: bench.vpcId, TargetType: 'ip' };
  const TargetGroupArn = await first('CreateTargetGroup', 'TargetGroups', 'TargetGroupArn', group);
  const forward = [{ Type: 'forward', Order: 1, ForwardConfig: { TargetGroups: [{ TargetGroupArn, Weight: 1 }], TargetGroupStickinessConfig: { Enabled: true, DurationSeconds: 9 } } }]; // prettier-ignore
  const redirect = [{ Type: 'redirect', RedirectConfig: { Protocol: 'HTTPS', Port: '443', Host: 'a.b', Path: '/x', Query: 'q', StatusCode: 'HTTP_301' } }]; // prettier-ignore
  const fixed = [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200', ContentType: 'text/plain', MessageBody: 'b' } }];
  const ListenerArn = await first('CreateListener', 'Listeners', 'ListenerArn', { LoadBalancerArn, Protocol: 'HTTP', Port: 80, DefaultActions: forward }); // prettier-ignore
  const Conditions = [
    { Field: 'host-header', Values: ['a.example.com'] },
    { Field: 'path-pattern', PathPatternConfig: { Values: ['/a'] } },
    { Field: 'http-header', HttpHeaderConfig: { HttpHeaderName: 'X', Values: ['a'] } },
    { Field: 'query-string', QueryStringConfig: { Values: [{ Key: 'a', Value: 'b' }] } },
    { Field: 'source-ip', SourceIpConfig: { Values: ['10.0.0.0/8'] } },
  ];
  const RuleArn = await first('CreateRule', 'Rules', 'RuleArn', { ListenerArn, Priority: 1, Conditions, Actions: redirect });
  const Targets = [{ Id: formatIp(parseCidr(bench.subnets[0]?.cidr ?? '').base + 9), Port: 80 }];
  const Attributes = (Key: string, Value: string) => [{ Key, Value }];
  const Tags = [{ Key: 'a', Value: 'b' }];
  good = {
    CreateLoadBalancer: {
      Name: 'lb2',
      Type: 'network',
      Scheme: 'internal',
      IpAddressType: 'ipv4',
      Subnets,
      SecurityGroups: [bench.groupId],
      Tags,
    },
    DescribeLoadBalancers: { Names: ['lb'], PageSize: 1 },
    DeleteLoadBalancer: { LoadBalancerArn },
    DescribeLoadBalancerAttributes: { LoadBalancerArn },
    ModifyLoadBalancerAttributes: { LoadBalancerArn, Attributes: Attributes('idle_timeout.timeout_seconds', '30') },
    SetSubnets: { LoadBalancerArn, Subnets },
    SetSecurityGroups: { LoadBalancerArn, SecurityGroups: [bench.groupId] },
    SetIpAddressType: { LoadBalancerArn, IpAddressType: 'ipv4' },
    DescribeCapacityReservation: { LoadBalancerArn },
    CreateTargetGroup: { ...group, Name: 'g2', ProtocolVersion: 'HTTP1', HealthCheckProtocol: 'HTTP', HealthCheckPort: '80', HealthCheckPath: '/', HealthCheckIntervalSeconds: 30, HealthCheckTimeoutSeconds: 5, HealthyThresholdCount: 2, UnhealthyThresholdCount: 2, Matcher: { HttpCode: '200' }, Tags }, // prettier-ignore
    DescribeTargetGroups: { TargetGroupArns: [TargetGroupArn] },
    ModifyTargetGroup: { TargetGroupArn, HealthCheckPath: '/b', HealthCheckIntervalSeconds: 30, Matcher: { HttpCode: '200-299' } },
    DeleteTargetGroup: { TargetGroupArn },
    DescribeTargetGroupAttributes: { TargetGroupArn },
    ModifyTargetGroupAttributes: { TargetGroupArn, Attributes: Attributes('stickiness.enabled', 'true') },
    RegisterTargets: { TargetGroupArn, Targets },
    DeregisterTargets: { TargetGroupArn, Targets },
    DescribeTargetHealth: { TargetGroupArn, Targets, Include: ['All'] },
    CreateListener: { LoadBalancerArn, Protocol: 'HTTP', Port: 81, DefaultActions: fixed, Tags },
    DescribeListeners: { LoadBalancerArn },
    ModifyListener: { ListenerArn, Port: 82, DefaultActions: forward, Protocol: 'HTTP' },
    DeleteListener: { ListenerArn },
    DescribeListenerAttributes: { ListenerArn },
    ModifyListenerAttributes: { ListenerArn, Attributes: Attributes('routing.http.response.server.enabled', 'false') },
    AddListenerCertificates: { ListenerArn, Certificates: [{ CertificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/x' }] },
    RemoveListenerCertificates: { ListenerArn, Certificates: [{ CertificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/x' }] },
    DescribeListenerCertificates: { ListenerArn },
    CreateRule: { ListenerArn, Priority: 2, Conditions, Actions: redirect, Tags },
    DescribeRules: { RuleArns: [RuleArn] },
    ModifyRule: { RuleArn, Conditions, Actions: fixed },
    SetRulePriorities: { RulePriorities: [{ RuleArn, Priority: 7 }] },
    DeleteRule: { RuleArn },
    AddTags: { ResourceArns: [LoadBalancerArn, TargetGroupArn], Tags },
    RemoveTags: { ResourceArns: [LoadBalancerArn], TagKeys: ['a'] },
    DescribeTags: { ResourceArns: [LoadBalancerArn] },
    DescribeAccountLimits: { PageSize: 3 },
    DescribeSSLPolicies: { Names: ['ELBSecurityPolicy-2016-08'] },
  };
});
after(() => bench?.close());

/** What the gateway may hand on for a member: texts, finite numbers, booleans, lists, structures, or nothing. */
const junk = fc.oneof(
  fc.constantFrom(...oddTexts, '1e9', '10.0.0.1/33', '::1', 'HTTPS', 'TCP', 'network', 'redirect', 'arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/g/0000000000000000'), // prettier-ignore
  fc.string({ maxLength: 40 }),
  fc.constantFrom(...oddNumbers, 50_001),
);

it('each operation is in the list of good inputs, and its good input is taken', async () => {
  assert.deepEqual(Object.keys(good).sort(), api.operations.map((one) => one.name).sort()); // prettier-ignore
  const refused = ['AddListenerCertificates', 'DeleteTargetGroup'];
  for (const name of Object.keys(good)) {
    // What deletes would take the others' ground away.
    if (/^(Delete|Deregister)/.test(name)) continue;
    const outcome = await call(name, good[name]).then(() => 'taken', (error: unknown) => String(error)); // prettier-ignore
    if (!refused.includes(name)) assert.equal(outcome, 'taken', name);
  }
});

it('whatever stands in place of one value', async () => {
  const names = Object.keys(good).filter((name) => !name.startsWith('Delete'));
  const target = { call, written: everything, errors: elbv2Errors };
  await fc.assert(
    fc.asyncProperty(spoiledCalls(good, names, junk, 30), async (spoiled) => void (await isDoneOrRefused(spoiled, target))),
    { numRuns: 1500 },
  );
});

it('ARNs of elsewhere are not found, and what is no ARN is not valid', async () => {
  const member = {
    LoadBalancerArn: /loadbalancer\//,
    TargetGroupArn: /targetgroup\//,
    ListenerArn: /listener\//,
    RuleArn: /listener-rule\//,
  };
  for (const [name, input] of Object.entries(good)) {
    for (const key of Object.keys(member)) {
      const arn = input[key];
      if (typeof arn !== 'string') continue;
      const before = await everything();
      for (const other of [arn.replace('us-east-1', 'eu-west-1'), arn.replace('123456789012', '210987654321'), 'x', '']) {
        await call(name, { ...input, [key]: other }).catch((error: unknown) => {
          assert.ok(isFault(error), String(error));
          assert.match(
            String((error.details as { errorName?: string }).errorName),
            other.startsWith('arn') ? /NotFound$/ : /^ValidationError$/,
          );
        });
        assert.equal(await everything(), before, name);
      }
    }
  }
});
