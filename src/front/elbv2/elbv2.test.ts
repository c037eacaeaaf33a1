/** Elastic Load Balancing through the real client, gateway and store: what is made is described back as AWS does. */
import {
  paginateDescribeLoadBalancers,
  paginateDescribeRules,
  waitUntilLoadBalancerAvailable,
  waitUntilLoadBalancerExists,
  waitUntilLoadBalancersDeleted,
  waitUntilTargetDeregistered,
  waitUntilTargetInService,
  type Action,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { TargetRecord } from '#domain/load-balancer.ts';
import { callsOf, named, scope, startElbv2, type Elbv2Bench } from './testing.ts';

let bench: Elbv2Bench;
let count = 0;
let name = '';

before(async () => {
  bench = await startElbv2();
});
after(() => bench?.close());
beforeEach(() => {
  name = `t${++count}`;
});

const { subnetIds, addressIn, balancer, group, forward, listener, health } = callsOf(
  () => bench,
  () => name,
);

describe('load balancers', () => {
  it('are described as AWS does', async () => {
    const lb = await balancer();
    assert.match(
      lb.LoadBalancerArn,
      new RegExp(`^arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/${name}/[0-9a-f]{16}$`),
    );
    assert.match(lb.DNSName ?? '', new RegExp(`^${name}-[0-9a-f]{16}\\.us-east-1\\.elb\\.berth\\.internal$`));
    assert.deepEqual(
      [lb.Scheme, lb.Type, lb.IpAddressType, lb.State, lb.VpcId, lb.SecurityGroups],
      ['internet-facing', 'application', 'ipv4', { Code: 'provisioning' }, bench.vpcId, [bench.groupId]],
    );
    assert.deepEqual(lb.AvailabilityZones?.map((zone) => zone.ZoneName), ['us-east-1a', 'us-east-1b', 'us-east-1c']); // prettier-ignore
    const byName = await bench.elb.describeLoadBalancers({ Names: [name] });
    assert.deepEqual(byName.LoadBalancers, [lb]);
    assert.deepEqual((await bench.elb.describeLoadBalancers({ LoadBalancerArns: [lb.LoadBalancerArn] })).LoadBalancers, [lb]);
    assert.deepEqual(await balancer(), lb);
    await assert.rejects(bench.elb.createLoadBalancer({ Name: name, Subnets: subnetIds().slice(0, 2) }), named('DuplicateLoadBalancerNameException', /different settings/)); // prettier-ignore
  });

  it('want two zones, one subnet in each, and say what is wrong in AWS’s words', async () => {
    const [first = '', second = ''] = subnetIds();
    const create = (change: object) => bench.elb.createLoadBalancer({ Name: name, Subnets: [first, second], ...change });
    await assert.rejects(create({ Subnets: [first] }), named('ValidationError', /^At least two subnets in two different Availability Zones must be specified$/)); // prettier-ignore
    await assert.rejects(create({ Subnets: [first, first] }), named('InvalidConfigurationRequestException', /multiple subnets in the same Availability Zone/)); // prettier-ignore
    await assert.rejects(create({ Subnets: ['subnet-1', second] }), named('SubnetNotFoundException', /^The subnet ID 'subnet-1' does not exist$/)); // prettier-ignore
    await assert.rejects(create({ SecurityGroups: ['sg-1'] }), named('InvalidSecurityGroupException'));
    await assert.rejects(create({ Type: 'gateway' }), named('UnsupportedOperation', /Gateway Load Balancers/));
    await assert.rejects(create({ IpAddressType: 'dualstack' }), named('UnsupportedOperation', /dualstack/));
    await assert.rejects(create({ Type: 'x' }), named('ValidationError', /enum value set: \[application, network, gateway\]/));
    for (const Name of ['', '-a', 'a-', 'a_b', 'x'.repeat(33), 'internal-x']) await assert.rejects(create({ Name }), named('ValidationError', /load balancer name/)); // prettier-ignore
    await assert.rejects(bench.elb.describeLoadBalancers({ Names: [name] }), named('LoadBalancerNotFoundException', new RegExp(`^Load balancers '\\[${name}\\]' not found$`))); // prettier-ignore
  });

  it('stand in one VPC, which leads to the internet if they do', async () => {
    await bench.intent.store.write(async (tx) => {
      await tx.vpcs.put({ key: { ...scope, id: 'vpc-2' }, cidr: '10.77.0.0/16', isDefault: false, tags: [] }, 0);
      const common = { vpcId: 'vpc-2', isDefault: false, tags: [], zoneId: 'use1-az1' };
      await tx.subnets.put({ key: { ...scope, id: 'subnet-2a' }, cidr: '10.77.0.0/24', zone: 'us-east-1a', ...common }, 0);
      await tx.subnets.put({ key: { ...scope, id: 'subnet-2b' }, cidr: '10.77.1.0/24', zone: 'us-east-1b', ...common }, 0);
    });
    const Subnets = ['subnet-2a', 'subnet-2b'];
    await assert.rejects(bench.elb.createLoadBalancer({ Name: name, Subnets }), named('InvalidSubnetException', /^VPC vpc-2 has no internet gateway$/)); // prettier-ignore
    const mixed = [subnetIds()[0] ?? '', 'subnet-2b'];
    await assert.rejects(
      bench.elb.createLoadBalancer({ Name: name, Subnets: mixed }),
      named('InvalidConfigurationRequestException', /same VPC/),
    );
    const { LoadBalancers } = await bench.elb.createLoadBalancer({ Name: name, Subnets, Scheme: 'internal' });
    const [lb] = LoadBalancers ?? [];
    assert.match(lb?.DNSName ?? '', /^internal-/);
    await assert.rejects(bench.elb.setSubnets({ LoadBalancerArn: lb?.LoadBalancerArn, Subnets: subnetIds() }), named('InvalidConfigurationRequestException', /do not belong to the VPC 'vpc-2'/)); // prettier-ignore
    const { TargetGroupArn } = await group();
    await assert.rejects(listener(lb?.LoadBalancerArn ?? '', forward(TargetGroupArn)), named('InvalidConfigurationRequestException', /different VPC/)); // prettier-ignore
  });

  it('have all of AWS’s attributes, and deletion protection holds', async () => {
    const { LoadBalancerArn } = await balancer();
    const { Attributes = [] } = await bench.elb.describeLoadBalancerAttributes({ LoadBalancerArn });
    const all = Object.fromEntries(Attributes.map(({ Key = '', Value }) => [Key, Value]));
    assert.deepEqual(
      [all['idle_timeout.timeout_seconds'], all['routing.http2.enabled'], all['access_logs.s3.bucket'], all['deletion_protection.enabled']],
      ['60', 'true', '', 'false'],
    );
    const set = (Key: string, Value: string) => bench.elb.modifyLoadBalancerAttributes({ LoadBalancerArn, Attributes: [{ Key, Value }] });
    await assert.rejects(set('idle_timeout.timeout_seconds', '4001'), named('ValidationError', /between 1 and 4000/));
    await assert.rejects(set('toString', '1'), named('ValidationError', /not recognized/));
    await assert.rejects(set('access_logs.s3.enabled', 'true'), named('InvalidConfigurationRequestException', /bucket/));
    await set('deletion_protection.enabled', 'true');
    await assert.rejects(bench.elb.deleteLoadBalancer({ LoadBalancerArn }), named('OperationNotPermittedException', /deletion protection is enabled$/)); // prettier-ignore
    await set('deletion_protection.enabled', 'false');
    await bench.elb.deleteLoadBalancer({ LoadBalancerArn });
    await bench.elb.deleteLoadBalancer({ LoadBalancerArn });
    await assert.rejects(bench.elb.describeLoadBalancers({ LoadBalancerArns: [LoadBalancerArn] }), named('LoadBalancerNotFoundException'));
  });

  it('take their listeners and rules along, and their groups are free', async () => {
    const { LoadBalancerArn } = await balancer();
    const { TargetGroupArn } = await group();
    const { ListenerArn } = await listener(LoadBalancerArn, forward(TargetGroupArn));
    await bench.elb.createRule({ ListenerArn, Priority: 1, Conditions: [{ Field: 'path-pattern', Values: ['/a'] }], Actions: forward(TargetGroupArn) }); // prettier-ignore
    await assert.rejects(bench.elb.deleteTargetGroup({ TargetGroupArn }), named('ResourceInUseException', /is currently in use by a listener or a rule$/)); // prettier-ignore
    const [used] = (await bench.elb.describeTargetGroups({ LoadBalancerArn })).TargetGroups ?? [];
    assert.deepEqual(used?.LoadBalancerArns, [LoadBalancerArn]);
    await bench.elb.deleteLoadBalancer({ LoadBalancerArn });
    await assert.rejects(bench.elb.describeListeners({ ListenerArns: [ListenerArn] }), named('ListenerNotFoundException'));
    assert.equal((await bench.intent.store.read((tx) => tx.listenerRules.list({ ...scope, loadBalancer: name }))).length, 0);
    await bench.elb.deleteTargetGroup({ TargetGroupArn });
  });

  it('change subnets and security groups', async () => {
    const { LoadBalancerArn } = await balancer();
    const two = subnetIds().slice(1);
    const answer = await bench.elb.setSubnets({ LoadBalancerArn, Subnets: two });
    assert.deepEqual(answer.AvailabilityZones?.map((zone) => zone.SubnetId), two); // prettier-ignore
    await assert.rejects(bench.elb.setSubnets({ LoadBalancerArn, Subnets: two.slice(1) }), named('ValidationError', /two subnets/));
    const { SecurityGroupIds } = await bench.elb.setSecurityGroups({ LoadBalancerArn, SecurityGroups: [bench.groupId] });
    assert.deepEqual(SecurityGroupIds, [bench.groupId]);
    await assert.rejects(
      bench.elb.setSecurityGroups({ LoadBalancerArn, SecurityGroups: ['sg-x'] }),
      named('InvalidSecurityGroupException'),
    );
    assert.equal((await bench.elb.setIpAddressType({ LoadBalancerArn, IpAddressType: 'ipv4' })).IpAddressType, 'ipv4');
  });

  it('come in pages', async () => {
    for (const n of [1, 2, 3]) await balancer('network', `page-${n}`);
    const seen: string[] = [];
    for await (const page of paginateDescribeLoadBalancers({ client: bench.elb }, { PageSize: 1 })) {
      assert.ok((page.LoadBalancers ?? []).length <= 1);
      seen.push(...(page.LoadBalancers ?? []).map((lb) => lb.LoadBalancerName ?? ''));
    }
    assert.deepEqual(seen.filter((one) => one.startsWith('page-')), ['page-1', 'page-2', 'page-3']); // prettier-ignore
    assert.equal(new Set(seen).size, seen.length);
    await assert.rejects(bench.elb.describeLoadBalancers({ PageSize: 401 }), named('ValidationError', /between 1 and 400/));
    await assert.rejects(bench.elb.describeLoadBalancers({ Marker: 'x' }), named('ValidationError', /marker/));
  });
});

describe('target groups', () => {
  it('have AWS’s defaults for HTTP and TCP', async () => {
    const http = await group('HTTP', `${name}-h`);
    const tcp = await group('TCP', `${name}-t`);
    const short = (g: typeof http) => [g.HealthCheckProtocol, g.HealthCheckPort, g.HealthCheckPath, g.HealthCheckIntervalSeconds, g.HealthCheckTimeoutSeconds, g.HealthyThresholdCount, g.UnhealthyThresholdCount, g.Matcher, g.ProtocolVersion]; // prettier-ignore
    assert.deepEqual(short(http), ['HTTP', 'traffic-port', '/', 30, 5, 5, 2, { HttpCode: '200' }, 'HTTP1']);
    assert.deepEqual(short(tcp), ['TCP', 'traffic-port', undefined, 30, 10, 5, 2, undefined, undefined]);
    assert.deepEqual(await group('HTTP', `${name}-h`), http);
    const { TargetGroups } = await bench.elb.describeTargetGroups({ Names: [`${name}-h`] });
    assert.deepEqual(TargetGroups, [http]);
  });

  it('refuse what they can’t be', async () => {
    const create = (change: object) =>
      bench.elb.createTargetGroup({ Name: name, Protocol: 'HTTP', Port: 80, VpcId: bench.vpcId, TargetType: 'ip', ...change });
    await create({});
    await assert.rejects(create({ Port: 81 }), named('DuplicateTargetGroupNameException', /different settings/));
    const fresh = (change: object) => create({ Name: `${name}-x`, ...change });
    await assert.rejects(fresh({ VpcId: 'vpc-1' }), named('ValidationError', /^The VPC ID 'vpc-1' is not found$/));
    await assert.rejects(fresh({ VpcId: undefined }), named('ValidationError', /VPC ID must be specified/));
    for (const Protocol of ['UDP', 'TCP_UDP', 'GENEVE', 'QUIC']) await assert.rejects(fresh({ Protocol }), named('UnsupportedOperation', new RegExp(`protocol ${Protocol}`))); // prettier-ignore
    for (const TargetType of ['lambda', 'alb']) await assert.rejects(fresh({ TargetType }), named('UnsupportedOperation', new RegExp(TargetType))); // prettier-ignore
    await assert.rejects(fresh({ HealthCheckTimeoutSeconds: 30 }), named('ValidationError', /greater than the timeout/));
    await assert.rejects(fresh({ HealthCheckIntervalSeconds: 4 }), named('ValidationError', /between 5 and 300/));
    await assert.rejects(fresh({ HealthCheckProtocol: 'TCP' }), named('ValidationError', /'TCP' is not supported/));
    await assert.rejects(fresh({ Matcher: { HttpCode: '500' } }), named('ValidationError', /matcher/));
    await assert.rejects(fresh({ HealthCheckPath: 'x' }), named('ValidationError', /begin with '\/'/));
    await assert.rejects(fresh({ HealthCheckEnabled: false }), named('ValidationError', /must be true/));
    await assert.rejects(bench.elb.describeTargetGroups({ Names: [`${name}-x`] }), named('TargetGroupNotFoundException'));
  });

  it('change their health check and attributes', async () => {
    const { TargetGroupArn } = await group();
    const { TargetGroups } = await bench.elb.modifyTargetGroup({ TargetGroupArn, HealthCheckPath: '/ok', Matcher: { HttpCode: '200-299,301' } }); // prettier-ignore
    assert.deepEqual([TargetGroups?.[0]?.HealthCheckPath, TargetGroups?.[0]?.Matcher], ['/ok', { HttpCode: '200-299,301' }]);
    const set = (...Attributes: { Key: string; Value: string }[]) => bench.elb.modifyTargetGroupAttributes({ TargetGroupArn, Attributes });
    await set({ Key: 'deregistration_delay.timeout_seconds', Value: '0' });
    await assert.rejects(set({ Key: 'stickiness.enabled', Value: 'true' }, { Key: 'stickiness.type', Value: 'app_cookie' }), named('ValidationError', /cookie name/)); // prettier-ignore
    await assert.rejects(set({ Key: 'proxy_protocol_v2.enabled', Value: 'true' }), named('ValidationError'));
    const { Attributes = [] } = await bench.elb.describeTargetGroupAttributes({ TargetGroupArn });
    const all = Object.fromEntries(Attributes.map(({ Key = '', Value }) => [Key, Value]));
    assert.equal(all['deregistration_delay.timeout_seconds'], '0');
    assert.equal(all['stickiness.enabled'], 'false');
    assert.equal(all['load_balancing.algorithm.type'], 'round_robin');
  });
});

describe('targets', () => {
  it('are told truly: unused, initial, what the balancer saw, draining, not registered', async () => {
    const { TargetGroupArn } = await group();
    const [a, b] = [addressIn(0, 9), addressIn(1, 9)];
    await bench.elb.registerTargets({ TargetGroupArn, Targets: [{ Id: a }, { Id: b, Port: 8080 }] });
    assert.deepEqual(await health(TargetGroupArn), [
      { Id: a, Port: 80, AvailabilityZone: 'us-east-1a', state: 'unused', reason: 'Target.NotInUse' },
      { Id: b, Port: 8080, AvailabilityZone: 'us-east-1b', state: 'unused', reason: 'Target.NotInUse' },
    ]);
    const { LoadBalancerArn } = await balancer();
    await listener(LoadBalancerArn, forward(TargetGroupArn));
    assert.deepEqual((await health(TargetGroupArn)).map((one) => [one.state, one.reason]), [['initial', 'Elb.RegistrationInProgress'], ['initial', 'Elb.RegistrationInProgress']]); // prettier-ignore
    // As the balancer would write it.
    const see = (target: string, said: Pick<TargetRecord['observed'], 'state' | 'reason' | 'description'>) =>
      bench.intent.store.write(async (tx) => {
        for (const row of await tx.targets.list(scope)) {
          if (row.key.target === target) await tx.targets.setObserved(row.key, { ...row.observed, ...said }, row.revision);
        }
      });
    await see(a, { state: 'healthy', reason: null, description: null });
    await see(b, { state: 'unhealthy', reason: 'Target.ResponseCodeMismatch', description: null });
    assert.deepEqual((await health(TargetGroupArn)).map((one) => [one.state, one.reason]), [['healthy', undefined], ['unhealthy', 'Target.ResponseCodeMismatch']]); // prettier-ignore
    await bench.elb.deregisterTargets({ TargetGroupArn, Targets: [{ Id: a }, { Id: addressIn(2, 9) }] });
    assert.deepEqual((await health(TargetGroupArn, [{ Id: a }, { Id: addressIn(2, 9) }])).map((one) => [one.state, one.reason]), [['draining', 'Target.DeregistrationInProgress'], ['unused', 'Target.NotRegistered']]); // prettier-ignore
    await see(a, { state: 'draining', reason: 'Target.DeregistrationInProgress', description: null });
    await bench.elb.registerTargets({ TargetGroupArn, Targets: [{ Id: a }] });
    assert.deepEqual((await health(TargetGroupArn, [{ Id: a }]))[0]?.state, 'initial');
  });

  it('are addresses of the VPC; all of a call or none', async () => {
    const { TargetGroupArn } = await group();
    const register = (...Targets: { Id: string; Port?: number }[]) => bench.elb.registerTargets({ TargetGroupArn, Targets });
    await assert.rejects(register({ Id: addressIn(0, 9) }, { Id: '8.8.8.8' }), named('InvalidTargetException', /not within the VPC/));
    await assert.rejects(register({ Id: addressIn(0, 9) }, { Id: 'i-12345678' }), named('ValidationError', /not a valid IPv4 address/));
    await assert.rejects(register({ Id: addressIn(0, 9), Port: 65_536 }), named('ValidationError', /between 1 and 65535/));
    assert.deepEqual(await health(TargetGroupArn), []);
    const { TargetGroups } = await bench.elb.createTargetGroup({ Name: `${name}-i`, Protocol: 'HTTP', Port: 80, VpcId: bench.vpcId });
    assert.equal(TargetGroups?.[0]?.TargetType, 'instance');
    await assert.rejects(bench.elb.registerTargets({ TargetGroupArn: TargetGroups?.[0]?.TargetGroupArn, Targets: [{ Id: 'i-12345678' }] }), named('InvalidTargetException')); // prettier-ignore
  });
});

describe('listeners', () => {
  it('show their actions in both forms', async () => {
    const { LoadBalancerArn } = await balancer();
    const { TargetGroupArn } = await group();
    const made = await listener(LoadBalancerArn, forward(TargetGroupArn));
    assert.deepEqual(made.DefaultActions, [
      {
        Type: 'forward',
        TargetGroupArn,
        ForwardConfig: { TargetGroups: [{ TargetGroupArn, Weight: 1 }], TargetGroupStickinessConfig: { Enabled: false } },
      },
    ]);
    assert.deepEqual((await bench.elb.describeListeners({ LoadBalancerArn })).Listeners, [made]);
    assert.deepEqual(await listener(LoadBalancerArn, forward(TargetGroupArn)), made);
    const other: Action[] = [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '404' } }];
    await assert.rejects(listener(LoadBalancerArn, other), named('DuplicateListenerException', /^A listener already exists on this port/));
    await bench.elb.modifyListener({ ListenerArn: made.ListenerArn, DefaultActions: other, Port: 81 });
    const [changed] = (await bench.elb.describeListeners({ ListenerArns: [made.ListenerArn] })).Listeners ?? [];
    assert.deepEqual([changed?.Port, changed?.DefaultActions], [81, other]);
    assert.deepEqual(await health(TargetGroupArn), []);
  });

  it('refuse what does not fit their load balancer', async () => {
    const { LoadBalancerArn } = await balancer();
    const { TargetGroupArn } = await group('TCP');
    const create = (change: object) => bench.elb.createListener({ LoadBalancerArn, Protocol: 'HTTP', Port: 80, DefaultActions: forward(TargetGroupArn), ...change }); // prettier-ignore
    const fixed: Action[] = [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200' } }];
    await assert.rejects(create({}), named('IncompatibleProtocolsException'));
    await assert.rejects(create({ Protocol: 'TCP' }), named('ValidationError', /^Listener protocol 'TCP' must be one of 'HTTP, HTTPS'$/));
    await assert.rejects(create({ Protocol: 'UDP' }), named('UnsupportedOperation', /UDP/));
    await assert.rejects(create({ Port: 0, DefaultActions: fixed }), named('ValidationError', /between 1 and 65535/));
    await assert.rejects(create({ Protocol: 'HTTPS', DefaultActions: fixed }), named('ValidationError', /^A certificate must be specified for HTTPS listeners$/)); // prettier-ignore
    const CertificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/x';
    await assert.rejects(create({ Protocol: 'HTTPS', DefaultActions: fixed, Certificates: [{ CertificateArn }] }), named('CertificateNotFoundException')); // prettier-ignore
    await assert.rejects(create({ DefaultActions: [{ Type: 'authenticate-oidc' }, ...fixed] }), named('UnsupportedOperation', /authenticate-oidc/)); // prettier-ignore
    await assert.rejects(create({ DefaultActions: [{ Type: 'redirect', RedirectConfig: { StatusCode: 'HTTP_301' } }] }), named('InvalidLoadBalancerActionException', /creates a loop/)); // prettier-ignore
    await assert.rejects(create({ DefaultActions: forward(`${TargetGroupArn.slice(0, -16)}${'0'.repeat(16)}`) }), named('TargetGroupNotFoundException')); // prettier-ignore
    assert.deepEqual((await bench.elb.describeListeners({ LoadBalancerArn })).Listeners, []);
  });

  it('with HTTPS have the certificate that is there, others beside it, and a policy', async () => {
    const ids = ['one', 'two', 'pending'];
    await bench.intent.store.write(async (tx) => {
      for (const id of ids) {
        await tx.certificates.insert(
          { ...scope, id },
          { type: 'IMPORTED', domain: `${id}.test`, names: [], createdAt: 0, importedAt: 0, certificate: null, chain: null, notBefore: null, notAfter: null, issuer: null, keyAlgorithm: 'RSA_2048', validationMethod: null, options: {}, renewAskedAt: null, tags: [] }, // prettier-ignore
          { status: id === 'pending' ? 'PENDING_VALIDATION' : 'ISSUED', reason: null, renewedAt: null, issued: null, bundle: null },
        );
      }
    });
    const [one, two, pending] = ids.map((id) => `arn:aws:acm:us-east-1:123456789012:certificate/${id}`) as [string, string, string];
    const { LoadBalancerArn } = await balancer();
    const DefaultActions: Action[] = [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200' } }];
    const create = (CertificateArn: string, change: object = {}) => bench.elb.createListener({ LoadBalancerArn, Protocol: 'HTTPS', Port: 443, Certificates: [{ CertificateArn }], DefaultActions, ...change }); // prettier-ignore
    await assert.rejects(create(pending), named('UnsupportedCertificate'));
    await assert.rejects(create(one, { SslPolicy: 'x' }), named('SSLPolicyNotFoundException'));
    const [made] = (await create(one)).Listeners ?? [];
    assert.deepEqual([made?.SslPolicy, made?.Certificates], ['ELBSecurityPolicy-2016-08', [{ CertificateArn: one }]]);
    const { ListenerArn } = made ?? {};
    await bench.elb.addListenerCertificates({ ListenerArn, Certificates: [{ CertificateArn: two }] });
    const list = async () => (await bench.elb.describeListenerCertificates({ ListenerArn })).Certificates;
    assert.deepEqual(await list(), [{ CertificateArn: one, IsDefault: true }, { CertificateArn: two, IsDefault: false }]); // prettier-ignore
    await assert.rejects(bench.elb.removeListenerCertificates({ ListenerArn, Certificates: [{ CertificateArn: one }] }), named('OperationNotPermittedException')); // prettier-ignore
    await bench.elb.removeListenerCertificates({ ListenerArn, Certificates: [{ CertificateArn: two }] });
    await bench.elb.modifyListener({ ListenerArn, Certificates: [{ CertificateArn: two }] });
    assert.deepEqual(await list(), [{ CertificateArn: two, IsDefault: true }]);
    const policies = (await bench.elb.describeSSLPolicies({ Names: ['ELBSecurityPolicy-TLS13-1-2-2021-06'] })).SslPolicies;
    assert.deepEqual(policies?.[0]?.SslProtocols, ['TLSv1.2', 'TLSv1.3']);
  });

  it('of a Network Load Balancer forward TCP and have no rules', async () => {
    const { LoadBalancerArn, SecurityGroups } = await balancer('network');
    assert.equal(SecurityGroups, undefined);
    const { TargetGroupArn } = await group('TCP');
    const { ListenerArn } = await listener(LoadBalancerArn, forward(TargetGroupArn), 'TCP');
    await assert.rejects(
      bench.elb.createRule({
        ListenerArn,
        Priority: 1,
        Conditions: [{ Field: 'path-pattern', Values: ['/'] }],
        Actions: forward(TargetGroupArn),
      }),
      named('InvalidConfigurationRequestException', /^Rules are unsupported for Network Load Balancer listeners$/),
    );
    assert.deepEqual((await bench.elb.describeListenerAttributes({ ListenerArn })).Attributes, [{ Key: 'tcp.idle_timeout.seconds', Value: '350' }]); // prettier-ignore
    const other = await balancer('network', `${name}-b`);
    await assert.rejects(listener(other.LoadBalancerArn, forward(TargetGroupArn), 'TCP'), named('TargetGroupAssociationLimitException', /more than one load balancer/)); // prettier-ignore
  });
});

describe('rules', () => {
  it('show their conditions in both forms, by priority, the default one last', async () => {
    const { LoadBalancerArn } = await balancer();
    const { ListenerArn } = await listener(LoadBalancerArn, [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '404' } }]);
    const Actions: Action[] = [{ Type: 'redirect', RedirectConfig: { Protocol: 'HTTPS', Port: '443', StatusCode: 'HTTP_302' } }];
    const Conditions = [
      { Field: 'host-header', HostHeaderConfig: { Values: ['*.example.com'] } },
      { Field: 'path-pattern', Values: ['/a/*'] },
      { Field: 'http-header', HttpHeaderConfig: { HttpHeaderName: 'X-A', Values: ['b'] } },
      { Field: 'query-string', QueryStringConfig: { Values: [{ Key: 'k', Value: 'v' }] } },
      { Field: 'source-ip', SourceIpConfig: { Values: ['10.0.0.0/8'] } },
    ];
    const create = (Priority: number) => bench.elb.createRule({ ListenerArn, Priority, Conditions, Actions });
    await create(20);
    const [made] = (await create(3)).Rules ?? [];
    assert.deepEqual(made?.Conditions?.slice(0, 2), [
      { Field: 'host-header', Values: ['*.example.com'], HostHeaderConfig: { Values: ['*.example.com'] } },
      { Field: 'path-pattern', Values: ['/a/*'], PathPatternConfig: { Values: ['/a/*'] } },
    ]);
    assert.deepEqual(made?.Conditions?.slice(2), Conditions.slice(2));
    assert.deepEqual(made?.Actions, [{ Type: 'redirect', RedirectConfig: { Protocol: 'HTTPS', Port: '443', Host: '#{host}', Path: '/#{path}', Query: '#{query}', StatusCode: 'HTTP_302' } }]); // prettier-ignore
    await assert.rejects(create(3), named('PriorityInUseException', /^Priority '3' is currently in use$/));
    await assert.rejects(create(50_001), named('ValidationError', /between 1 and 50000/));
    const seen: (string | undefined)[] = [];
    for await (const page of paginateDescribeRules({ client: bench.elb }, { ListenerArn, PageSize: 2 })) seen.push(...(page.Rules ?? []).map((rule) => rule.Priority)); // prettier-ignore
    assert.deepEqual(seen, ['3', '20', 'default']);
  });

  it('change places all at once; the default one stays', async () => {
    const { LoadBalancerArn } = await balancer();
    const Actions: Action[] = [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200' } }];
    const { ListenerArn } = await listener(LoadBalancerArn, Actions);
    const arns: string[] = [];
    for (const Priority of [1, 2]) {
      const { Rules } = await bench.elb.createRule({ ListenerArn, Priority, Actions, Conditions: [{ Field: 'path-pattern', Values: [`/${Priority}`] }] }); // prettier-ignore
      arns.push(Rules?.[0]?.RuleArn ?? '');
    }
    const [a = '', b = ''] = arns;
    await assert.rejects(bench.elb.setRulePriorities({ RulePriorities: [{ RuleArn: a, Priority: 2 }] }), named('PriorityInUseException'));
    await bench.elb.setRulePriorities({ RulePriorities: [{ RuleArn: a, Priority: 2 }, { RuleArn: b, Priority: 1 }] }); // prettier-ignore
    const rules = (await bench.elb.describeRules({ ListenerArn })).Rules ?? [];
    assert.deepEqual(rules.slice(0, 2).map((rule) => rule.RuleArn), [b, a]); // prettier-ignore
    const last = rules.at(-1)?.RuleArn ?? '';
    await assert.rejects(bench.elb.deleteRule({ RuleArn: last }), named('OperationNotPermittedException', /Default rule/));
    await assert.rejects(bench.elb.modifyRule({ RuleArn: last, Actions }), named('OperationNotPermittedException', /Default rule/));
    await bench.elb.modifyRule({
      RuleArn: a,
      Conditions: [{ Field: 'http-request-method', HttpRequestMethodConfig: { Values: ['GET'] } }],
    });
    await bench.elb.deleteRule({ RuleArn: b });
    await assert.rejects(bench.elb.describeRules({ RuleArns: [b] }), named('RuleNotFoundException'));
    assert.equal((await bench.elb.describeRules({ RuleArns: [a] })).Rules?.[0]?.Conditions?.[0]?.Field, 'http-request-method');
  });

  it('show the weights that a deployment gave, until a caller changes them', async () => {
    const { LoadBalancerArn } = await balancer();
    const [a, b] = [await group('HTTP', `${name}-a`), await group('HTTP', `${name}-b`)];
    const TargetGroups = [a, b].map(({ TargetGroupArn }, index) => ({ TargetGroupArn, Weight: index === 0 ? 100 : 0 }));
    const Actions: Action[] = [{ Type: 'forward', ForwardConfig: { TargetGroups } }];
    const { ListenerArn } = await listener(LoadBalancerArn, Actions);
    const weights = async () =>
      (await bench.elb.describeListeners({ ListenerArns: [ListenerArn] })).Listeners?.[0]?.DefaultActions?.[0]?.ForwardConfig?.TargetGroups?.map((one) => one.Weight); // prettier-ignore
    assert.deepEqual(await weights(), [100, 0]);
    await bench.intent.store.write(async (tx) => {
      const [row] = await tx.listeners.list({ ...scope, loadBalancer: name });
      assert.ok(row);
      const shift = { weights: { [a.TargetGroupArn]: 10, [b.TargetGroupArn]: 90 }, at: bench.intent.clock.now() };
      await tx.listeners.setObserved(row.key, { shift }, row.revision);
    });
    assert.deepEqual(await weights(), [10, 90]);
    await new Promise((resolve) => setTimeout(resolve, 2));
    await bench.elb.modifyListener({ ListenerArn, DefaultActions: Actions });
    assert.deepEqual(await weights(), [100, 0]);
  });
});

