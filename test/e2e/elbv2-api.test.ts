/** Elastic Load Balancing's API through the stock tools of Debian 12: its AWS CLI (2.9) and its boto3, with waiters and paginators. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { AWS } from './aws-forks.ts';
import { platformFixture } from './fixture.ts';
import { installPackages } from './packages.ts';
import { until, type Ran } from './platform.ts';

/** What the CLI exits with when a service answers with an error (AWS CLI user guide, "Return codes"). */
const SERVICE_ERROR = 254;

type Health = { TargetHealthDescriptions: { Target: { Id: string; Port: number }; TargetHealth: { State: string; Reason?: string } }[] };

installPackages({ '/usr/bin/aws': 'awscli', '/usr/lib/python3/dist-packages/boto3/__init__.py': 'python3-boto3' });
const { platform, dir } = await platformFixture({ busybox: false });
let subnets: { SubnetId: string; VpcId: string; CidrBlock: string; AvailabilityZone: string }[];

/** Nothing of the machine's own AWS configuration takes part. */
const environment = () => ({
  ...platform.env,
  AWS_CONFIG_FILE: join(dir, 'none'),
  AWS_SHARED_CREDENTIALS_FILE: join(dir, 'none'),
  AWS_PAGER: '',
});
const cli = (args: string[]): Promise<Ran> =>
  platform.command(AWS, ['--endpoint-url', platform.env['AWS_ENDPOINT_URL'] ?? '', '--output', 'json', ...args], {
    env: environment(),
    timeoutMs: 120_000,
  });
async function run<T = Record<string, never>>(...args: string[]): Promise<T> {
  const ran = await cli(args);
  assert.equal(ran.code, 0, `aws ${args.join(' ')} exited ${ran.code}\n${ran.stdout}\n${ran.stderr}`);
  return (ran.stdout.trim() === '' ? {} : JSON.parse(ran.stdout)) as T;
}
const elb = <T = Record<string, never>>(...args: string[]) => run<T>('elbv2', ...args);
/** One member of the only item of a list. */
const one = async (list: string, member: string, ...args: string[]): Promise<string> =>
  (await elb<Record<string, Record<string, string>[]>>(...args))[list]?.[0]?.[member] ?? '';

// Behind what it uses: hooks of a file that has waited run at once.
before(async () => {
  subnets = (await run<{ Subnets: typeof subnets }>('ec2', 'describe-subnets')).Subnets;
});

