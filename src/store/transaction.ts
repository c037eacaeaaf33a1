/**
 * What a transaction is made of. Each member is made at its first use, since most transactions touch two or three tables of fifty: made all at once
 * they cost more than the rows that are read.
 */
import type { AlarmRecord } from '#domain/alarm.ts';
import type { HostRecord, TaskDefinitionRecord } from '#domain/records.ts';
import type { TargetRecord } from '#domain/load-balancer.ts';
import type { Scope } from '#domain/scope.ts';
import type { ServiceDeploymentRecord, ServiceEventRecord, ServiceKey } from '#domain/service.ts';
import { changeRows, withAlarmChanges, withDeploymentChanges, withHostChanges, withServiceActions } from './change-rows.ts';
import { deliveryRows, eventRows } from './event-rows.ts';
import { registryMakers } from './registry-tables.ts';
import { wholeRows } from './rows.ts';
import { rewrapSealed, tablesWith } from './sealed.ts';
import { OPEN, serviceStamps } from './service-stamps.ts';
import type { Session } from './session.ts';
import { splitRows, type SplitShape } from './split-rows.ts';
import { taskRows } from './task-rows.ts';
import { usageRows } from './usage-rows.ts';
import type { LeaseRow, SplitRecord, TableName, WritableRows, WritableSplitRows, WriteTx } from './types.ts';

type Maker<T> = (session: Session, tx: WriteTx) => T;

export function openTransaction(session: Session): WriteTx {
  return new Transaction(session) as unknown as WriteTx;
}

const scope = ['account', 'region'];
const byName = [...scope, 'name'];
const byId = [...scope, 'id'];
const service = [...scope, 'cluster', 'name'];

const whole =
  <R extends { key: object; revision: number }>(name: TableName, table: string, columns: readonly string[]): Maker<WritableRows<R>> =>
  (session) =>
    wholeRows<R>(session, { name, table, columns });

const split =
  <R extends SplitRecord>(
    name: TableName,
    table: string,
    columns: readonly string[],
    searched?: SplitShape<R>['searched'],
  ): Maker<WritableSplitRows<R>> =>
  (session) =>
    splitRows<R>(session, { name, table, columns, ...(searched && { searched }) });

const ofDeployments = split<ServiceDeploymentRecord>('serviceDeployments', 'service_deployments', [...service, 'id']);
const ofServiceEvents = whole<ServiceEventRecord>('serviceEvents', 'service_events', [...service, 'order']);
const ofAlarms = split<AlarmRecord>('alarms', 'alarms', byName);
const ofHosts = whole<HostRecord>('hosts', 'hosts', ['hostId']);

