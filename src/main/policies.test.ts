/** Policies through the real front door: signed calls over HTTP, each with the policies of its case, and AWS's words for what is refused. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CreateExpressGatewayServiceCommand, CreateServiceCommand, CreateTaskSetCommand, DeleteClusterCommand, DescribeClustersCommand, DescribeServicesCommand, DescribeTasksCommand, ListClustersCommand, ListServicesCommand, ListTasksCommand, PutAccountSettingCommand, RegisterTaskDefinitionCommand, RunTaskCommand, StopTaskCommand, TagResourceCommand, UpdateServiceCommand, UntagResourceCommand } from '@aws-sdk/client-ecs'; // prettier-ignore
import { CreateTagsCommand, CreateVolumeCommand, CreateVpcCommand, DeleteVpcCommand, DescribeVpcsCommand, ModifyVpcAttributeCommand } from '@aws-sdk/client-ec2'; // prettier-ignore
import { DescribeFileSystemsCommand, DescribeMountTargetsCommand } from '@aws-sdk/client-efs';
import { CreateTargetGroupCommand, DescribeTargetGroupsCommand, ModifyTargetGroupAttributesCommand } from '@aws-sdk/client-elastic-load-balancing-v2'; // prettier-ignore
import { CreateLogGroupCommand, DescribeLogGroupsCommand, FilterLogEventsCommand, GetLogEventsCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'; // prettier-ignore
import { AttachRolePolicyCommand, CreateRoleCommand, GetRoleCommand, GetUserCommand, ListUsersCommand, PutUserPermissionsBoundaryCommand, PutUserPolicyCommand, DeleteUserPermissionsBoundaryCommand, TagRoleCommand, CreatePolicyCommand } from '@aws-sdk/client-iam'; // prettier-ignore
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { account } from '../../test/iam/platform.ts';
import { definition, ecsArn, openWorld, region, roleArn, trusting, type Clients, type World } from '../../test/iam/world.ts';

type Statement = Record<string, unknown>;
type Case = {
  says: string;
  policy: Statement | Statement[];
  boundary?: Statement[];
  call(clients: Clients): Promise<unknown>;
  /** Without it the call is allowed. `why` when it isn't an Allow that lacks. */
  denied?: { action: string; on?: string; why?: string };
};

