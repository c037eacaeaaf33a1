/** What each operation of a front takes, about things that are there: the inputs in their order make those things. As the SDK's clients take them. */
import { createHash } from 'node:crypto';

type Inputs = Record<string, Record<string, unknown>>;
/** Makes what the others need, and says what every operation takes. */
export type Ground = (call: (name: string, input: object) => Promise<Record<string, unknown>>) => Promise<Inputs>;

const account = '123456789012';
const region = 'us-east-1';
const arn = (service: string, resource: string) => `arn:aws:${service}:${region}:${account}:${resource}`;
const role = `arn:aws:iam::${account}:role/r`;
const Tags = [{ Key: 'team', Value: 'a' }];
const at = new Date(Date.UTC(2030, 0, 1));

/** All but what takes something away, in their order. */
const made =
  (inputs: Inputs): Ground =>
  async (call) => {
    for (const [name, input] of Object.entries(inputs)) if (!/^(Delete|Remove|Untag|Unlabel|Abort)/.test(name)) await call(name, input);
    return inputs;
  };

const subnets = { awsvpcConfiguration: { Subnets: ['subnet-1'], SecurityGroups: ['sg-1'], AssignPublicIp: 'ENABLED' } };
const ecs = { TaskDefinitionArn: arn('ecs', 'task-definition/job'), TaskCount: 1, LaunchType: 'FARGATE', NetworkConfiguration: subnets, Group: 'g', PropagateTags: 'TASK_DEFINITION', EnableECSManagedTags: true, EnableExecuteCommand: false, PlatformVersion: 'LATEST' }; // prettier-ignore
const retries = { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 2 };
const dead = { Arn: arn('logs', 'log-group:dead') };
const basic = { BasicAuthParameters: { Username: 'u', Password: 'p' }, InvocationHttpParameters: { HeaderParameters: [{ Key: 'X-A', Value: 'b', IsValueSecret: true }], QueryStringParameters: [{ Key: 'q', Value: 'b' }], BodyParameters: [{ Key: 'b', Value: 'c' }] } }; // prettier-ignore
const bus = arn('events', 'event-bus/default');
const cluster = arn('ecs', 'cluster/default');
const logTarget = { Id: 'log', Arn: arn('logs', 'log-group:/g'), InputTransformer: { InputPathsMap: { n: '$.detail.n' }, InputTemplate: '{"a": <n>}' } }; // prettier-ignore
const ecsTarget = { Id: 'ecs', Arn: cluster, RoleArn: role, EcsParameters: { ...ecs, CapacityProviderStrategy: undefined }, RetryPolicy: retries, DeadLetterConfig: dead, Input: '{}' }; // prettier-ignore
const pattern = JSON.stringify({ source: ['shop'], detail: { n: [{ numeric: ['>', 1] }], s: [{ prefix: 'a' }, { wildcard: 'a*b' }] } });