const makers: { [K in keyof WriteTx]: Maker<WriteTx[K]> } = {
  clusters: whole('clusters', 'clusters', byName),
  taskDefinitions: definitionRows,
  vpcs: whole('vpcs', 'vpcs', byId),
  subnets: whole('subnets', 'subnets', byId),
  securityGroups: whole('securityGroups', 'security_groups', byId),
  securityGroupRules: whole('securityGroupRules', 'security_group_rules', [...scope, 'group', 'id']),
  routeTables: whole('routeTables', 'route_tables', byId),
  internetGateways: whole('internetGateways', 'internet_gateways', byId),
  fileSystems: whole('fileSystems', 'file_systems', byId),
  fileSystemDeletions: split('fileSystemDeletions', 'file_system_deletions', byId),
  accessPoints: whole('accessPoints', 'access_points', byId),
  mountTargets: whole('mountTargets', 'mount_targets', byId),
  bucketSystems: split('bucketSystems', 'bucket_systems', byId),
  bucketAccessPoints: whole('bucketAccessPoints', 'bucket_access_points', byId),
  bucketMountTargets: whole('bucketMountTargets', 'bucket_mount_targets', byId),
  volumes: split('volumes', 'volumes', byId),
  snapshots: split('snapshots', 'snapshots', byId),
  dashboards: whole('dashboards', 'dashboards', byName),
  alarms: (session, tx) => withAlarmChanges(session, ofAlarms(session, tx)),
  iamUsers: whole('iamUsers', 'iam_users', byName),
  iamRoles: whole('iamRoles', 'iam_roles', byName),
  iamPolicies: whole('iamPolicies', 'iam_policies', byName),
  iamInstanceProfiles: whole('iamInstanceProfiles', 'iam_instance_profiles', byName),
  iamAccessKeys: whole('iamAccessKeys', 'iam_access_keys', byId),
  iamStamps: whole('iamStamps', 'iam_stamps', scope),
  accessKeyById: (_, tx) => async (id) => (await tx.iamAccessKeys.list({ id }))[0],
  secrets: whole('secrets', 'secrets', byName),
  secretVersions: whole('secretVersions', 'secret_versions', [...scope, 'secret', 'id']),
  parameters: whole('parameters', 'parameters', byName),
  parameterVersions: whole('parameterVersions', 'parameter_versions', [...byName, 'version']),
  tablesWith: (session) => async (text) => tablesWith(session.db(), text),
  rewrapSealed: (session) => async (prefix, limit, rewrap) => rewrapSealed(session, prefix, limit, rewrap),
  ...registryMakers,
  settings: whole('settings', 'settings', [...scope, 'principal', 'name']),
  attributes: whole('attributes', 'attributes', [...scope, 'cluster', 'name', 'targetId']),
  clientTokens: whole('clientTokens', 'client_tokens', [...scope, 'cluster', 'operation', 'token']),
  hosts: (session, tx) => withHostChanges(session, ofHosts(session, tx)),
  changes: changeRows,
  events: eventRows,
  eventDeliveries: deliveryRows,
  eventBuses: whole('eventBuses', 'event_buses', byName),
  eventRules: split('eventRules', 'event_rules', [...scope, 'bus', 'name']),
  eventConnections: whole('eventConnections', 'event_connections', byName),
  eventDestinations: whole('eventDestinations', 'event_destinations', byName),
  scheduleGroups: whole('scheduleGroups', 'schedule_groups', byName),
  schedules: split('schedules', 'schedules', [...scope, 'group', 'name']),
  services: split('services', 'services', service),
  serviceRevisions: split('serviceRevisions', 'service_revisions', [...service, 'id']),
  serviceDeployments: (session, tx) => withDeploymentChanges(session, ofDeployments(session, tx)),
  serviceStamps: (session) => async () => serviceStamps(session),
  openDeployments: (session, tx) => (key) => openDeployments(session, tx, key),
  serviceEvents: (session, tx) => withServiceActions(session, ofServiceEvents(session, tx)),
  taskSets: split('taskSets', 'task_sets', [...service, 'id']),
  loadBalancers: split('loadBalancers', 'load_balancers', byName),
  listeners: split('listeners', 'listeners', [...scope, 'loadBalancer', 'id']),
  listenerRules: split('listenerRules', 'listener_rules', [...scope, 'loadBalancer', 'listener', 'id']),
  targetGroups: split('targetGroups', 'target_groups', byName),
  targets: split<TargetRecord>('targets', 'targets', [...scope, 'group', 'target', 'port'], ({ taskId }) => ({ task_id: taskId })),
  targetsOfTask: (session, tx) => (taskId) => targetsOfTask(session, tx, taskId),
  certificates: split('certificates', 'certificates', byId),
  tasks: taskRows,
  usage: usageRows,
  lastTaskRevision: (session) => async (of, family) => lastTaskRevision(session, of, family),
  takeLease: (session) => async (name, holder, now, ttlMs) => takeLease(session, name, holder, now, ttlMs),
  expireLease: (session) => async (name) => void session.writing('leases').run('UPDATE leases SET expires_at = 0 WHERE name = ?', [name]),
  expireClientTokens: (session) => async (before, limit) => session.writing('clientTokens').run(EXPIRE_TOKENS, [before, limit]),
};

class Transaction {
  readonly #session: Session;
  constructor(session: Session) {
    this.#session = session;
  }
  static {
    for (const [name, make] of Object.entries(makers) as [string, Maker<unknown>][]) {
      Object.defineProperty(this.prototype, name, {
        get(this: Transaction) {
          const value = make(this.#session, this as unknown as WriteTx);
          Object.defineProperty(this, name, { value });
          return value;
        },
      });
    }
  }
}

async function openDeployments(session: Session, tx: WriteTx, key: ServiceKey): Promise<ServiceDeploymentRecord[]> {
  const sql = `SELECT id FROM service_deployments WHERE account = ? AND region = ? AND cluster = ? AND name = ? AND ${OPEN} ORDER BY id`;
  const lines = session.db().all(sql, [key.account, key.region, key.cluster, key.name]);
  const found = await Promise.all(lines.map(({ id }) => tx.serviceDeployments.get({ ...key, id: id as string })));
  return found.filter((deployment) => deployment !== undefined);
}

async function targetsOfTask(session: Session, tx: WriteTx, taskId: string): Promise<TargetRecord[]> {
  const sql = 'SELECT account, region, "group", target, port FROM targets WHERE task_id = ?';
  const keys = session.db().all(sql, [taskId]) as TargetRecord['key'][];
  const found = await Promise.all(keys.map((key) => tx.targets.get(key)));
  return found.filter((target) => target !== undefined);
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