const allow = (Action: string | string[], Resource: string | string[] = '*', Condition?: object): Statement => ({ Effect: 'Allow', Action, Resource, ...(Condition && { Condition }) }); // prettier-ignore
const deny = (Action: string | string[], Resource: string | string[] = '*', Condition?: object): Statement => ({ ...allow(Action, Resource, Condition), Effect: 'Deny' }); // prettier-ignore
const document = (statements: Statement | Statement[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const explicitly = 'with an explicit deny in an identity-based policy';
const cluster = (name: string) => ecsArn(`cluster/${name}`);
const alice = `arn:aws:iam::${account}:user/ops/alice`;

let world: World;
let user: Clients;
let boundaries = 0;

before(async () => {
  world = await openWorld();
  user = world.as(await world.newUser('alice'), 'made-for-tests/1');
  await world.newRole('svc', trusting({ Service: 'ecs-tasks.amazonaws.com' }));
});

after(() => world?.close());

function cases(all: Case[]): void {
  for (const one of all) it(one.says, () => check(one));
}

async function check({ policy, boundary, call, denied }: Case): Promise<void> {
  const { iam } = world.root;
  await iam.send(new PutUserPolicyCommand({ UserName: 'alice', PolicyName: 'p', PolicyDocument: document(policy) }));
  if (boundary !== undefined) {
    const { Policy } = await iam.send(
      new CreatePolicyCommand({ PolicyName: `boundary${++boundaries}`, PolicyDocument: document(boundary) }),
    );
    await iam.send(new PutUserPermissionsBoundaryCommand({ UserName: 'alice', PermissionsBoundary: Policy?.Arn }));
  }
  try {
    if (denied === undefined) await call(user);
    else await assert.rejects(call(user), refusal(alice, denied));
  } finally {
    if (boundary !== undefined) await iam.send(new DeleteUserPermissionsBoundaryCommand({ UserName: 'alice' }));
  }
}

/** AWS's words. EC2 puts its own before them. */
function refusal(
  arn: string,
  { action, on, why = `because no identity-based policy allows the ${action} action` }: NonNullable<Case['denied']>,
) {
  const text = `User: ${arn} is not authorized to perform: ${action}${on === undefined ? '' : ` on resource: ${on}`} ${why}`;
  const before = action.startsWith('ec2:') ? 'You are not authorized to perform this operation. ' : '';
  return (error: Error) => {
    assert.equal(error.message, before + text);
    assert.match(error.name, /^(AccessDenied|AccessDeniedException|UnauthorizedOperation)$/);
    return true;
  };
}

const list = ({ ecs }: Clients) => ecs.send(new ListClustersCommand({}));
const look =
  (...clusters: string[]) =>
  ({ ecs }: Clients) =>
    ecs.send(new DescribeClustersCommand({ clusters }));
const runTask =
  (more: object = {}) =>
  ({ ecs }: Clients) =>
    ecs.send(new RunTaskCommand({ ...world.run, cluster: 'prod', taskDefinition: 'web:1', ...more }));
const stop =
  (input: { cluster: string; task: string }) =>
  ({ ecs }: Clients) =>
    ecs.send(new StopTaskCommand(input));

describe('statements', () => {
  const no = { action: 'ecs:ListClusters', on: '*' };
  cases([
    { says: 'nothing allows it', policy: allow('ecs:DescribeClusters'), call: list, denied: no },
    { says: 'the action', policy: allow('ecs:ListClusters'), call: list },
    { says: 'all of a service', policy: allow('ecs:*'), call: list },
    { says: 'all', policy: allow('*'), call: list },
    { says: 'wildcards in an action', policy: allow('ecs:List?luster*'), call: list },
    { says: 'an action in other letters', policy: allow('ECS:listclusters'), call: list },
    { says: 'another service', policy: allow('ec2:*'), call: list, denied: no },
    { says: 'a Deny beside the Allow', policy: [allow('*'), deny('ecs:List*')], call: list, denied: { ...no, why: explicitly } },
    { says: 'a Deny of something else', policy: [allow('*'), deny('ecs:Delete*')], call: list },
    { says: 'NotAction that leaves it', policy: { Effect: 'Allow', NotAction: 'iam:*', Resource: '*' }, call: list },
    { says: 'NotAction that names it', policy: { Effect: 'Allow', NotAction: 'ecs:List*', Resource: '*' }, call: list, denied: no },
    { says: 'a Deny by NotAction', policy: [allow('*'), { Effect: 'Deny', NotAction: 'iam:*', Resource: '*' }], call: list, denied: { ...no, why: explicitly } },
    { says: 'NotResource that leaves it', policy: { Effect: 'Allow', Action: '*', NotResource: cluster('dev') }, call: look('prod') },
    { says: 'NotResource that names it', policy: { Effect: 'Allow', Action: '*', NotResource: cluster('prod*') }, call: look('prod'), denied: { action: 'ecs:DescribeClusters', on: cluster('prod') } },
    { says: 'who one is nobody may hide', policy: deny('*'), call: ({ sts }) => sts.send(new GetCallerIdentityCommand({})) },
  ]); // prettier-ignore
});

describe('resources', () => {
  const describing = (on: string, why?: string) => ({ action: 'ecs:DescribeClusters', on, ...(why && { why }) });
  const log = `arn:aws:logs:${region}:${account}:log-group:/app`;
  const read = ({ logs }: Clients) => logs.send(new FilterLogEventsCommand({ logGroupName: '/app' }));
  const put = ({ logs }: Clients) =>
    logs.send(new PutLogEventsCommand({ logGroupName: '/app', logStreamName: 's', logEvents: [{ timestamp: Date.now(), message: 'm' }] }));
  const make = ({ logs }: Clients) => logs.send(new CreateLogGroupCommand({ logGroupName: '/denied' }));
  cases([
    { says: 'a cluster', policy: allow('ecs:*', cluster('prod')), call: look('prod') },
    { says: 'another cluster', policy: allow('ecs:*', cluster('prod')), call: look('dev'), denied: describing(cluster('dev')) },
    { says: 'clusters by a wildcard', policy: allow('ecs:*', cluster('pr?d*')), call: look('prod') },
    { says: 'a cluster by its ARN', policy: allow('ecs:*', cluster('prod')), call: look(cluster('prod')) },
    { says: 'all of a call must be allowed', policy: allow('ecs:*', cluster('prod')), call: look('prod', 'dev'), denied: describing(cluster('dev')) },
    { says: 'of another region', policy: allow('ecs:*', cluster('prod').replace(region, 'eu-west-1')), call: look('prod'), denied: describing(cluster('prod')) },
    { says: 'of another account', policy: allow('ecs:*', cluster('prod').replace(account, '210987654321')), call: look('prod'), denied: describing(cluster('prod')) },
    { says: 'a Deny of one resource', policy: [allow('*'), deny('*', cluster('prod'))], call: look('prod'), denied: describing(cluster('prod'), explicitly) },
    { says: 'a wildcard never reaches over an ARN\'s colon', policy: allow('ecs:*', 'arn:aws:ecs:*:cluster/prod'), call: look('prod'), denied: describing(cluster('prod')) },
    { says: 'a task definition by revision', policy: allow('ecs:RunTask', ecsArn('task-definition/web:*')), call: runTask() },
    { says: 'a family without a revision, as AWS has it', policy: allow('ecs:RunTask', ecsArn('task-definition/web:*')), call: runTask({ taskDefinition: 'web' }), denied: { action: 'ecs:RunTask', on: ecsArn('task-definition/web') } },
    { says: 'a family by its own ARN', policy: allow('ecs:RunTask', ecsArn('task-definition/web')), call: runTask({ taskDefinition: 'web' }) },
    { says: 'a revision with zeros before it is that revision', policy: [allow('*'), deny('*', ecsArn('task-definition/web:1'))], call: runTask({ taskDefinition: 'web:01' }), denied: { action: 'ecs:RunTask', on: ecsArn('task-definition/web:1'), why: explicitly } },
    { says: 'a task by its id', policy: allow('ecs:DescribeTasks', ecsArn('task/prod/*')), call: ({ ecs }) => ecs.send(new DescribeTasksCommand({ cluster: 'prod', tasks: world.tasks })) },
    { says: 'a service', policy: allow('ecs:DescribeServices', ecsArn('service/dev/shop')), call: ({ ecs }) => ecs.send(new DescribeServicesCommand({ cluster: 'dev', services: ['shop'] })) },
    { says: 'another service', policy: allow('ecs:*', ecsArn('service/prod/*')), call: ({ ecs }) => ecs.send(new DescribeServicesCommand({ cluster: 'dev', services: ['shop'] })), denied: { action: 'ecs:DescribeServices', on: ecsArn('service/dev/shop') } },
    { says: 'a new service has its name', policy: allow('ecs:*', ecsArn('service/dev/shop')), call: ({ ecs }) => ecs.send(new CreateServiceCommand({ ...world.run, cluster: 'dev', serviceName: 'x', taskDefinition: 'web' })), denied: { action: 'ecs:CreateService', on: ecsArn('service/dev/x') } },
    { says: 'tasks are listed of container instances', policy: allow('ecs:ListTasks', cluster('prod')), call: ({ ecs }) => ecs.send(new ListTasksCommand({ cluster: 'prod' })), denied: { action: 'ecs:ListTasks', on: ecsArn('container-instance/prod/*') } },
    { says: 'a log group by NAME:*', policy: allow('logs:FilterLogEvents', `${log}:*`), call: read },
    { says: 'a log group by NAME', policy: allow('logs:FilterLogEvents', log), call: read },
    { says: 'a Deny of a log group by NAME', policy: [allow('*'), deny('logs:*', log)], call: read, denied: { action: 'logs:FilterLogEvents', on: log, why: explicitly } },
    { says: 'another log group', policy: allow('logs:*', `${log}lication:*`), call: read, denied: { action: 'logs:FilterLogEvents', on: `${log}:log-stream:` } },
    { says: 'a log group that is made', policy: allow('logs:Put*'), call: make, denied: { action: 'logs:CreateLogGroup', on: `arn:aws:logs:${region}:${account}:log-group:/denied:log-stream:` } },
    { says: 'a log stream', policy: allow('logs:PutLogEvents', `${log}:log-stream:s`), call: put },
    { says: 'another log stream', policy: allow('logs:PutLogEvents', `${log}:log-stream:t`), call: put, denied: { action: 'logs:PutLogEvents', on: `${log}:log-stream:s` } },
    { says: 'log streams want more than their group', policy: allow('logs:*', log), call: ({ logs }) => logs.send(new GetLogEventsCommand({ logGroupName: '/app', logStreamName: 's' })), denied: { action: 'logs:GetLogEvents', on: `${log}:log-stream:s` } },
    { says: 'all log groups', policy: allow('logs:DescribeLogGroups', `arn:aws:logs:${region}:${account}:log-group:*`), call: ({ logs }) => logs.send(new DescribeLogGroupsCommand({})) },
    { says: 'a role with its path', policy: allow('iam:GetRole', roleArn('svc')), call: ({ iam }) => iam.send(new GetRoleCommand({ RoleName: 'svc' })) },
    { says: 'users of a path', policy: allow('iam:GetUser', `arn:aws:iam::${account}:user/ops/\${aws:username}`), call: ({ iam }) => iam.send(new GetUserCommand({})) },
    { says: 'a list of IAM', policy: allow('iam:Get*'), call: ({ iam }) => iam.send(new ListUsersCommand({})), denied: { action: 'iam:ListUsers', on: `arn:aws:iam::${account}:user/` } },
    { says: 'EC2 names no resource where there is none', policy: allow('ecs:*'), call: ({ ec2 }) => ec2.send(new DescribeVpcsCommand({})), denied: { action: 'ec2:DescribeVpcs' } },
    { says: 'a VPC that is to be', policy: allow('ec2:*', `arn:aws:ec2:${region}:${account}:subnet/*`), call: ({ ec2 }) => ec2.send(new CreateVpcCommand({ CidrBlock: '10.78.0.0/16' })), denied: { action: 'ec2:CreateVpc', on: `arn:aws:ec2:${region}:${account}:vpc/*` } },
    { says: 'a target group that is to be', policy: allow('elasticloadbalancing:*', '*', { Null: { 'aws:RequestTag/team': 'false' } }), call: ({ elb }) => elb.send(new CreateTargetGroupCommand({ Name: 'new', Protocol: 'HTTP', Port: 80, VpcId: world.vpc, TargetType: 'ip' })), denied: { action: 'elasticloadbalancing:CreateTargetGroup', on: `arn:aws:elasticloadbalancing:${region}:${account}:targetgroup/new/*` } },
    { says: 'what only lists has no resource', policy: allow('elasticloadbalancing:Describe*'), call: ({ elb }) => elb.send(new DescribeTargetGroupsCommand({})) },
    { says: 'a file system by its id', policy: allow('elasticfilesystem:*', `arn:aws:elasticfilesystem:${region}:${account}:file-system/fs-0*`), call: ({ efs }) => efs.send(new DescribeFileSystemsCommand({})), denied: { action: 'elasticfilesystem:DescribeFileSystems', on: `arn:aws:elasticfilesystem:${region}:${account}:file-system/*` } },
  ]); // prettier-ignore

  it('a task is the same one by an ARN without its cluster', async () => {
    const [task = ''] = world.tasks;
    const denied = { action: 'ecs:StopTask', on: ecsArn(`task/prod/${task}`), why: explicitly };
    const policy = [allow('*'), deny('ecs:StopTask', ecsArn('task/prod/*'))];
    for (const named of [task, ecsArn(`task/${task}`), ecsArn(`task/prod/${task}`)]) {
      await check({ says: named, policy, call: stop({ cluster: 'prod', task: named }), denied });
    }
  });
});

describe('conditions', () => {
  const run = (on = 'web:1', why?: string) => ({ action: 'ecs:RunTask', on: ecsArn(`task-definition/${on}`), ...(why && { why }) });
  const tagged = (team: string) => ({ tags: [{ key: 'team', value: team }] });
  const within = (name: string) => ({ ArnEquals: { 'ecs:cluster': cluster(name) } });
  const listing = { action: 'ecs:ListClusters', on: '*' };
  const vpcs = ({ ec2 }: Clients) => ec2.send(new CreateTagsCommand({ Resources: [world.vpc], Tags: [{ Key: 'x', Value: 'y' }] }));
  const attributes = ({ elb }: Clients) =>
    elb.send(
      new ModifyTargetGroupAttributesCommand({
        TargetGroupArn: world.targetGroup,
        Attributes: [{ Key: 'deregistration_delay.timeout_seconds', Value: '1' }],
      }),
    );
  const service =
    (name: string, more: object = {}) =>
    ({ ecs }: Clients) =>
      ecs.send(
        new CreateServiceCommand({ ...world.run, cluster: 'dev', serviceName: name, taskDefinition: 'web:1', desiredCount: 0, ...more }),
      );
  cases([
    { says: 'the cluster of RunTask', policy: allow('ecs:RunTask', '*', within('prod')), call: runTask() },
    { says: 'another cluster of RunTask', policy: allow('ecs:RunTask', '*', within('prod')), call: runTask({ cluster: 'dev' }), denied: run() },
    { says: 'the cluster of ListTasks', policy: allow('ecs:ListTasks', '*', within('prod')), call: ({ ecs }) => ecs.send(new ListTasksCommand({ cluster: 'prod' })) },
    { says: 'the cluster of ListServices', policy: allow('ecs:ListServices', '*', within('prod')), call: ({ ecs }) => ecs.send(new ListServicesCommand({ cluster: 'dev' })), denied: { action: 'ecs:ListServices', on: '*' } },
    { says: 'the cluster that a service lies in', policy: allow('ecs:*', '*', within('dev')), call: ({ ecs }) => ecs.send(new DescribeServicesCommand({ cluster: 'dev', services: ['shop'] })) },
    { says: 'a tag that the call sets', policy: allow('ecs:RunTask', '*', { StringEquals: { 'aws:RequestTag/team': 'a' } }), call: runTask(tagged('a')) },
    { says: 'another value of it', policy: allow('ecs:RunTask', '*', { StringEquals: { 'aws:RequestTag/team': 'a' } }), call: runTask(tagged('b')), denied: run() },
    { says: 'a call without that tag', policy: allow('ecs:RunTask', '*', { StringEquals: { 'aws:RequestTag/team': 'a' } }), call: runTask(), denied: run() },
    { says: 'IfExists lets it be left out', policy: allow('ecs:RunTask', '*', { StringEqualsIfExists: { 'aws:RequestTag/team': 'a' } }), call: runTask() },
    { says: 'a tag must be there', policy: [allow('*'), deny('ecs:RunTask', '*', { Null: { 'aws:RequestTag/team': 'true' } })], call: runTask(), denied: run('web:1', explicitly) },
    { says: 'only these keys of tags', policy: allow('ecs:RunTask', '*', { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] } }), call: runTask({ tags: [{ key: 'team', value: 'a' }, { key: 'x', value: 'y' }] }), denied: run() },
    { says: 'one of these keys of tags', policy: allow('ecs:RunTask', '*', { 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['team'] } }), call: runTask({ tags: [{ key: 'team', value: 'a' }, { key: 'x', value: 'y' }] }) },
    { says: 'a tag of the task definition', policy: allow('ecs:RunTask', '*', { StringEquals: { 'aws:ResourceTag/team': 'a' } }), call: runTask() },
    { says: 'a task definition without that tag', policy: allow('ecs:RunTask', '*', { StringEquals: { 'aws:ResourceTag/team': 'a' } }), call: runTask({ taskDefinition: 'batch:1' }), denied: run('batch:1') },
    { says: 'a tag by the key of ECS', policy: allow('ecs:DescribeClusters', '*', { StringLike: { 'ecs:ResourceTag/env': 'pr*' } }), call: look('prod') },
    { says: 'each resource has its own tags', policy: allow('ecs:DescribeClusters', '*', { StringLike: { 'ecs:ResourceTag/env': 'pr*' } }), call: look('prod', 'dev'), denied: { action: 'ecs:DescribeClusters', on: cluster('dev') } },
    { says: 'a Deny by a tag', policy: [allow('*'), deny('ecs:DeleteCluster', '*', { StringEquals: { 'aws:ResourceTag/env': 'prod' } })], call: ({ ecs }) => ecs.send(new DeleteClusterCommand({ cluster: 'prod' })), denied: { action: 'ecs:DeleteCluster', on: cluster('prod'), why: explicitly } },
    { says: 'a tag that equals the caller\'s', policy: allow('ecs:StopTask', '*', { StringEquals: { 'aws:ResourceTag/team': '${aws:PrincipalTag/team}' } }), call: ({ ecs }) => ecs.send(new StopTaskCommand({ cluster: 'prod', task: world.tasks[1] ?? '' })) },
    { says: 'no exec', policy: [allow('*'), deny('ecs:RunTask', '*', { Bool: { 'ecs:enable-execute-command': 'true' } })], call: runTask({ enableExecuteCommand: true }), denied: run('web:1', explicitly) },
    { says: 'a task without exec', policy: [allow('*'), deny('ecs:RunTask', '*', { Bool: { 'ecs:enable-execute-command': 'true' } })], call: runTask() },
    { says: 'only small tasks', policy: allow('ecs:RunTask', '*', { NumericLessThanEquals: { 'ecs:task-cpu': '512' } }), call: runTask({ overrides: { cpu: '1024', memory: '2048' } }), denied: run() },
    { says: 'a small task', policy: allow('ecs:RunTask', '*', { NumericLessThanEquals: { 'ecs:task-cpu': '512' } }), call: runTask({ overrides: { cpu: '512', memory: '1024' } }) },
    { says: 'the task definition of a service', policy: allow('ecs:CreateService', '*', { ArnLike: { 'ecs:task-definition': ecsArn('task-definition/batch:*') } }), call: service('other'), denied: { action: 'ecs:CreateService', on: ecsArn('service/dev/other') } },
    { says: 'capacity providers', policy: allow('ecs:CreateService', '*', { 'ForAllValues:ArnEquals': { 'ecs:capacity-provider': ecsArn('capacity-provider/FARGATE') } }), call: service('spot', { launchType: undefined, capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT' }] }), denied: { action: 'ecs:CreateService', on: ecsArn('service/dev/spot') } },
    { says: 'the name of a setting', policy: allow('ecs:PutAccountSetting', '*', { StringEquals: { 'ecs:account-setting': 'containerInsights' } }), call: ({ ecs }) => ecs.send(new PutAccountSettingCommand({ name: 'taskLongArnFormat', value: 'enabled' })), denied: { action: 'ecs:PutAccountSetting', on: '*' } },
    { says: 'tags that are set later', policy: allow('ecs:TagResource', '*', { StringEquals: { 'aws:RequestTag/team': 'a' } }), call: ({ ecs }) => ecs.send(new TagResourceCommand({ resourceArn: cluster('dev'), ...tagged('a') })) },
    { says: 'tags that are taken away', policy: [allow('*'), deny('ecs:UntagResource', '*', { 'ForAnyValue:StringEquals': { 'aws:TagKeys': 'env' } })], call: ({ ecs }) => ecs.send(new UntagResourceCommand({ resourceArn: cluster('prod'), tagKeys: ['env'] })), denied: { action: 'ecs:UntagResource', on: cluster('prod'), why: explicitly } },
    { says: 'a tag of a VPC', policy: allow('ec2:CreateTags', '*', { StringEquals: { 'ec2:ResourceTag/team': 'a' } }), call: vpcs },
    { says: 'a VPC without a tag', policy: allow('ec2:DeleteVpc', '*', { StringEquals: { 'ec2:ResourceTag/team': 'b' } }), call: ({ ec2 }) => ec2.send(new DeleteVpcCommand({ VpcId: 'vpc-0123456789abcdef0' })), denied: { action: 'ec2:DeleteVpc', on: `arn:aws:ec2:${region}:${account}:vpc/vpc-0123456789abcdef0` } },
    { says: 'tags at creation need CreateTags', policy: allow('ec2:CreateVolume'), call: ({ ec2 }) => ec2.send(new CreateVolumeCommand({ AvailabilityZone: world.zone, Size: 1, TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'a', Value: 'b' }] }] })), denied: { action: 'ec2:CreateTags', on: `arn:aws:ec2:${region}:${account}:volume/*` } },
    { says: 'CreateTags at creation alone', policy: [allow('ec2:CreateVolume'), allow('ec2:CreateTags', '*', { StringEquals: { 'ec2:CreateAction': 'CreateVolume' } })], call: ({ ec2 }) => ec2.send(new CreateVolumeCommand({ AvailabilityZone: world.zone, Size: 1, TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'a', Value: 'b' }] }] })) },
    { says: 'the size of a volume', policy: allow('ec2:CreateVolume', '*', { NumericLessThan: { 'ec2:VolumeSize': '2' } }), call: ({ ec2 }) => ec2.send(new CreateVolumeCommand({ AvailabilityZone: world.zone, Size: 2 })), denied: { action: 'ec2:CreateVolume', on: `arn:aws:ec2:${region}:${account}:volume/*` } },
    { says: 'the attribute that is changed', policy: allow('ec2:ModifyVpcAttribute', '*', { StringEquals: { 'ec2:Attribute': 'EnableDnsSupport' } }), call: ({ ec2 }) => ec2.send(new ModifyVpcAttributeCommand({ VpcId: world.vpc, EnableDnsSupport: { Value: true } })) },
    { says: 'a tag of a target group', policy: allow('elasticloadbalancing:*', '*', { StringEquals: { 'elasticloadbalancing:ResourceTag/team': 'a' } }), call: attributes },
    { says: 'a tag of a file system', policy: allow('elasticfilesystem:*', '*', { StringEquals: { 'aws:ResourceTag/team': 'a' } }), call: ({ efs }) => efs.send(new DescribeMountTargetsCommand({ FileSystemId: world.system })) },
    { says: 'a tag of a log group', policy: allow('logs:*', '*', { StringEquals: { 'aws:ResourceTag/team': 'a' } }), call: ({ logs }) => logs.send(new FilterLogEventsCommand({ logGroupName: '/app' })) },
    { says: 'a tag of a role', policy: allow('iam:TagRole', '*', { StringEquals: { 'iam:ResourceTag/team': 'a' } }), call: ({ iam }) => iam.send(new TagRoleCommand({ RoleName: 'svc', Tags: [{ Key: 'x', Value: 'y' }] })) },
    { says: 'the policy that is attached', policy: allow('iam:AttachRolePolicy', '*', { ArnEquals: { 'iam:PolicyARN': 'arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess' } }), call: ({ iam }) => iam.send(new AttachRolePolicyCommand({ RoleName: 'svc', PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' })), denied: { action: 'iam:AttachRolePolicy', on: roleArn('svc') } },
    { says: 'the caller\'s address', policy: allow('*', '*', { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } }), call: list },
    { says: 'another address', policy: [allow('*'), deny('*', '*', { NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } })], call: list, denied: { ...listing, why: explicitly } },
    { says: 'a time that is over', policy: allow('*', '*', { DateLessThan: { 'aws:CurrentTime': '2020-01-01T00:00:00Z' } }), call: list, denied: listing },
    { says: 'a time to come', policy: allow('*', '*', { DateGreaterThan: { 'aws:EpochTime': '1577836800' } }), call: list },
    { says: 'who calls', policy: allow('*', '*', { ArnLike: { 'aws:PrincipalArn': `arn:aws:iam::*:user/ops/*` } }), call: list },
    { says: 'his name, and what he is', policy: allow('*', '*', { StringEquals: { 'aws:username': 'alice', 'aws:PrincipalType': 'User', 'aws:PrincipalAccount': account } }), call: list },
    { says: 'his id', policy: allow('*', '*', { StringLike: { 'aws:userid': 'AROA*' } }), call: list, denied: listing },
    { says: 'his tags', policy: allow('*', '*', { StringEquals: { 'aws:PrincipalTag/team': ['a', 'b'] } }), call: list },
    { says: 'what he calls with', policy: allow('*', '*', { StringLike: { 'aws:UserAgent': '*made-for-tests*' } }), call: list },
    { says: 'TLS, which this isn\'t', policy: [allow('*'), deny('*', '*', { Bool: { 'aws:SecureTransport': 'false' } })], call: list, denied: { ...listing, why: explicitly } },
    { says: 'the region that is called', policy: allow('*', '*', { StringNotEquals: { 'aws:RequestedRegion': ['eu-west-1'] } }), call: list },
    { says: 'the account of the resource', policy: allow('*', '*', { StringEquals: { 'aws:ResourceAccount': '${aws:PrincipalAccount}' } }), call: look('prod') },
    { says: 'all conditions must hold', policy: allow('*', '*', { StringEquals: { 'aws:username': 'alice' }, IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }), call: list, denied: listing },
  ]); // prettier-ignore

  it('a tag of the task', async () => {
    const [, task = ''] = world.tasks;
    const policy = allow('ecs:StopTask', '*', { StringEquals: { 'aws:ResourceTag/team': 'b' } });
    await check({
      says: '',
      policy,
      call: stop({ cluster: 'prod', task }),
      denied: { action: 'ecs:StopTask', on: ecsArn(`task/prod/${task}`) },
    });
  });

  it('tags of new tasks need ecs:TagResource once the account asks for it', async () => {
    await world.settingOn('tagResourceAuthorization', 'on');
    const denied = { action: 'ecs:TagResource', on: ecsArn('task/prod/*') };
    await check({ says: '', policy: allow('ecs:RunTask'), call: runTask(tagged('a')), denied });
    const tagging = allow('ecs:TagResource', '*', { StringEquals: { 'ecs:CreateAction': 'RunTask' } });
    await check({ says: '', policy: [allow('ecs:RunTask'), tagging], call: runTask(tagged('a')) });
    await world.settingOn('tagResourceAuthorization', 'off');
  });
});