describe('the AWS CLI', () => {
  let lb: string;
  let group: string;
  let listener: string;

  it('makes a load balancer with a listener, a rule and targets, and reads them back', async () => {
    const [{ VpcId = '' } = {}] = subnets as Partial<(typeof subnets)[number]>[];
    const ids = subnets.map((subnet) => subnet.SubnetId);
    lb = await one('LoadBalancers', 'LoadBalancerArn', 'create-load-balancer', '--name', 'web', '--subnets', ...ids);
    await elb('wait', 'load-balancer-exists', '--names', 'web');
    await elb('wait', 'load-balancer-available', '--names', 'web');
    const settings = ['--protocol', 'HTTP', '--port', '80', '--vpc-id', VpcId, '--target-type', 'ip', '--health-check-path', '/ok'];
    group = await one('TargetGroups', 'TargetGroupArn', 'create-target-group', '--name', 'web', ...settings);
    const forward = `Type=forward,TargetGroupArn=${group}`;
    const on = ['--load-balancer-arn', lb, '--protocol', 'HTTP', '--port', '80'];
    listener = await one('Listeners', 'ListenerArn', 'create-listener', ...on, '--default-actions', forward);
    const conditions = ['Field=path-pattern,Values=/api/*', 'Field=http-header,HttpHeaderConfig={HttpHeaderName=X-Beta,Values=[1]}'];
    const fixed = 'Type=fixed-response,FixedResponseConfig={StatusCode=418,ContentType=text/plain,MessageBody=short}';
    await elb('create-rule', '--listener-arn', listener, '--priority', '5', '--conditions', ...conditions, '--actions', fixed);
    const { Rules: rules } = await elb<{ Rules: { Priority: string; Conditions: object[] }[] }>('describe-rules', '--listener-arn', listener); // prettier-ignore
    assert.deepEqual(rules.map((rule) => rule.Priority), ['5', 'default']); // prettier-ignore
    assert.deepEqual(rules[0]?.Conditions, [
      { Field: 'path-pattern', Values: ['/api/*'], PathPatternConfig: { Values: ['/api/*'] } },
      { Field: 'http-header', HttpHeaderConfig: { HttpHeaderName: 'X-Beta', Values: ['1'] } },
    ]);
    const { LoadBalancers: found } = await elb<{ LoadBalancers: { LoadBalancerArn: string; AvailabilityZones: object[]; DNSName: string }[] }>('describe-load-balancers', '--names', 'web'); // prettier-ignore
    assert.equal(found[0]?.LoadBalancerArn, lb);
    assert.equal(found[0]?.AvailabilityZones.length, subnets.length);
    assert.match(found[0]?.DNSName ?? '', /^web-[0-9a-f]{16}\.us-east-1\.elb\.berth\.internal$/);
  });

  it('finds its interface where EC2 lists them', async () => {
    const filter = `Name=description,Values=ELB ${lb.split('loadbalancer/')[1] ?? ''}`;
    const { NetworkInterfaces: found } = await run<{ NetworkInterfaces: { SubnetId: string; PrivateIpAddress: string; RequesterId: string }[] }>('ec2', 'describe-network-interfaces', '--filters', filter); // prettier-ignore
    assert.equal(found.length, 1);
    assert.equal(found[0]?.RequesterId, 'amazon-elb');
    assert.ok(subnets.some((subnet) => subnet.SubnetId === found[0]?.SubnetId));
  });

  it('registers and deregisters targets, and is told how they are', async () => {
    const address = (subnets[0]?.CidrBlock ?? '').replace(/\.0\/\d+$/, '.250');
    await elb('register-targets', '--target-group-arn', group, '--targets', `Id=${address}`, `Id=${address},Port=8080`);
    const { TargetHealthDescriptions: all } = await elb<Health>('describe-target-health', '--target-group-arn', group);
    assert.deepEqual(all.map((target) => [target.Target.Id, target.Target.Port]), [[address, 80], [address, 8080]]); // prettier-ignore
    // Nobody answers there.
    for (const { TargetHealth } of all) assert.match(TargetHealth.State, /^(initial|unhealthy)$/);
    await elb('deregister-targets', '--target-group-arn', group, '--targets', `Id=${address},Port=8080`);
    const states = async () => (await elb<Health>('describe-target-health', '--target-group-arn', group)).TargetHealthDescriptions;
    // Nothing was connected, so it is gone as soon as that was seen; the waiter looks each 15 s.
    await until('one is gone', async () => (await states()).length === 1);
    await elb('wait', 'target-deregistered', '--target-group-arn', group, '--targets', `Id=${address},Port=8080`);
    const other = address.replace(/250$/, '251');
    const { TargetHealthDescriptions: two } = await elb<Health>('describe-target-health', '--target-group-arn', group, '--targets', `Id=${other}`); // prettier-ignore
    assert.deepEqual(two[0]?.TargetHealth.Reason, 'Target.NotRegistered');
  });

  it('changes attributes and tags', async () => {
    const set = ['--attributes', 'Key=idle_timeout.timeout_seconds,Value=30'];
    await elb('modify-load-balancer-attributes', '--load-balancer-arn', lb, ...set);
    const delay = ['--attributes', 'Key=deregistration_delay.timeout_seconds,Value=0'];
    const { Attributes: attributes } = await elb<{ Attributes: { Key: string; Value: string }[] }>('modify-target-group-attributes', '--target-group-arn', group, ...delay); // prettier-ignore
    assert.equal(attributes.find((attribute) => attribute.Key === 'deregistration_delay.timeout_seconds')?.Value, '0');
    await elb('add-tags', '--resource-arns', lb, group, '--tags', 'Key=team,Value=blue');
    const { TagDescriptions: tags } = await elb<{ TagDescriptions: { Tags: object[] }[] }>('describe-tags', '--resource-arns', lb, group);
    assert.deepEqual(tags.map((tag) => tag.Tags), [[{ Key: 'team', Value: 'blue' }], [{ Key: 'team', Value: 'blue' }]]); // prettier-ignore
  });

  it('is told what is wrong, in AWS’s words', async () => {
    const refused = async (text: RegExp, ...args: string[]) => {
      const ran = await cli(['elbv2', ...args]);
      assert.equal(ran.code, SERVICE_ERROR, `${ran.code} ${ran.stdout} ${ran.stderr}`);
      assert.match(ran.stderr, text);
    };
    const [subnet] = subnets;
    await Promise.all([
      refused(/\(ValidationError\).*At least two subnets in two different Availability Zones must be specified/, 'create-load-balancer', '--name', 'x', '--subnets', subnet?.SubnetId ?? ''), // prettier-ignore
      refused(/\(LoadBalancerNotFound\).*Load balancers '\[x\]' not found/, 'describe-load-balancers', '--names', 'x'),
      refused(/\(ResourceInUse\).*is currently in use by a listener or a rule/, 'delete-target-group', '--target-group-arn', group),
      refused(/\(PriorityInUse\).*Priority '5' is currently in use/, 'create-rule', '--listener-arn', listener, '--priority', '5', '--conditions', 'Field=path-pattern,Values=/x', '--actions', `Type=forward,TargetGroupArn=${group}`), // prettier-ignore
      refused(/\(UnsupportedOperation\).*protocol UDP/, 'create-target-group', '--name', 'u', '--protocol', 'UDP', '--port', '1', '--vpc-id', subnet?.VpcId ?? ''), // prettier-ignore
    ]);
  });

  it('deletes, and waits until all of it is gone', async () => {
    await elb('delete-load-balancer', '--load-balancer-arn', lb);
    await elb('wait', 'load-balancers-deleted', '--load-balancer-arns', lb);
    await elb('delete-target-group', '--target-group-arn', group);
    assert.deepEqual((await elb<{ TargetGroups: [] }>('describe-target-groups')).TargetGroups, []);
  });
});