it('a listener takes 100 rules and a group 1,000 targets, and not one more', async () => {
  const { LoadBalancerArn } = await balancer();
  const { TargetGroupArn } = await group();
  const { ListenerArn } = await listener(LoadBalancerArn, forward(TargetGroupArn));
  const rule = (Priority: number) =>
    bench.elb.createRule({ ListenerArn, Priority, Actions: forward(TargetGroupArn), Conditions: [{ Field: 'path-pattern', Values: [`/${Priority}`] }] }); // prettier-ignore
  for (let n = 1; n <= 100; n++) await rule(n);
  await assert.rejects(rule(101), named('TooManyRulesException', /limit of 100 rules/));
  const targets = (from: number, count: number) => Array.from({ length: count }, (_, n) => ({ Id: addressIn(0, 10 + from + n) }));
  await bench.elb.registerTargets({ TargetGroupArn, Targets: targets(0, 1000) });
  await assert.rejects(bench.elb.registerTargets({ TargetGroupArn, Targets: targets(1000, 1) }), named('TooManyTargetsException', /limit of 1000 targets/)); // prettier-ignore
  assert.equal((await health(TargetGroupArn)).length, 1000);
  assert.equal((await bench.elb.describeRules({ ListenerArn })).Rules?.length, 101);
});

