/**
 * The only door to the database. Asynchronous from the first line, so that PostgreSQL can stand behind it too.
 *
 * A write transaction resolves once it is synced to disk; several that wait together share one commit. Every record carries a revision
 * of its own; a write that names the revision it read fails with Fault('RevisionConflict') when somebody was faster. Transactions are
 * serialisable. `fn` may run only once, and may not await anything but the transaction's own calls.
 */
import type { AlarmRecord } from '#domain/alarm.ts';
import type { DashboardRecord } from '#domain/dashboard.ts';
import type {
  AttributeRecord,
  ClientTokenRecord,
  ClusterRecord,
  HostRecord,
  SecurityGroupRecord,
  SettingRecord,
  SubnetRecord,
  TaskDefinitionRecord,
  VpcRecord,
} from '#domain/records.ts';
import type { CertificateRecord } from '#domain/certificate.ts';
import type {
  ApiDestinationRecord,
  ConnectionRecord,
  EventBusRecord,
  EventRuleRecord,
  ScheduleGroupRecord,
  ScheduleRecord,
} from '#domain/event.ts';
import type { AccessPointRecord, FileSystemDeletionRecord, FileSystemRecord, MountTargetRecord } from '#domain/file-system.ts';
import type { AccessKeyRecord, IamStampRecord, InstanceProfileRecord, PolicyRecord, RoleRecord, UserRecord } from '#domain/iam.ts';
import type { ListenerRecord, LoadBalancerRecord, RuleRecord, TargetGroupRecord, TargetRecord } from '#domain/load-balancer.ts';
import type { InternetGatewayRecord, RouteTableRecord, SecurityGroupRuleRecord } from '#domain/network.ts';
import type { ParameterRecord, ParameterVersionRecord } from '#domain/parameter.ts';
import type { BucketSystemRecord } from '#domain/s3-files.ts';
import type { Scope } from '#domain/scope.ts';
import type { SecretRecord, SecretVersionRecord } from '#domain/secret.ts';
import type {
  ServiceDeploymentRecord,
  ServiceEventRecord,
  ServiceKey,
  ServiceRecord,
  ServiceRevisionRecord,
  TaskSetRecord,
} from '#domain/service.ts';
import type { SnapshotRecord, VolumeRecord } from '#domain/volume.ts';
import type { DesiredStatus, TaskDesired, TaskKey, TaskObserved, TaskPlacement, TaskRecord, TaskStatus } from '#domain/task.ts';
import type { UsageEntry, UsageKind, UsageSpan } from '#domain/usage.ts';
import type { ChangeRows, WritableChangeRows } from './change-rows.ts';
import type { DeliveryRows, EventRows, WritableDeliveryRows, WritableEventRows } from './event-rows.ts';

import type { RegistryReads, RegistryWrites } from './registry-tables.ts';

export type { RegistryPage } from './registry-tables.ts';

export type TableName =
  | 'clusters'
  | 'taskDefinitions'
  | 'tasks'
  | 'vpcs'
  | 'subnets'
  | 'securityGroups'
  | 'securityGroupRules'
  | 'routeTables'
  | 'internetGateways'
  | 'fileSystems'
  | 'fileSystemDeletions'
  | 'accessPoints'
  | 'mountTargets'
  | 'bucketSystems'
  | 'bucketAccessPoints'
  | 'bucketMountTargets'
  | 'volumes'
  | 'snapshots'
  | 'alarms'
  | 'dashboards'
  | 'settings'
  | 'attributes'
  | 'clientTokens'
  | 'hosts'
  | 'leases'
  | 'services'
  | 'serviceRevisions'
  | 'serviceDeployments'
  | 'serviceEvents'
  | 'taskSets'
  | 'loadBalancers'
  | 'listeners'
  | 'listenerRules'
  | 'targetGroups'
  | 'targets'
  | 'certificates'
  | 'iamUsers'
  | 'iamRoles'
  | 'iamPolicies'
  | 'iamInstanceProfiles'
  | 'iamAccessKeys'
  | 'iamStamps'
  | 'usage'
  | 'secrets'
  | 'secretVersions'
  | 'parameters'
  | 'parameterVersions'
  | 'changes'
  | 'events'
  | 'eventDeliveries'
  | 'eventBuses'
  | 'eventRules'
  | 'eventConnections'
  | 'eventDestinations'
  | 'scheduleGroups'
  | 'schedules'
  | 'ecrRepositories'
  | 'ecrImages'
  | 'ecrTags'
  | 'ecrLayers'
  | 'pullThroughRules';