export const events = made({
  CreateEventBus: { Name: 'b', Description: 'd', Tags, LogConfig: { IncludeDetail: 'NONE', Level: 'OFF' } },
  UpdateEventBus: { Name: 'b', Description: 'e' },
  DescribeEventBus: { Name: 'b' },
  ListEventBuses: { NamePrefix: 'b', Limit: 10 },
  PutRule: { Name: 'n', EventPattern: pattern, State: 'ENABLED', Description: 'd', RoleArn: role, EventBusName: 'default', Tags },
  DescribeRule: { Name: 'n', EventBusName: 'default' },
  EnableRule: { Name: 'n' },
  DisableRule: { Name: 'n' },
  PutTargets: { Rule: 'n', Targets: [logTarget, ecsTarget] },
  ListTargetsByRule: { Rule: 'n', Limit: 1 },
  ListRules: { NamePrefix: 'n', EventBusName: 'default', Limit: 10 },
  ListRuleNamesByTarget: { TargetArn: cluster, Limit: 10 },
  RemoveTargets: { Rule: 'n', Ids: ['log'], Force: true },
  DeleteRule: { Name: 'gone', Force: true },
  ListTagsForResource: { ResourceARN: arn('events', 'rule/n') },
  TagResource: { ResourceARN: arn('events', 'rule/n'), Tags },
  UntagResource: { ResourceARN: arn('events', 'rule/n'), TagKeys: ['team'] },
  CreateConnection: { Name: 'c', AuthorizationType: 'BASIC', AuthParameters: basic, Description: 'd' },
  UpdateConnection: { Name: 'c', AuthorizationType: 'API_KEY', AuthParameters: { ApiKeyAuthParameters: { ApiKeyName: 'k', ApiKeyValue: 'v' } } }, // prettier-ignore
  DescribeConnection: { Name: 'c' },
  ListConnections: { NamePrefix: 'c', ConnectionState: 'AUTHORIZED', Limit: 10 },
  CreateApiDestination: { Name: 'a', ConnectionArn: arn('events', 'connection/c'), InvocationEndpoint: 'https://example.com/*', HttpMethod: 'POST', InvocationRateLimitPerSecond: 10, Description: 'd' }, // prettier-ignore
  UpdateApiDestination: { Name: 'a', InvocationEndpoint: 'https://example.com/b', HttpMethod: 'PUT' },
  DescribeApiDestination: { Name: 'a' },
  ListApiDestinations: { NamePrefix: 'a', Limit: 10 },
  DeleteApiDestination: { Name: 'gone' },
  DeleteConnection: { Name: 'gone' },
  DeleteEventBus: { Name: 'gone' },
  PutEvents: { Entries: [{ Time: at, Source: 'shop', Resources: ['r'], DetailType: 'd', Detail: '{"n":1}', EventBusName: 'default', TraceHeader: 't' }] }, // prettier-ignore
  TestEventPattern: { EventPattern: pattern, Event: JSON.stringify({ id: '1', account, source: 'shop', time: '2026-01-01T00:00:00Z', region, resources: [], 'detail-type': 'd', detail: { n: 2 } }) }, // prettier-ignore
});

const schedule = { Name: 's', GroupName: 'g', ScheduleExpression: 'cron(0 3 ? * MON#2 2027-2030)', ScheduleExpressionTimezone: 'Europe/Berlin', StartDate: at, EndDate: new Date(Number(at) + 86_400_000), State: 'ENABLED', Description: 'd', FlexibleTimeWindow: { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 15 }, ActionAfterCompletion: 'DELETE', Target: { Arn: cluster, RoleArn: role, EcsParameters: ecs, RetryPolicy: retries, DeadLetterConfig: dead, Input: '{}' } }; // prettier-ignore
const group = arn('scheduler', 'schedule-group/g');
export const scheduler = made({
  CreateScheduleGroup: { Name: 'g', Tags },
  GetScheduleGroup: { Name: 'g' },
  ListScheduleGroups: { NamePrefix: 'g', MaxResults: 10 },
  CreateSchedule: { ...schedule },
  UpdateSchedule: { ...schedule, ScheduleExpression: 'rate(5 minutes)', FlexibleTimeWindow: { Mode: 'OFF' }, Target: { Arn: bus, RoleArn: role, EventBridgeParameters: { Source: 's', DetailType: 'd' }, Input: '{}' } }, // prettier-ignore
  GetSchedule: { Name: 's', GroupName: 'g' },
  ListSchedules: { GroupName: 'g', NamePrefix: 's', State: 'ENABLED', MaxResults: 10 },
  ListTagsForResource: { ResourceArn: group },
  TagResource: { ResourceArn: group, Tags },
  UntagResource: { ResourceArn: group, TagKeys: ['team'] },
  DeleteSchedule: { Name: 'gone', GroupName: 'g' },
  DeleteScheduleGroup: { Name: 'gone' },
});