describe('tags', () => {
  it('are set, added, taken away and described on each kind', async () => {
    const { LoadBalancerArn } = await balancer();
    const { TargetGroupArn } = await group();
    const { ListenerArn } = await listener(LoadBalancerArn, forward(TargetGroupArn));
    const { Rules } = await bench.elb.createRule({ ListenerArn, Priority: 1, Tags: [{ Key: 'own', Value: '1' }], Conditions: [{ Field: 'path-pattern', Values: ['/'] }], Actions: forward(TargetGroupArn) }); // prettier-ignore
    const ResourceArns = [LoadBalancerArn, TargetGroupArn, ListenerArn, Rules?.[0]?.RuleArn ?? ''];
    await bench.elb.addTags({ ResourceArns, Tags: [{ Key: 'a', Value: 'b' }, { Key: 'c' }] }); // prettier-ignore
    await bench.elb.removeTags({ ResourceArns, TagKeys: ['c'] });
    const described = (await bench.elb.describeTags({ ResourceArns })).TagDescriptions ?? [];
    assert.deepEqual(described.map((one) => one.ResourceArn), ResourceArns); // prettier-ignore
    assert.deepEqual(described.map((one) => one.Tags?.length), [1, 1, 1, 2]); // prettier-ignore
    await assert.rejects(bench.elb.addTags({ ResourceArns, Tags: [{ Key: 'x' }, { Key: 'x' }] }), named('DuplicateTagKeysException'));
    await assert.rejects(bench.elb.addTags({ ResourceArns, Tags: Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}` })) }), named('TooManyTagsException')); // prettier-ignore
    await assert.rejects(bench.elb.describeTags({ ResourceArns: ['x'] }), named('ValidationError'));
  });
});

it('names what it does not do', async () => {
  await assert.rejects(bench.elb.describeTrustStores({}), named('UnsupportedOperation', /^berth does not implement elasticloadbalancing:DescribeTrustStores yet\.$/)); // prettier-ignore
  assert.ok(((await bench.elb.describeAccountLimits({})).Limits ?? []).length > 10);
});

it('the waiters wait for what the balancer says, and no longer', async () => {
  const waiting = { client: bench.elb, maxWaitTime: 60, minDelay: 0.01, maxDelay: 0.05 };
  const { store } = bench.intent;
  const { LoadBalancerArn } = await balancer();
  const { TargetGroupArn } = await group();
  await listener(LoadBalancerArn, forward(TargetGroupArn));
  const Targets = [{ Id: addressIn(0, 9), Port: 80 }];
  await bench.elb.registerTargets({ TargetGroupArn, Targets });
  const LoadBalancerArns = [LoadBalancerArn];
  await waitUntilLoadBalancerExists(waiting, { LoadBalancerArns });
  const soon = <T>(promise: Promise<T>) => Promise.race([promise.then(() => 'done'), new Promise((resolve) => setTimeout(resolve, 200, 'waits'))]); // prettier-ignore
  const available = waitUntilLoadBalancerAvailable(waiting, { LoadBalancerArns });
  const inService = waitUntilTargetInService(waiting, { TargetGroupArn });
  assert.deepEqual(await Promise.all([soon(available), soon(inService)]), ['waits', 'waits']);
  await store.write(async (tx) => {
    const lb = await tx.loadBalancers.get({ ...scope, name });
    assert.ok(lb);
    await tx.loadBalancers.setObserved(lb.key, { ...lb.observed, state: 'active' }, lb.revision);
    for (const row of await tx.targets.list(scope)) {
      if (row.key.target !== addressIn(0, 9)) continue;
      await tx.targets.setObserved(row.key, { ...row.observed, state: 'healthy', reason: null, description: null }, row.revision);
    }
  });
  await Promise.all([available, inService]);
  await bench.elb.deregisterTargets({ TargetGroupArn, Targets });
  const deregistered = waitUntilTargetDeregistered(waiting, { TargetGroupArn, Targets });
  assert.equal(await soon(deregistered), 'waits');
  await store.write(async (tx) => {
    for (const row of await tx.targets.list(scope)) if (row.desired.deregisteredAt !== null) await tx.targets.delete(row.key);
  });
  await deregistered;
  await bench.elb.deleteLoadBalancer({ LoadBalancerArn });
  await waitUntilLoadBalancersDeleted(waiting, { LoadBalancerArns });
});
