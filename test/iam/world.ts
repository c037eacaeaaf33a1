/** What the cases about policies call: resources with tags, made by root, and callers with keys of their own. */
import { CreateClusterCommand, CreateServiceCommand, ECSClient, PutAccountSettingDefaultCommand, RegisterTaskDefinitionCommand, RunTaskCommand } from '@aws-sdk/client-ecs'; // prettier-ignore
import { CreateVolumeCommand, CreateVpcCommand, DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { CreateFileSystemCommand, EFSClient } from '@aws-sdk/client-efs';
import { CreateTargetGroupCommand, ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateAccessKeyCommand, CreateRoleCommand, CreateUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { STSClient } from '@aws-sdk/client-sts';
import { realClock } from '#base/clock.ts';
import { host } from '#front/ecs/test-platform.ts';
import { account, openIamPlatform } from './platform.ts';

export const region = 'us-east-1';
export const other = '210987654321';
export const ecsArn = (resource: string) => `arn:aws:ecs:${region}:${account}:${resource}`;
export const roleArn = (name: string, of = account) => `arn:aws:iam::${of}:role/${name}`;
export type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
export type World = Awaited<ReturnType<typeof openWorld>>;
export type Clients = ReturnType<World['as']>;

export const definition = {
  requiresCompatibilities: ['FARGATE' as const],
  networkMode: 'awsvpc' as const,
  cpu: '256',
  memory: '512',
  containerDefinitions: [{ name: 'web', image: 'nginx:1' }],
};

export const trusting = (principal: object, condition?: object, actions = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: principal, Action: actions, ...(condition && { Condition: condition }) }] }); // prettier-ignore

export async function openWorld() {
  let skewMs = 0;
  const real = realClock();
  await using ending = new AsyncDisposableStack();
  const platform = await openIamPlatform({ clock: { ...real, now: () => real.now() + skewMs } });
  ending.defer(() => platform.close());
  await platform.store.write((tx) => tx.hosts.put(host, 0));
  const made: { destroy(): void }[] = [];
  ending.defer(() => made.forEach((client) => client.destroy()));
  const as = (credentials: Credentials, userAgent?: string) => {
    // What a client corrects by itself would hide what is tried here.
    const options = { endpoint: platform.endpoint, region, maxAttempts: 1, credentials, systemClockOffset: skewMs, ...(userAgent === undefined ? {} : { customUserAgent: userAgent }) }; // prettier-ignore
    const clients = {
      ecs: new ECSClient(options),
      ec2: new EC2Client(options),
      elb: new ElasticLoadBalancingV2Client(options),
      efs: new EFSClient(options),
      logs: new CloudWatchLogsClient(options),
      iam: new IAMClient(options),
      sts: new STSClient(options),
    };
    made.push(...Object.values(clients));
    return clients;
  };
  const root = as(platform.root);
  const tags = [{ key: 'team', value: 'a' }];
  const Tags = [{ Key: 'team', Value: 'a' }];
  await root.ecs.send(new CreateClusterCommand({ clusterName: 'prod', tags: [{ key: 'env', value: 'prod' }] }));
  await root.ecs.send(new CreateClusterCommand({ clusterName: 'dev', tags: [{ key: 'env', value: 'dev' }] }));
  await root.ecs.send(new RegisterTaskDefinitionCommand({ ...definition, family: 'web', tags }));
  await root.ecs.send(new RegisterTaskDefinitionCommand({ ...definition, family: 'batch' }));
  const { Subnets = [] } = await root.ec2.send(new DescribeSubnetsCommand({}));
  const networkConfiguration = { awsvpcConfiguration: { subnets: [Subnets[0]?.SubnetId ?? ''] } };
  const run = { launchType: 'FARGATE' as const, networkConfiguration };
  const { tasks = [] } = await root.ecs.send(new RunTaskCommand({ ...run, cluster: 'prod', taskDefinition: 'web', tags, count: 2 }));
  await root.ecs.send(
    new CreateServiceCommand({ ...run, cluster: 'dev', serviceName: 'shop', taskDefinition: 'web', desiredCount: 0, tags }),
  );
  const { Vpc } = await root.ec2.send(
    new CreateVpcCommand({ CidrBlock: '10.77.0.0/16', TagSpecifications: [{ ResourceType: 'vpc', Tags }] }),
  );
  const zone = Subnets[0]?.AvailabilityZone;
  const volume = await root.ec2.send(
    new CreateVolumeCommand({ AvailabilityZone: zone, Size: 1, TagSpecifications: [{ ResourceType: 'volume', Tags }] }),
  );
  const { TargetGroups = [] } = await root.elb.send(new CreateTargetGroupCommand({ Name: 'front', Protocol: 'HTTP', Port: 80, VpcId: Subnets[0]?.VpcId, TargetType: 'ip', Tags })); // prettier-ignore
  const system = await root.efs.send(new CreateFileSystemCommand({ CreationToken: 't', Tags }));
  await root.logs.send(new CreateLogGroupCommand({ logGroupName: '/app', tags: { team: 'a' } }));
  await root.logs.send(new CreateLogStreamCommand({ logGroupName: '/app', logStreamName: 's' }));
  const newUser = async (name: string): Promise<Credentials> => {
    await root.iam.send(new CreateUserCommand({ UserName: name, Path: '/ops/', Tags: [{ Key: 'team', Value: 'a' }] }));
    const { AccessKey: key } = await root.iam.send(new CreateAccessKeyCommand({ UserName: name }));
    return { accessKeyId: key?.AccessKeyId ?? '', secretAccessKey: key?.SecretAccessKey ?? '' };
  };
  const newRole = (name: string, trust: string) => root.iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: trust, Tags: [{ Key: 'team', Value: 'a' }] })); // prettier-ignore
  // From here on it is the caller's to close.
  const built = ending.move();
  return {
    platform,
    root,
    as,
    run,
    zone: zone ?? '',
    tasks: tasks.map(({ taskArn = '' }) => taskArn.split('/').at(-1) ?? ''),
    vpc: Vpc?.VpcId ?? '',
    volume: volume.VolumeId ?? '',
    targetGroup: TargetGroups[0]?.TargetGroupArn ?? '',
    system: system.FileSystemId ?? '',
    newUser,
    newRole,
    settingOn: (name: 'tagResourceAuthorization', value: 'on' | 'off') =>
      root.ecs.send(new PutAccountSettingDefaultCommand({ name, value })),
    /** Clients that are made from now on, and the front door, are that far in the future. */
    skew: (ms: number) => void (skewMs = ms),
    close: () => built.disposeAsync(),
  };
}