const Dimensions = [{ Name: 'Service', Value: 'web' }];
const metric = { Namespace: 'My/App', MetricName: 'm', Dimensions };
const alarm = arn('cloudwatch', 'alarm:a');
const [StartTime, EndTime] = [new Date(Date.UTC(2026, 10, 1)), new Date(Date.UTC(2026, 10, 2))];
const queries = [
  { Id: 'q', MetricStat: { Metric: metric, Period: 60, Stat: 'Average', Unit: 'Count' }, Label: 'l', ReturnData: false },
  { Id: 'e', Expression: 'q * 2 + METRICS()', Label: 'l', ReturnData: true, Period: 60 },
];
const watched = { EvaluationPeriods: 2, DatapointsToAlarm: 1, Threshold: 1, ComparisonOperator: 'GreaterThanThreshold', TreatMissingData: 'missing', ActionsEnabled: true, OKActions: [arn('logs', 'log-group:ok')], AlarmDescription: 'd', Tags }; // prettier-ignore
export const cloudwatch = made({
  PutMetricData: { Namespace: 'My/App', MetricData: [{ MetricName: 'm', Dimensions, Value: 1, Unit: 'Count', StorageResolution: 60 }, { MetricName: 'n', Values: [1, 2], Counts: [3, 4] }, { MetricName: 's', StatisticValues: { SampleCount: 2, Sum: 3, Minimum: 1, Maximum: 2 } }] }, // prettier-ignore
  GetMetricData: { MetricDataQueries: queries, StartTime, EndTime, ScanBy: 'TimestampDescending', MaxDatapoints: 100, LabelOptions: { Timezone: '+0100' } }, // prettier-ignore
  GetMetricStatistics: { ...metric, StartTime, EndTime, Period: 3600, Statistics: ['Sum'], ExtendedStatistics: ['p99'], Unit: 'Count' },
  ListMetrics: { Namespace: 'My/App', MetricName: 'm', Dimensions, RecentlyActive: 'PT3H' },
  PutMetricAlarm: { AlarmName: 'a', ...metric, Period: 60, Statistic: 'Sum', ...watched },
  PutCompositeAlarm: { AlarmName: 'both', AlarmRule: 'ALARM("a") AND NOT AT_LEAST(50%, OK, (a))', ActionsEnabled: true, OKActions: watched.OKActions, AlarmDescription: 'd', Tags }, // prettier-ignore
  DescribeAlarms: { AlarmNames: ['a'], AlarmTypes: ['MetricAlarm', 'CompositeAlarm'], StateValue: 'INSUFFICIENT_DATA', MaxRecords: 10 },
  DescribeAlarmsForMetric: { ...metric, Statistic: 'Sum', Period: 60 },
  DescribeAlarmHistory: { AlarmName: 'a', AlarmTypes: ['MetricAlarm'], HistoryItemType: 'StateUpdate', StartDate: StartTime, EndDate: EndTime, MaxRecords: 10, ScanBy: 'TimestampAscending' }, // prettier-ignore
  EnableAlarmActions: { AlarmNames: ['a'] },
  DisableAlarmActions: { AlarmNames: ['a'] },
  SetAlarmState: { AlarmName: 'a', StateValue: 'ALARM', StateReason: 'r', StateReasonData: '{}' },
  ListTagsForResource: { ResourceARN: alarm },
  TagResource: { ResourceARN: alarm, Tags },
  UntagResource: { ResourceARN: alarm, TagKeys: ['team'] },
  PutDashboard: { DashboardName: 'd', DashboardBody: '{"widgets":[]}' },
  GetDashboard: { DashboardName: 'd' },
  ListDashboards: { DashboardNamePrefix: 'd' },
  DeleteAlarms: { AlarmNames: ['gone'] },
  DeleteDashboards: { DashboardNames: ['gone'] },
});

export const ssm = made({
  PutParameter: { Name: '/a/b', Value: 'v', Description: 'd', Type: 'SecureString', Overwrite: true, AllowedPattern: '^.*$', Tier: 'Standard', DataType: 'text' }, // prettier-ignore
  GetParameter: { Name: '/a/b:1', WithDecryption: true },
  GetParameters: { Names: ['/a/b', 'gone'], WithDecryption: true },
  GetParameterHistory: { Name: '/a/b', WithDecryption: true, MaxResults: 10 },
  GetParametersByPath: { Path: '/a', Recursive: true, ParameterFilters: [{ Key: 'Type', Option: 'Equals', Values: ['SecureString'] }], MaxResults: 10 }, // prettier-ignore
  DescribeParameters: { ParameterFilters: [{ Key: 'Name', Option: 'BeginsWith', Values: ['/a'] }], MaxResults: 10 },
  LabelParameterVersion: { Name: '/a/b', Labels: ['l'], ParameterVersion: 1 },
  UnlabelParameterVersion: { Name: '/a/b', Labels: ['l'], ParameterVersion: 1 },
  AddTagsToResource: { ResourceType: 'Parameter', ResourceId: '/a/b', Tags },
  RemoveTagsFromResource: { ResourceType: 'Parameter', ResourceId: '/a/b', TagKeys: ['team'] },
  ListTagsForResource: { ResourceType: 'Parameter', ResourceId: '/a/b' },
  DeleteParameters: { Names: ['gone'] },
  DeleteParameter: { Name: 'gone' },
  ResumeSession: { SessionId: 's' },
  TerminateSession: { SessionId: 's' },
});

