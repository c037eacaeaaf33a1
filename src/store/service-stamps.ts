/** The short of services and their tasks, read from indexes alone: loops look at it often, and at the JSON only where it changed. */
import type { ServiceKey } from '#domain/service.ts';
import type { Session } from './session.ts';
import type { Line } from './sqlite.ts';
import type { ServiceStamp, ServiceTaskSlot } from './types.ts';

const OF_SERVICE = (table: string) =>
  `${table}.account = s.account AND ${table}.region = s.region AND ${table}.cluster = s.cluster AND ${table}`;
const TASKS = `tasks t WHERE ${OF_SERVICE('t')}.service = s.name AND (t.live = 1 OR t.accounted = 0)`;
/** Of a deployment that goes on, as the index `service_deployments_open` has it. */
export const OPEN = `json_extract(observed, '$.status') NOT IN ('SUCCESSFUL', 'STOPPED', 'ROLLBACK_SUCCESSFUL', 'ROLLBACK_FAILED')`;

const STAMPS = `SELECT s.account, s.region, s.cluster, s.name, s.revision,
  (SELECT group_concat(id || '.' || revision) FROM service_deployments d INDEXED BY service_deployments_open WHERE ${OF_SERVICE('d')}.name = s.name AND ${OPEN}) AS deployments,
  (SELECT group_concat(id || '.' || revision) FROM task_sets e WHERE ${OF_SERVICE('e')}.name = s.name) AS sets,
  (SELECT group_concat(t.id || '.' || t.revision) FROM ${TASKS}) AS tasks,
  (SELECT group_concat(x.task_id || x."group" || x.port || '.' || x.revision) FROM targets x JOIN ${TASKS.replace(' WHERE', ' ON x.task_id = t.id WHERE')}) AS targets
  FROM services s`;

const SLOTS = `SELECT account, region, cluster, service, id, revision, started_by, desired_status, ended, status, ip, subnet_id FROM tasks INDEXED BY tasks_by_service
  WHERE service IS NOT NULL AND (live = 1 OR accounted = 0) AND live = 1`;

export function serviceStamps(session: Session): ServiceStamp[] {
  return session
    .db()
    .all(STAMPS, [])
    .map((line) => ({
      key: keyOf(line, 'name'),
      stamp: ['revision', 'deployments', 'sets', 'tasks', 'targets'].map((c) => line[c]).join('/'),
    }));
}

export function serviceTaskSlots(session: Session): ServiceTaskSlot[] {
  return session
    .db()
    .all(SLOTS, [])
    .map((line) => ({
      id: line['id'] as string,
      service: keyOf(line, 'service'),
      startedBy: line['started_by'] as string | null,
      desired: line['desired_status'] as ServiceTaskSlot['desired'],
      ended: line['ended'] === 1,
      status: line['status'] as ServiceTaskSlot['status'],
      ip: line['ip'] as string | null,
      subnetId: line['subnet_id'] as string,
    }));
}

function keyOf(line: Line, name: string): ServiceKey {
  return {
    account: line['account'] as string,
    region: line['region'] as string,
    cluster: line['cluster'] as string,
    name: line[name] as string,
  };
}
