/** The store on SQLite (`node:sqlite`), embedded in the control plane. */
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
import { changeRows, withAlarmChanges, withDeploymentChanges, withHostChanges, withServiceActions } from './change-rows.ts';
import { deliveryRows, eventRows } from './event-rows.ts';
import { createGroupCommit } from './group-commit.ts';
import { registryTables } from './registry-tables.ts';
import type { CommitWatch } from './group-commit.ts';
import { wholeRows } from './rows.ts';
import { migrate } from './schema.ts';
import { rewrapSealed, tablesWith } from './sealed.ts';
import { OPEN, serviceStamps } from './service-stamps.ts';
import type { Session } from './session.ts';
import { splitRows } from './split-rows.ts';
import { openSqlite } from './sqlite.ts';
import { taskRows } from './task-rows.ts';
import { usageRows } from './usage-rows.ts';
import type { LeaseRow, Store, TableName, WritableRows, WriteTx } from './types.ts';

export type SqliteStoreOptions = {
  /** Path of the database file, or `:memory:`. Its directory must be there. */
  path: string;
  /** Bound on the size of the file; past it a write fails as on a full disk. */
  maxBytes?: number;
  /** Ms since the epoch: when something happened, as far as the store notes it. */
  now?: () => number;
  watch?: CommitWatch;
};

/**
 * Opens (and makes, and brings up to date) the database. Throws Fault Unavailable when the directory is missing, not writable or full,
 * Internal when the file is damaged, Unsupported when a newer berth wrote it.
 */
export async function createSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const db = openSqlite(options.path, options.maxBytes);
  try {
    migrate(db);
  } catch (error) {
    db.close();
    throw error;
  }
  const listeners = new Set<{ tables: Set<TableName>; fn: () => void }>();
  const order = createGroupCommit(
    db,
    options.now ?? (() => 0),
    (tables) => {
      for (const listener of listeners) {
        if (!listener.tables.isDisjointFrom(tables)) queueMicrotask(listener.fn);
      }
    },
    options.watch,
  );
  return {
    read: (fn) => order.read((session) => fn(transaction(session))),
    write: (fn) => order.write((session) => fn(transaction(session))),
    onChange(tables, fn) {
      const listener = { tables: new Set(tables), fn };
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      listeners.clear();
      await order.close();
      db.close();
    },
  };
}

const scope = ['account', 'region'];
const service = [...scope, 'cluster', 'name'];

function transaction(session: Session): WriteTx {
  return {
    clusters: wholeRows<ClusterRecord>(session, { name: 'clusters', table: 'clusters', columns: [...scope, 'name'] }),
    taskDefinitions: definitionRows(session),
    ...networkTables(session),
    ...fileSystemTables(session),
    ...volumeTables(session),
    dashboards: wholeRows<DashboardRecord>(session, { name: 'dashboards', table: 'dashboards', columns: [...scope, 'name'] }),
    alarms: withAlarmChanges(session, splitRows<AlarmRecord>(session, { name: 'alarms', table: 'alarms', columns: [...scope, 'name'] })),
    ...iamTables(session),
    ...secretTables(session),
    ...registryTables(session),
    settings: wholeRows<SettingRecord>(session, { name: 'settings', table: 'settings', columns: [...scope, 'principal', 'name'] }),
    attributes: wholeRows<AttributeRecord>(session, {
      name: 'attributes',
      table: 'attributes',
      columns: [...scope, 'cluster', 'name', 'targetId'],
    }),
    clientTokens: wholeRows<ClientTokenRecord>(session, {
      name: 'clientTokens',
      table: 'client_tokens',
      columns: [...scope, 'cluster', 'operation', 'token'],
    }),
    hosts: withHostChanges(session, wholeRows<HostRecord>(session, { name: 'hosts', table: 'hosts', columns: ['hostId'] })),
    ...eventTables(session),
    ...serviceTables(session),
    ...balancerTables(session),
    tasks: taskRows(session),
    usage: usageRows(session),
    lastTaskRevision: async (of, family) => lastTaskRevision(session, of, family),
    takeLease: async (name, holder, now, ttlMs) => takeLease(session, name, holder, now, ttlMs),
    expireLease: async (name) => void session.writing('leases').run('UPDATE leases SET expires_at = 0 WHERE name = ?', [name]),
    expireClientTokens: async (before, limit) => session.writing('clientTokens').run(EXPIRE_TOKENS, [before, limit]),
  };
}