const policy = (Resource: string) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'secretsmanager:GetSecretValue', Resource }] }); // prettier-ignore
const token = 'a'.repeat(32);
export const secretsmanager = made({
  CreateSecret: { Name: 's', ClientRequestToken: token, Description: 'd', SecretString: '{"a":"b"}', Tags },
  DescribeSecret: { SecretId: 's' },
  PutSecretValue: { SecretId: 's', ClientRequestToken: 'b'.repeat(32), SecretString: 'c', VersionStages: ['AWSPENDING'] },
  UpdateSecretVersionStage: { SecretId: 's', VersionStage: 'mine', MoveToVersionId: token },
  GetSecretValue: { SecretId: 's', VersionId: token, VersionStage: 'AWSCURRENT' },
  BatchGetSecretValue: { SecretIdList: ['s', 'gone'] },
  UpdateSecret: { SecretId: 's', Description: 'e', SecretBinary: Buffer.from([0, 1]), ClientRequestToken: 'c'.repeat(32) },
  ListSecrets: {
    IncludePlannedDeletion: true,
    MaxResults: 10,
    Filters: [{ Key: 'name', Values: ['s'] }],
    SortOrder: 'asc',
    SortBy: 'name',
  },
  ListSecretVersionIds: { SecretId: 's', MaxResults: 10, IncludeDeprecated: true },
  TagResource: { SecretId: 's', Tags },
  UntagResource: { SecretId: 's', TagKeys: ['team'] },
  PutResourcePolicy: { SecretId: 's', ResourcePolicy: policy('*'), BlockPublicPolicy: true },
  GetResourcePolicy: { SecretId: 's' },
  ValidateResourcePolicy: { SecretId: 's', ResourcePolicy: policy('*') },
  DeleteResourcePolicy: { SecretId: 's' },
  RestoreSecret: { SecretId: 's' },
  DeleteSecret: { SecretId: 'gone', RecoveryWindowInDays: 7 },
  GetRandomPassword: { PasswordLength: 20, ExcludeCharacters: 'abc', ExcludeNumbers: false, ExcludePunctuation: true, ExcludeUppercase: false, ExcludeLowercase: false, IncludeSpace: false, RequireEachIncludedType: true }, // prettier-ignore
});

const digestOf = (bytes: string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const lifecycle = JSON.stringify({ rules: [{ rulePriority: 1, selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 1 }, action: { type: 'expire' } }] }); // prettier-ignore