export type Store = {
  read<T>(fn: (tx: ReadTx) => Promise<T>): Promise<T>;
  write<T>(fn: (tx: WriteTx) => Promise<T>): Promise<T>;
  /** A hint that rows of these tables changed, after the commit; may be missed, coalesced or late. Returns the way to stop. */
  onChange(tables: TableName[], fn: () => void): () => void;
  close(): Promise<void>;
};

/** Whole-record tables: `put` inserts (expected 0) or replaces (expected = revision read); returns the record with its new revision. */
export type Rows<R extends { key: object; revision: number }> = {
  get(key: R['key']): Promise<R | undefined>;
  /** All rows whose key has these parts, ordered by key. */
  list(partialKey: Partial<R['key']>): Promise<R[]>;
};
export type WritableRows<R extends { key: object; revision: number }> = Rows<R> & {
  put(record: Omit<R, 'revision'>, expected: number): Promise<R>;
  delete(key: R['key']): Promise<boolean>;
};

/** Records with two writers: one revision for both columns. */
export type SplitRecord = { key: object; revision: number; desired: object; observed: object };
export type WritableSplitRows<R extends SplitRecord> = Rows<R> & {
  insert(key: R['key'], desired: R['desired'], observed: R['observed']): Promise<R>;
  setDesired(key: R['key'], desired: R['desired'], expected: number): Promise<R>;
  setObserved(key: R['key'], observed: R['observed'], expected: number): Promise<R>;
  delete(key: R['key']): Promise<boolean>;
};

export type TaskFilter = Partial<Scope> & {
  cluster?: string;
  family?: string;
  group?: string;
  startedBy?: string;
  hostId?: string;
  /** As ListTasks has it: `effectiveDesired`. */
  desired?: DesiredStatus;
  /** Only tasks whose observed status is not STOPPED (the work of the loops). */
  live?: boolean;
  status?: TaskStatus[];
  unplaced?: boolean;
  stoppedBefore?: number;
  /** Ids after this one, in order of id; for paging. */
  afterId?: string;
  limit?: number;
};

/** The short of a live task, without its JSON: for looking over all of them. */
export type TaskSlot = {
  id: string;
  /** What its host is told: a task that is to stop goes on until no target group has it any more. */
  desired: DesiredStatus;
  status: TaskStatus;
  hostId: string | null;
  subnetId: string;
  ip: string | null;
  placedAt: number | null;
  cpuMillis: number;
  memoryBytes: number;
};

/** How many live tasks of a service are alike. */
export type ServiceCount = {
  /** From `startedBy`, `ecs-svc/ID`. */
  revisionId: string | null;
  status: TaskStatus;
  /** `effectiveDesired`. */
  desired: DesiredStatus;
  count: number;
};

/** The short of a service's live task, for wiring it to target groups. */
export type ServiceTaskSlot = {
  id: string;
  service: ServiceKey;
  /** `ecs-svc/REVISION`. */
  startedBy: string | null;
  /** What is wished for, whatever its host is told yet. */
  desired: DesiredStatus;
  /** It stopped, or is about to, by itself. */
  ended: boolean;
  status: TaskStatus;
  ip: string | null;
  subnetId: string;
};

/** Differs whenever the service, one of its open deployments, its task sets, its tasks or their targets do. */
export type ServiceStamp = { key: ServiceKey; stamp: string };