function networkTables(session: Session) {
  const columns = [...scope, 'id'];
  return {
    vpcs: wholeRows<VpcRecord>(session, { name: 'vpcs', table: 'vpcs', columns }),
    subnets: wholeRows<SubnetRecord>(session, { name: 'subnets', table: 'subnets', columns }),
    securityGroups: wholeRows<SecurityGroupRecord>(session, { name: 'securityGroups', table: 'security_groups', columns }),
    securityGroupRules: wholeRows<SecurityGroupRuleRecord>(session, {
      name: 'securityGroupRules',
      table: 'security_group_rules',
      columns: [...scope, 'group', 'id'],
    }),
    routeTables: wholeRows<RouteTableRecord>(session, { name: 'routeTables', table: 'route_tables', columns }),
    internetGateways: wholeRows<InternetGatewayRecord>(session, { name: 'internetGateways', table: 'internet_gateways', columns }),
  };
}

function fileSystemTables(session: Session) {
  const columns = [...scope, 'id'];
  return {
    fileSystems: wholeRows<FileSystemRecord>(session, { name: 'fileSystems', table: 'file_systems', columns }),
    fileSystemDeletions: splitRows<FileSystemDeletionRecord>(session, {
      name: 'fileSystemDeletions',
      table: 'file_system_deletions',
      columns,
    }),
    accessPoints: wholeRows<AccessPointRecord>(session, { name: 'accessPoints', table: 'access_points', columns }),
    mountTargets: wholeRows<MountTargetRecord>(session, { name: 'mountTargets', table: 'mount_targets', columns }),
  };
}

function volumeTables(session: Session) {
  const columns = [...scope, 'id'];
  return {
    volumes: splitRows<VolumeRecord>(session, { name: 'volumes', table: 'volumes', columns }),
    snapshots: splitRows<SnapshotRecord>(session, { name: 'snapshots', table: 'snapshots', columns }),
  };
}

function iamTables(session: Session) {
  const columns = [...scope, 'name'];
  const iamAccessKeys = wholeRows<AccessKeyRecord>(session, { name: 'iamAccessKeys', table: 'iam_access_keys', columns: [...scope, 'id'] });
  return {
    iamUsers: wholeRows<UserRecord>(session, { name: 'iamUsers', table: 'iam_users', columns }),
    iamRoles: wholeRows<RoleRecord>(session, { name: 'iamRoles', table: 'iam_roles', columns }),
    iamPolicies: wholeRows<PolicyRecord>(session, { name: 'iamPolicies', table: 'iam_policies', columns }),
    iamInstanceProfiles: wholeRows<InstanceProfileRecord>(session, {
      name: 'iamInstanceProfiles',
      table: 'iam_instance_profiles',
      columns,
    }),
    iamAccessKeys,
    iamStamps: wholeRows<IamStampRecord>(session, { name: 'iamStamps', table: 'iam_stamps', columns: scope }),
    accessKeyById: async (id: string) => (await iamAccessKeys.list({ id }))[0],
  };
}

function secretTables(session: Session) {
  const columns = [...scope, 'name'];
  return {
    secrets: wholeRows<SecretRecord>(session, { name: 'secrets', table: 'secrets', columns }),
    secretVersions: wholeRows<SecretVersionRecord>(session, {
      name: 'secretVersions',
      table: 'secret_versions',
      columns: [...scope, 'secret', 'id'],
    }),
    parameters: wholeRows<ParameterRecord>(session, { name: 'parameters', table: 'parameters', columns }),
    parameterVersions: wholeRows<ParameterVersionRecord>(session, {
      name: 'parameterVersions',
      table: 'parameter_versions',
      columns: [...columns, 'version'],
    }),
    tablesWith: async (text: string) => tablesWith(session.db(), text),
    rewrapSealed: async (prefix: string, limit: number, rewrap: (blob: string) => string | null) =>
      rewrapSealed(session, prefix, limit, rewrap),
  };
}

function eventTables(session: Session) {
  const columns = [...scope, 'name'];
  return {
    changes: changeRows(session),
    events: eventRows(session),
    eventDeliveries: deliveryRows(session),
    eventBuses: wholeRows<EventBusRecord>(session, { name: 'eventBuses', table: 'event_buses', columns }),
    eventRules: splitRows<EventRuleRecord>(session, { name: 'eventRules', table: 'event_rules', columns: [...scope, 'bus', 'name'] }),
    eventConnections: wholeRows<ConnectionRecord>(session, { name: 'eventConnections', table: 'event_connections', columns }),
    eventDestinations: wholeRows<ApiDestinationRecord>(session, { name: 'eventDestinations', table: 'event_destinations', columns }),
    scheduleGroups: wholeRows<ScheduleGroupRecord>(session, { name: 'scheduleGroups', table: 'schedule_groups', columns }),
    schedules: splitRows<ScheduleRecord>(session, { name: 'schedules', table: 'schedules', columns: [...scope, 'group', 'name'] }),
  };
}