/** With an image in the repository, and an upload on its way. */
export const ecr: Ground = async (call) => {
  const repositoryName = 'team/app';
  await call('CreateRepository', { repositoryName });
  const layer = async (bytes: string): Promise<{ digest: string; size: number }> => {
    const { uploadId } = await call('InitiateLayerUpload', { repositoryName });
    await call('UploadLayerPart', { repositoryName, uploadId, partFirstByte: 0, partLastByte: bytes.length - 1, layerPartBlob: Buffer.from(bytes) }); // prettier-ignore
    await call('CompleteLayerUpload', { repositoryName, uploadId, layerDigests: [digestOf(bytes)] });
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', ...(await layer('{}')) };
  const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...(await layer('layer')) }];
  const imageManifestMediaType = 'application/vnd.oci.image.manifest.v1+json';
  const imageManifest = JSON.stringify({ schemaVersion: 2, mediaType: imageManifestMediaType, config, layers });
  const image = { imageTag: 'v1', imageDigest: digestOf(imageManifest) };
  const { uploadId } = await call('InitiateLayerUpload', { repositoryName });
  const resourceArn = arn('ecr', 'repository/team/app');
  const repositoryPolicy = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: 'ecr:GetDownloadUrlForLayer' }] }); // prettier-ignore
  const filter = { tagStatus: 'TAGGED' };
  return await made({
    CreateRepository: { repositoryName: 'other', tags: Tags, imageTagMutability: 'MUTABLE', imageScanningConfiguration: { scanOnPush: true }, encryptionConfiguration: { encryptionType: 'AES256' } }, // prettier-ignore
    DescribeRepositories: { repositoryNames: [repositoryName] },
    PutImageTagMutability: { repositoryName, imageTagMutability: 'MUTABLE_WITH_EXCLUSION', imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'latest*' }] }, // prettier-ignore
    PutImageScanningConfiguration: { repositoryName, imageScanningConfiguration: { scanOnPush: false } },
    TagResource: { resourceArn, tags: Tags },
    UntagResource: { resourceArn, tagKeys: ['team'] },
    ListTagsForResource: { resourceArn },
    PutImage: { repositoryName, imageManifest, imageManifestMediaType, ...image },
    BatchGetImage: { repositoryName, imageIds: [image], acceptedMediaTypes: [imageManifestMediaType] },
    ListImages: { repositoryName, maxResults: 10, filter },
    DescribeImages: { repositoryName, imageIds: [{ imageTag: 'v1' }] },
    BatchDeleteImage: { repositoryName, imageIds: [{ imageTag: 'gone' }] },
    BatchCheckLayerAvailability: { repositoryName, layerDigests: [config.digest] },
    GetDownloadUrlForLayer: { repositoryName, layerDigest: config.digest },
    InitiateLayerUpload: { repositoryName },
    UploadLayerPart: { repositoryName, uploadId, partFirstByte: 0, partLastByte: 3, layerPartBlob: Buffer.from('more') },
    CompleteLayerUpload: { repositoryName, uploadId, layerDigests: [digestOf('more')] },
    SetRepositoryPolicy: { repositoryName, policyText: repositoryPolicy, force: false },
    GetRepositoryPolicy: { repositoryName },
    DeleteRepositoryPolicy: { repositoryName },
    PutLifecyclePolicy: { repositoryName, lifecyclePolicyText: lifecycle },
    GetLifecyclePolicy: { repositoryName },
    StartLifecyclePolicyPreview: { repositoryName, lifecyclePolicyText: lifecycle },
    GetLifecyclePolicyPreview: { repositoryName, filter },
    DeleteLifecyclePolicy: { repositoryName },
    CreatePullThroughCacheRule: { ecrRepositoryPrefix: 'pub', upstreamRegistryUrl: 'public.ecr.aws', upstreamRegistry: 'ecr-public' },
    DescribePullThroughCacheRules: { ecrRepositoryPrefixes: ['pub'] },
    UpdatePullThroughCacheRule: {
      ecrRepositoryPrefix: 'pub',
      credentialArn: arn('secretsmanager', 'secret:ecr-pullthroughcache/a-AAAAAA'),
    },
    DeletePullThroughCacheRule: { ecrRepositoryPrefix: 'gone' },
    DeleteRepository: { repositoryName: 'gone', force: true },
    GetAuthorizationToken: {},
    DescribeRegistry: {},
  })(call);
};

const conditions = { IfMatch: undefined, IfNoneMatch: undefined, ExpectedBucketOwner: account };
const headers = { CacheControl: 'no-cache', ContentDisposition: 'inline', ContentEncoding: 'gzip', ContentLanguage: 'en', ContentType: 'text/plain', Metadata: { a: 'b' }, Tagging: 'team=a' }; // prettier-ignore