const BOTO3 = `
import boto3, json, os, sys
elb = boto3.client('elbv2', endpoint_url=os.environ['AWS_ENDPOINT_URL'])
subnets = sys.argv[1].split(',')
arns = [elb.create_load_balancer(Name='page-%d' % n, Type='network', Subnets=subnets[:1])['LoadBalancers'][0]['LoadBalancerArn'] for n in range(3)]
elb.get_waiter('load_balancer_exists').wait(LoadBalancerArns=arns, WaiterConfig={'Delay': 1, 'MaxAttempts': 30})
pages = list(elb.get_paginator('describe_load_balancers').paginate(PaginationConfig={'PageSize': 2}))
names = [lb['LoadBalancerName'] for page in pages for lb in page['LoadBalancers']]
for arn in arns:
    elb.delete_load_balancer(LoadBalancerArn=arn)
elb.get_waiter('load_balancers_deleted').wait(LoadBalancerArns=arns, WaiterConfig={'Delay': 1, 'MaxAttempts': 30})
try:
    elb.describe_load_balancers(LoadBalancerArns=arns)
    error = None
except elb.exceptions.LoadBalancerNotFoundException as e:
    error = e.response['Error']['Code']
print(json.dumps({'pages': len(pages), 'names': names, 'error': error}))
`;

describe('boto3', () => {
  it('waits, pages, and knows the errors by their types', async () => {
    const path = join(dir, 'pages.py');
    writeFileSync(path, BOTO3);
    const ran = await platform.command('/usr/bin/python3', [path, subnets.map((subnet) => subnet.SubnetId).join(',')], {
      env: environment(),
      timeoutMs: 120_000,
    });
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(JSON.parse(ran.stdout), { pages: 2, names: ['page-0', 'page-1', 'page-2'], error: 'LoadBalancerNotFound' });
  });
});