describe('boundaries', () => {
  const no = { action: 'ecs:ListClusters', on: '*' };
  cases([
    { says: 'what both allow', policy: allow('*'), boundary: [allow('ecs:*')], call: list },
    { says: 'what the boundary lacks', policy: allow('*'), boundary: [allow('ec2:*')], call: list, denied: { ...no, why: 'because no permissions boundary allows the ecs:ListClusters action' } },
    { says: 'what the boundary denies', policy: allow('*'), boundary: [allow('*'), deny('ecs:*')], call: list, denied: { ...no, why: 'with an explicit deny in a permissions boundary' } },
    { says: 'a boundary gives nothing', policy: allow('ec2:*'), boundary: [allow('*')], call: list, denied: no },
    { says: 'roles may only be made with a boundary', policy: allow('iam:CreateRole', '*', { StringEquals: { 'iam:PermissionsBoundary': 'arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess' } }), call: ({ iam }) => iam.send(new CreateRoleCommand({ RoleName: 'free', AssumeRolePolicyDocument: trusting({ Service: 'ecs-tasks.amazonaws.com' }) })), denied: { action: 'iam:CreateRole', on: roleArn('free') } },
  ]); // prettier-ignore
});

describe('roles that are passed', () => {
  const pass = (service: string) => allow('iam:PassRole', roleArn('svc'), { StringEquals: { 'iam:PassedToService': service } });
  const denied = { action: 'iam:PassRole', on: roleArn('svc') };
  const toTasks = pass('ecs-tasks.amazonaws.com');
  const register = ({ ecs }: Clients) =>
    ecs.send(new RegisterTaskDefinitionCommand({ ...definition, family: 'roles', taskRoleArn: roleArn('svc') }));
  const volumes = [{ name: 'v', managedEBSVolume: { roleArn: roleArn('svc'), sizeInGiB: 1 } }];
  cases([
    { says: 'with a task definition', policy: [allow('ecs:*'), toTasks], call: register },
    { says: 'not with a task definition', policy: allow('ecs:*'), call: register, denied },
    { says: 'to another service', policy: [allow('ecs:*'), pass('lambda.amazonaws.com')], call: register, denied },
    { says: 'with RunTask', policy: allow('ecs:*'), call: runTask({ taskDefinition: 'roles' }), denied },
    { says: 'with the overrides of RunTask', policy: allow('ecs:*'), call: runTask({ overrides: { executionRoleArn: roleArn('svc') } }), denied },
    { says: 'with CreateService', policy: allow('ecs:*'), call: ({ ecs }) => ecs.send(new CreateServiceCommand({ ...world.run, cluster: 'dev', serviceName: 'r', taskDefinition: 'roles', desiredCount: 0 })), denied },
    { says: 'with UpdateService', policy: allow('ecs:*'), call: ({ ecs }) => ecs.send(new UpdateServiceCommand({ cluster: 'dev', service: 'shop', taskDefinition: 'roles' })), denied },
    { says: 'with CreateTaskSet', policy: allow('ecs:*'), call: ({ ecs }) => ecs.send(new CreateTaskSetCommand({ ...world.run, cluster: 'dev', service: 'shop', taskDefinition: 'roles' })), denied },
    { says: 'to ECS itself, for volumes', policy: [allow('ecs:*'), toTasks], call: ({ ecs }) => ecs.send(new UpdateServiceCommand({ cluster: 'dev', service: 'shop', volumeConfigurations: volumes })), denied },
    { says: 'to ECS itself, for an Express service', policy: [allow('ecs:*'), toTasks], call: ({ ecs }) => ecs.send(new CreateExpressGatewayServiceCommand({ executionRoleArn: roleArn('svc'), infrastructureRoleArn: roleArn('svc'), primaryContainer: { image: 'nginx' } })), denied },
    { says: 'the execution role that an Express service has by itself', policy: allow('ecs:*'), call: ({ ecs }) => ecs.send(new CreateExpressGatewayServiceCommand({ infrastructureRoleArn: roleArn('svc'), primaryContainer: { image: 'nginx' } })), denied: { action: 'iam:PassRole', on: roleArn('ecsTaskExecutionRole') } },
  ]); // prettier-ignore
});

it('root may do all, and pays for no look-up', async () => {
  const { ecs } = world.root;
  await ecs.send(new DescribeClustersCommand({ clusters: ['prod', 'dev'] }));
  await ecs.send(new RegisterTaskDefinitionCommand({ ...definition, family: 'of-root', taskRoleArn: roleArn('svc') }));
});