function serviceTables(session: Session) {
  const columns = [...service, 'id'];
  const deploymentRows = { name: 'serviceDeployments', table: 'service_deployments', columns } as const;
  const serviceDeployments = withDeploymentChanges(session, splitRows<ServiceDeploymentRecord>(session, deploymentRows));
  return {
    services: splitRows<ServiceRecord>(session, { name: 'services', table: 'services', columns: service }),
    serviceRevisions: splitRows<ServiceRevisionRecord>(session, { name: 'serviceRevisions', table: 'service_revisions', columns }),
    serviceDeployments,
    serviceStamps: async () => serviceStamps(session),
    async openDeployments(key: ServiceKey): Promise<ServiceDeploymentRecord[]> {
      const sql = `SELECT id FROM service_deployments WHERE account = ? AND region = ? AND cluster = ? AND name = ? AND ${OPEN} ORDER BY id`;
      const lines = session.db().all(sql, [key.account, key.region, key.cluster, key.name]);
      const found = await Promise.all(lines.map(({ id }) => serviceDeployments.get({ ...key, id: id as string })));
      return found.filter((deployment) => deployment !== undefined);
    },
    serviceEvents: withServiceActions(
      session,
      wholeRows<ServiceEventRecord>(session, { name: 'serviceEvents', table: 'service_events', columns: [...service, 'order'] }),
    ),
    taskSets: splitRows<TaskSetRecord>(session, { name: 'taskSets', table: 'task_sets', columns }),
  };
}

function balancerTables(session: Session) {
  const targets = splitRows<TargetRecord>(session, {
    name: 'targets',
    table: 'targets',
    columns: [...scope, 'group', 'target', 'port'],
    searched: (desired) => ({ task_id: desired.taskId }),
  });
  return {
    loadBalancers: splitRows<LoadBalancerRecord>(session, {
      name: 'loadBalancers',
      table: 'load_balancers',
      columns: [...scope, 'name'],
    }),
    listeners: splitRows<ListenerRecord>(session, {
      name: 'listeners',
      table: 'listeners',
      columns: [...scope, 'loadBalancer', 'id'],
    }),
    listenerRules: splitRows<RuleRecord>(session, {
      name: 'listenerRules',
      table: 'listener_rules',
      columns: [...scope, 'loadBalancer', 'listener', 'id'],
    }),
    targetGroups: splitRows<TargetGroupRecord>(session, {
      name: 'targetGroups',
      table: 'target_groups',
      columns: [...scope, 'name'],
    }),
    targets,
    async targetsOfTask(taskId: string): Promise<TargetRecord[]> {
      const sql = 'SELECT account, region, "group", target, port FROM targets WHERE task_id = ?';
      const keys = session.db().all(sql, [taskId]) as TargetRecord['key'][];
      const found = await Promise.all(keys.map((key) => targets.get(key)));
      return found.filter((target) => target !== undefined);
    },
    certificates: splitRows<CertificateRecord>(session, { name: 'certificates', table: 'certificates', columns: [...scope, 'id'] }),
  };
}

/** As the other tables, and remembers the highest revision of each family beyond the rows' own life. */
function definitionRows(session: Session): WritableRows<TaskDefinitionRecord> {
  const rows = wholeRows<TaskDefinitionRecord>(session, {
    name: 'taskDefinitions',
    table: 'task_definitions',
    columns: [...scope, 'family', 'taskRevision'],
  });
  return {
    ...rows,
    async put(record, expected) {
      const { account, region, family, taskRevision } = record.key;
      const stored = await rows.put(record, expected);
      session
        .writing('taskDefinitions')
        .run(
          'INSERT INTO task_families (account, region, family, last) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET last = max(last, excluded.last)',
          [account, region, family, taskRevision],
        );
      return stored;
    },
  };
}

const EXPIRE_TOKENS = `DELETE FROM client_tokens WHERE (account, region, cluster, operation, token) IN
  (SELECT account, region, cluster, operation, token FROM client_tokens WHERE json_extract(body, '$.expiresAt') < ? LIMIT ?)`;

function lastTaskRevision(session: Session, of: Scope, family: string): number {
  const sql = 'SELECT last FROM task_families WHERE account = ? AND region = ? AND family = ?';
  return Number(session.db().first(sql, [of.account, of.region, family])?.['last'] ?? 0);
}

function takeLease(session: Session, name: string, holder: string, now: number, ttlMs: number): LeaseRow | undefined {
  const db = session.writing('leases');
  const line = db.first('SELECT holder, fence, expires_at FROM leases WHERE name = ?', [name]);
  const held = line !== undefined && line['holder'] !== holder && Number(line['expires_at']) > now;
  if (held) return undefined;
  const fence = line === undefined ? 1 : Number(line['fence']) + (line['holder'] === holder ? 0 : 1);
  const expiresAt = now + ttlMs;
  db.run(
    'INSERT INTO leases (name, holder, fence, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET holder = excluded.holder, fence = excluded.fence, expires_at = excluded.expires_at',
    [name, holder, fence, expiresAt],
  );
  return { name, holder, fence, expiresAt };
}