export type TaskRows = {
  get(key: TaskKey): Promise<TaskRecord | undefined>;
  byId(id: string): Promise<TaskRecord | undefined>;
  /** Ordered by id. */
  list(filter: TaskFilter): Promise<TaskRecord[]>;
  count(filter: TaskFilter): Promise<number>;
  /** Every live task, or those of one host; in no order. */
  slots(hostId?: string): Promise<TaskSlot[]>;
  /** A service's tasks: those that live, and those that ended since `setAccounted`; ordered by id. */
  ofService(key: ServiceKey): Promise<TaskRecord[]>;
  /** Ids and revisions of the same, without their JSON. */
  serviceSlots(key: ServiceKey): Promise<{ id: string; revision: number }[]>;
  /** A service's live tasks, counted without their JSON. */
  serviceCounts(key: ServiceKey): Promise<ServiceCount[]>;
  /** Every live task of every service. */
  serviceTaskSlots(): Promise<ServiceTaskSlot[]>;
  /** Tasks with the tag `berth:endpoint`: those that live, and of each name the one that stopped last. */
  endpoints(): Promise<TaskRecord[]>;
  /** The address that was given out last in a subnet, to a live or a stopped task. */
  lastAddress(subnetId: string): Promise<string | undefined>;
};
export type WritableTaskRows = TaskRows & {
  /** Writers: intent, and for a service's tasks control/services. */
  insert(key: TaskKey, desired: TaskDesired, observed: TaskObserved): Promise<TaskRecord>;
  /** Writers: intent, and for a service's tasks control/services. */
  setDesired(key: TaskKey, desired: TaskDesired, expected: number): Promise<TaskRecord>;
  /** Writer: control/placement. */
  setPlacement(key: TaskKey, placement: TaskPlacement, expected: number): Promise<TaskRecord>;
  /** Writers: control/host-session, control/placement for a task without a host. Checks `assertTaskMove`. */
  setObserved(key: TaskKey, observed: TaskObserved, expected: number): Promise<TaskRecord>;
  /** The service loop has taken note of the end of these tasks. Writer: control/services. */
  setAccounted(ids: readonly string[]): Promise<void>;
  delete(key: TaskKey): Promise<boolean>;
};

/** Where a page of the ledger ended. */
export type UsagePlace = { to: number; kind: string; id: string; from: number };
export type UsageRows = {
  /** Entries that reach into the span, in the order of their ends; further ones after the place of the last. */
  page(scope: Scope, span: UsageSpan, after: UsagePlace | undefined, limit: number): Promise<UsageEntry[]>;
  /** Where the last entry of one ends; undefined: there is none. Only of file systems is this quick. */
  lastEnd(kind: UsageKind, id: string): Promise<number | undefined>;
  /** Whether an entry ended before. */
  hasBefore(before: number): Promise<boolean>;
};
export type WritableUsageRows = UsageRows & {
  /** Nothing where the entry lasted no time. A task's is added by `setObserved` itself, in the transaction that says that it is STOPPED. */
  add(entry: UsageEntry): Promise<void>;
  /** Deletes up to `limit` entries that ended before; how many they were. */
  expire(before: number, limit: number): Promise<number>;
};

export type LeaseRow = { name: string; holder: string; fence: number; expiresAt: number };