/** With an object, and an upload of two parts. */
export const s3: Ground = async (call) => {
  const Bucket = 'one';
  const object = { Bucket, Key: 'dir/key' };
  await call('CreateBucket', { Bucket });
  await call('PutObject', { ...object, Body: Buffer.from('bytes') });
  const { UploadId } = await call('CreateMultipartUpload', { Bucket, Key: 'up' });
  const upload = { Bucket, Key: 'up', UploadId };
  const { ETag } = await call('UploadPart', { ...upload, PartNumber: 1, Body: Buffer.from('part') });
  const ofBucket = ['HeadBucket', 'GetBucketLocation', 'GetBucketPolicy', 'GetBucketPolicyStatus', 'GetBucketCors', 'GetBucketWebsite', 'GetBucketEncryption', 'GetBucketLifecycleConfiguration', 'GetBucketReplication', 'GetObjectLockConfiguration', 'GetBucketVersioning', 'GetBucketAccelerateConfiguration', 'GetBucketLogging', 'GetBucketNotificationConfiguration', 'GetBucketRequestPayment', 'DeleteBucketPolicy', 'DeleteBucketCors', 'DeleteBucketWebsite', 'DeleteBucketEncryption', 'DeleteBucketLifecycle', 'DeleteBucketReplication', 'GetBucketAcl', 'GetPublicAccessBlock', 'DeletePublicAccessBlock', 'GetBucketOwnershipControls', 'DeleteBucketOwnershipControls', 'GetBucketTagging', 'DeleteBucketTagging']; // prettier-ignore
  return {
    ...Object.fromEntries(ofBucket.map((name) => [name, { Bucket, ExpectedBucketOwner: account }])),
    CreateBucket: { Bucket: 'two', ObjectOwnership: 'BucketOwnerEnforced', CreateBucketConfiguration: { Tags } },
    DeleteBucket: { Bucket: 'gone' },
    ListBuckets: { MaxBuckets: 10, Prefix: 'o', BucketRegion: region },
    GetObjectAcl: object,
    PutPublicAccessBlock: { Bucket, PublicAccessBlockConfiguration: { BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true } }, // prettier-ignore
    PutBucketOwnershipControls: { Bucket, OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] } },
    PutBucketLifecycleConfiguration: { Bucket, LifecycleConfiguration: { Rules: [{ ID: 'r', Status: 'Enabled', Filter: { And: { Prefix: 'p/', Tags, ObjectSizeGreaterThan: 1 } }, Expiration: { Days: 1 } }, { ID: 'u', Status: 'Enabled', Filter: { Prefix: 'u' }, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }] } }, // prettier-ignore
    ListObjectsV2: { Bucket, Delimiter: '/', EncodingType: 'url', MaxKeys: 10, Prefix: 'dir', StartAfter: 'a', FetchOwner: true },
    ListObjects: { Bucket, Delimiter: '/', Marker: 'a', MaxKeys: 10, Prefix: 'dir' },
    ListObjectVersions: { Bucket, Delimiter: '/', KeyMarker: 'a', MaxKeys: 10, Prefix: 'dir' },
    GetObject: { ...object, Range: 'bytes=0-1', ResponseContentType: 'text/plain', ChecksumMode: 'ENABLED', ...conditions },
    HeadObject: { ...object, PartNumber: 1, ...conditions },
    GetObjectAttributes: { ...object, ObjectAttributes: ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'], MaxParts: 1 },
    PutObject: { ...object, Body: Buffer.from('bytes'), ...headers, StorageClass: 'STANDARD', ...conditions },
    CopyObject: { Bucket, Key: 'copy', CopySource: 'one/dir/key', ...headers, MetadataDirective: 'REPLACE', TaggingDirective: 'REPLACE' },
    DeleteObject: { Bucket, Key: 'gone' },
    DeleteObjects: { Bucket, Delete: { Objects: [{ Key: 'gone' }], Quiet: false } },
    CreateMultipartUpload: { Bucket, Key: 'another', ...headers, ChecksumAlgorithm: 'CRC32', ChecksumType: 'COMPOSITE' },
    UploadPart: { ...upload, PartNumber: 2, Body: Buffer.from('part') },
    UploadPartCopy: { ...upload, PartNumber: 3, CopySource: 'one/dir/key', CopySourceRange: 'bytes=0-1' },
    ListParts: { ...upload, MaxParts: 10 },
    ListMultipartUploads: { Bucket, Delimiter: '/', MaxUploads: 10, Prefix: 'u' },
    CompleteMultipartUpload: { ...upload, MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] } },
    AbortMultipartUpload: { ...upload, UploadId: 'gone' },
    PutBucketTagging: { Bucket, Tagging: { TagSet: Tags } },
    GetObjectTagging: object,
    PutObjectTagging: { ...object, Tagging: { TagSet: Tags } },
    DeleteObjectTagging: object,
  };
};