export type ReadTx = RegistryReads & {
  clusters: Rows<ClusterRecord>;
  taskDefinitions: Rows<TaskDefinitionRecord>;
  vpcs: Rows<VpcRecord>;
  subnets: Rows<SubnetRecord>;
  securityGroups: Rows<SecurityGroupRecord>;
  securityGroupRules: Rows<SecurityGroupRuleRecord>;
  routeTables: Rows<RouteTableRecord>;
  internetGateways: Rows<InternetGatewayRecord>;
  fileSystems: Rows<FileSystemRecord>;
  fileSystemDeletions: Rows<FileSystemDeletionRecord>;
  accessPoints: Rows<AccessPointRecord>;
  mountTargets: Rows<MountTargetRecord>;
  /** Of S3 Files. */
  bucketSystems: Rows<BucketSystemRecord>;
  bucketAccessPoints: Rows<AccessPointRecord>;
  bucketMountTargets: Rows<MountTargetRecord>;
  volumes: Rows<VolumeRecord>;
  snapshots: Rows<SnapshotRecord>;
  alarms: Rows<AlarmRecord>;
  dashboards: Rows<DashboardRecord>;
  settings: Rows<SettingRecord>;
  attributes: Rows<AttributeRecord>;
  clientTokens: Rows<ClientTokenRecord>;
  hosts: Rows<HostRecord>;
  services: Rows<ServiceRecord>;
  serviceRevisions: Rows<ServiceRevisionRecord>;
  serviceDeployments: Rows<ServiceDeploymentRecord>;
  serviceEvents: Rows<ServiceEventRecord>;
  taskSets: Rows<TaskSetRecord>;
  /** Of every service; ordered by key. */
  serviceStamps(): Promise<ServiceStamp[]>;
  /** A service's deployments that have not ended; ordered by id. */
  openDeployments(key: ServiceKey): Promise<ServiceDeploymentRecord[]>;
  loadBalancers: Rows<LoadBalancerRecord>;
  listeners: Rows<ListenerRecord>;
  listenerRules: Rows<RuleRecord>;
  targetGroups: Rows<TargetGroupRecord>;
  targets: Rows<TargetRecord>;
  /** The targets that stand for a task. */
  targetsOfTask(taskId: string): Promise<TargetRecord[]>;
  certificates: Rows<CertificateRecord>;
  iamUsers: Rows<UserRecord>;
  iamRoles: Rows<RoleRecord>;
  iamPolicies: Rows<PolicyRecord>;
  iamInstanceProfiles: Rows<InstanceProfileRecord>;
  iamAccessKeys: Rows<AccessKeyRecord>;
  iamStamps: Rows<IamStampRecord>;
  secrets: Rows<SecretRecord>;
  secretVersions: Rows<SecretVersionRecord>;
  parameters: Rows<ParameterRecord>;
  parameterVersions: Rows<ParameterVersionRecord>;
  /** Tables any of whose rows has this text in its JSON. Reads all of the database. */
  tablesWith(text: string): Promise<string[]>;
  /** Whoever's it is: ids are unique beyond accounts. */
  accessKeyById(id: string): Promise<AccessKeyRecord | undefined>;
  changes: ChangeRows;
  events: EventRows;
  eventDeliveries: DeliveryRows;
  eventBuses: Rows<EventBusRecord>;
  eventRules: Rows<EventRuleRecord>;
  eventConnections: Rows<ConnectionRecord>;
  eventDestinations: Rows<ApiDestinationRecord>;
  scheduleGroups: Rows<ScheduleGroupRecord>;
  schedules: Rows<ScheduleRecord>;
  tasks: TaskRows;
  usage: UsageRows;
  /** Highest taskRevision ever registered in a family (revision numbers are never reused); 0 when none. */
  lastTaskRevision(scope: Scope, family: string): Promise<number>;
};

export type WriteTx = RegistryWrites & {
  clusters: WritableRows<ClusterRecord>;
  taskDefinitions: WritableRows<TaskDefinitionRecord>;
  vpcs: WritableRows<VpcRecord>;
  subnets: WritableRows<SubnetRecord>;
  securityGroups: WritableRows<SecurityGroupRecord>;
  securityGroupRules: WritableRows<SecurityGroupRuleRecord>;
  routeTables: WritableRows<RouteTableRecord>;
  internetGateways: WritableRows<InternetGatewayRecord>;
  fileSystems: WritableRows<FileSystemRecord>;
  fileSystemDeletions: WritableSplitRows<FileSystemDeletionRecord>;
  accessPoints: WritableRows<AccessPointRecord>;
  mountTargets: WritableRows<MountTargetRecord>;
  bucketSystems: WritableSplitRows<BucketSystemRecord>;
  bucketAccessPoints: WritableRows<AccessPointRecord>;
  bucketMountTargets: WritableRows<MountTargetRecord>;
  volumes: WritableSplitRows<VolumeRecord>;
  snapshots: WritableSplitRows<SnapshotRecord>;
  alarms: WritableSplitRows<AlarmRecord>;
  dashboards: WritableRows<DashboardRecord>;
  settings: WritableRows<SettingRecord>;
  attributes: WritableRows<AttributeRecord>;
  clientTokens: WritableRows<ClientTokenRecord>;
  hosts: WritableRows<HostRecord>;
  services: WritableSplitRows<ServiceRecord>;
  serviceRevisions: WritableSplitRows<ServiceRevisionRecord>;
  serviceDeployments: WritableSplitRows<ServiceDeploymentRecord>;
  serviceEvents: WritableRows<ServiceEventRecord>;
  taskSets: WritableSplitRows<TaskSetRecord>;
  serviceStamps(): Promise<ServiceStamp[]>;
  openDeployments(key: ServiceKey): Promise<ServiceDeploymentRecord[]>;
  loadBalancers: WritableSplitRows<LoadBalancerRecord>;
  listeners: WritableSplitRows<ListenerRecord>;
  listenerRules: WritableSplitRows<RuleRecord>;
  targetGroups: WritableSplitRows<TargetGroupRecord>;
  targets: WritableSplitRows<TargetRecord>;
  /** The targets that stand for a task. */
  targetsOfTask(taskId: string): Promise<TargetRecord[]>;
  certificates: WritableSplitRows<CertificateRecord>;
  iamUsers: WritableRows<UserRecord>;
  iamRoles: WritableRows<RoleRecord>;
  iamPolicies: WritableRows<PolicyRecord>;
  iamInstanceProfiles: WritableRows<InstanceProfileRecord>;
  iamAccessKeys: WritableRows<AccessKeyRecord>;
  iamStamps: WritableRows<IamStampRecord>;
  secrets: WritableRows<SecretRecord>;
  secretVersions: WritableRows<SecretVersionRecord>;
  parameters: WritableRows<ParameterRecord>;
  parameterVersions: WritableRows<ParameterVersionRecord>;
  tablesWith(text: string): Promise<string[]>;
  /** Gives up to `limit` encrypted values that begin so to `rewrap`, and keeps what it gives back; how many they were. Writer: control/vault. */
  rewrapSealed(prefix: string, limit: number, rewrap: (blob: string) => string | null): Promise<number>;
  /** Whoever's it is: ids are unique beyond accounts. */
  accessKeyById(id: string): Promise<AccessKeyRecord | undefined>;
  changes: WritableChangeRows;
  events: WritableEventRows;
  eventDeliveries: WritableDeliveryRows;
  eventBuses: WritableRows<EventBusRecord>;
  eventRules: WritableSplitRows<EventRuleRecord>;
  eventConnections: WritableRows<ConnectionRecord>;
  eventDestinations: WritableRows<ApiDestinationRecord>;
  scheduleGroups: WritableRows<ScheduleGroupRecord>;
  schedules: WritableSplitRows<ScheduleRecord>;
  tasks: WritableTaskRows;
  usage: WritableUsageRows;
  lastTaskRevision(scope: Scope, family: string): Promise<number>;
  /** Takes or renews a lease; the fence grows each time the holder changes. undefined while somebody else holds it. */
  takeLease(name: string, holder: string, now: number, ttlMs: number): Promise<LeaseRow | undefined>;
  /** Ends a lease whoever holds it; its fence is kept. Only for one who knows that the holder is dead. */
  expireLease(name: string): Promise<void>;
  /** Deletes up to `limit` client tokens that expired before; how many they were. */
  expireClientTokens(before: number, limit: number): Promise<number>;
};
