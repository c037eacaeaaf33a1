/** The tasks table: one JSON column for each writer, and the columns that tasks are searched by. */
import { Fault } from '#base/fault.ts';
import type { ServiceKey } from '#domain/service.ts';
import { assertTaskMove } from '#domain/task.ts';
import type { TaskDesired, TaskKey, TaskObserved, TaskPlacement, TaskRecord } from '#domain/task.ts';
import { taskUsage } from '#domain/usage.ts';
import { noteChange } from './change-rows.ts';
import { revisionConflict } from './rows.ts';
import { serviceTaskSlots } from './service-stamps.ts';
import type { Session } from './session.ts';
import type { Cell, Line } from './sqlite.ts';
import { addUsageRow } from './usage-rows.ts';
import type { ServiceCount, TaskFilter, WritableTaskRows } from './types.ts';

const SELECT = 'SELECT id, account, region, cluster, revision, desired, placement, observed FROM tasks';
const OF_KEY = 'id = ? AND account = ? AND region = ? AND cluster = ?';

export function taskRows(session: Session): WritableTaskRows {
  const get = (key: TaskKey) => decode(session.db().first(`${SELECT} WHERE ${OF_KEY}`, cells(key)));
  const mustGet = (key: TaskKey): TaskRecord => {
    const task = get(key);
    if (task === undefined) throw new Fault('TaskNotFound', 'The referenced task was not found.', { details: { taskId: key.id } });
    return task;
  };
  /** Sets some columns of the row as it was at `expected`, and returns it as it is now. */
  const update = (key: TaskKey, expected: number, columns: Record<string, Cell>): TaskRecord => {
    const names = Object.keys(columns);
    const sql = `UPDATE tasks SET revision = revision + 1, ${names.map((n) => `${n} = ?`).join(', ')} WHERE ${OF_KEY} AND revision = ?`;
    const changed = session.writing('tasks').run(sql, [...Object.values(columns), ...cells(key), expected]);
    session.wroteTask(key.id);
    if (changed === 0) throw revisionConflict('tasks', mustGet(key).key, expected);
    return mustGet(key);
  };
  return {
    get: async (key) => get(key),
    byId: async (id) => decode(session.db().first(`${SELECT} WHERE id = ?`, [id])),
    async list(filter) {
      const { sql, cells: bound } = where(filter);
      const limit = filter.limit === undefined ? '' : ` LIMIT ${Math.max(0, Math.floor(filter.limit))}`;
      return session.db().all(`${SELECT}${sql} ORDER BY id${limit}`, bound).map(decodeLine);
    },
    async count(filter) {
      const { sql, cells: bound } = where(filter);
      return Number(session.db().first(`SELECT count(*) AS n FROM tasks${sql}`, bound)?.['n'] ?? 0);
    },
    async slots(hostId) {
      const slots = session.liveSlots();
      return hostId === undefined ? slots : slots.filter((slot) => slot.hostId === hostId);
    },
    ofService: async (key) => session.db().all(`${SELECT} WHERE ${OF_SERVICE} ORDER BY id`, serviceCells(key)).map(decodeLine),
    async serviceSlots(key) {
      const lines = session.db().all(`SELECT id, revision FROM tasks WHERE ${OF_SERVICE} ORDER BY id`, serviceCells(key));
      return lines.map((line) => ({ id: line['id'] as string, revision: line['revision'] as number }));
    },
    async serviceCounts(key) {
      return session
        .db()
        .all(SERVICE_COUNTS, serviceCells(key))
        .map((line) => ({
          revisionId: revisionOf(line['started_by'] as string | null),
          status: line['status'] as ServiceCount['status'],
          desired: line['wish'] as ServiceCount['desired'],
          count: Number(line['n']),
        }));
    },
    serviceTaskSlots: async () => serviceTaskSlots(session),
    endpoints: async () => [...session.db().all(LIVE_ENDPOINTS, []), ...session.db().all(LAST_ENDPOINTS, [])].map(decodeLine),
    async lastAddress(subnetId) {
      const sql = 'SELECT ip FROM tasks WHERE subnet_id = ? AND ip IS NOT NULL ORDER BY placed_at DESC, rowid DESC LIMIT 1';
      return session.db().first(sql, [subnetId])?.['ip'] as string | undefined;
    },
    async insert(key, desired, observed) {
      const columns = {
        id: key.id,
        account: key.account,
        region: key.region,
        cluster: key.cluster,
        revision: 1,
        ...desiredColumns(desired),
        ...observedColumns(observed),
      };
      const names = Object.keys(columns);
      const sql = `INSERT INTO tasks (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')}) ON CONFLICT DO NOTHING`;
      if (session.writing('tasks').run(sql, Object.values(columns)) === 0) throw revisionConflict('tasks', key, 0);
      session.wroteTask(key.id);
      note(session, { key, revision: 1, desired, placement: null, observed });
      return { key, revision: 1, desired, placement: null, observed };
    },
    async setDesired(key, desired, expected) {
      const before = session.db().first('SELECT desired_status FROM tasks WHERE id = ?', [key.id])?.['desired_status'];
      const task = update(key, expected, desiredColumns(desired));
      if (before !== desired.status) note(session, task);
      return task;
    },
    setPlacement: async (key, placement, expected) => update(key, expected, placementColumns(placement)),
    async setObserved(key, observed, expected) {
      const before = mustGet(key).observed;
      assertTaskMove(before.status, observed.status);
      const task = update(key, expected, observedColumns(observed));
      const used = before.status === 'STOPPED' || observed.status !== 'STOPPED' ? undefined : taskUsage(task, observed.stoppedAt ?? 0);
      if (used !== undefined) addUsageRow(session, used);
      if (before.version !== observed.version) note(session, task);
      return task;
    },
    async setAccounted(ids) {
      const db = session.writing('tasks');
      for (const id of ids) db.run('UPDATE tasks SET accounted = 1 WHERE id = ?', [id]);
    },
    async delete(key) {
      session.wroteTask(key.id);
      return session.writing('tasks').run(`DELETE FROM tasks WHERE ${OF_KEY}`, cells(key)) > 0;
    },
  };
}

/** Each version of a task is one that AWS would tell of (`TaskObserved.version`). */
function note(session: Session, { key, desired, placement, observed }: TaskRecord): void {
  const { status, stop } = desired;
  noteChange(session, { kind: 'task', id: key.id, desired: status, stop, placed: placement !== null, observed });
}

const OF_SERVICE = 'account = ? AND region = ? AND cluster = ? AND service = ? AND (live = 1 OR accounted = 0)';
const serviceCells = (key: ServiceKey): Cell[] => [key.account, key.region, key.cluster, key.name];

const SERVICE_COUNTS = `SELECT started_by, status, CASE WHEN ended = 1 THEN 'STOPPED' ELSE desired_status END AS wish, count(*) AS n
  FROM tasks WHERE ${OF_SERVICE} AND live = 1 GROUP BY started_by, status, wish`;
const revisionOf = (startedBy: string | null) => (startedBy?.startsWith('ecs-svc/') === true ? startedBy.slice('ecs-svc/'.length) : null);

const LIVE_ENDPOINTS = `${SELECT} WHERE endpoint IS NOT NULL AND live = 1 ORDER BY id`;
/** SQLite gives the other columns from the row that has the maximum (https://sqlite.org/lang_select.html, "bare columns"). */
const LAST_ENDPOINTS = `${SELECT.replace(' FROM', ', max(stopped_at) FROM')} WHERE endpoint IS NOT NULL AND live = 0 GROUP BY endpoint`;

function desiredColumns(desired: TaskDesired) {
  return {
    desired: JSON.stringify(desired),
    desired_status: desired.status,
    family: desired.family,
    task_group: desired.group,
    started_by: desired.startedBy,
    endpoint: desired.tags.find((tag) => tag.key === 'berth:endpoint')?.value ?? null,
    subnet_id: desired.network.subnetId,
    cpu_millis: desired.spec.cpuMillis,
    memory_bytes: desired.spec.memoryBytes,
    service: desired.service?.name ?? null,
  };
}

function placementColumns(placement: TaskPlacement) {
  return { placement: JSON.stringify(placement), host_id: placement.hostId, ip: placement.ip, placed_at: placement.at };
}

function observedColumns(observed: TaskObserved) {
  const stopped = observed.status === 'STOPPED';
  return {
    observed: JSON.stringify(observed),
    status: observed.status,
    live: stopped ? 0 : 1,
    ended: stopped || observed.stop !== null ? 1 : 0,
    stopped_at: observed.stoppedAt,
  };
}

/** The filter as SQL. Each clause is written so that one of the partial indexes of the schema can serve it. */
function where(filter: TaskFilter): { sql: string; cells: Cell[] } {
  const clauses: string[] = [];
  const bound: Cell[] = [];
  const equals = (column: string, value: string | undefined) => {
    if (value === undefined) return;
    clauses.push(`${column} = ?`);
    bound.push(value);
  };
  equals('account', filter.account);
  equals('region', filter.region);
  equals('cluster', filter.cluster);
  equals('family', filter.family);
  equals('task_group', filter.group);
  equals('started_by', filter.startedBy);
  equals('host_id', filter.hostId);
  if (filter.desired === 'RUNNING') clauses.push("desired_status = 'RUNNING' AND ended = 0");
  if (filter.desired === 'STOPPED') clauses.push("(desired_status = 'STOPPED' OR ended = 1)");
  if (filter.live !== undefined) clauses.push(`live = ${filter.live ? 1 : 0}`);
  if (filter.status !== undefined) {
    clauses.push(`status IN (${filter.status.map(() => '?').join(', ')})`);
    bound.push(...filter.status);
  }
  if (filter.unplaced !== undefined) clauses.push(`host_id IS ${filter.unplaced ? '' : 'NOT '}NULL`);
  if (filter.stoppedBefore !== undefined) {
    clauses.push('live = 0 AND stopped_at < ?');
    bound.push(filter.stoppedBefore);
  }
  if (filter.afterId !== undefined) {
    clauses.push('id > ?');
    bound.push(filter.afterId);
  }
  return { sql: clauses.length === 0 ? '' : ` WHERE ${clauses.join(' AND ')}`, cells: bound };
}

function cells(key: TaskKey): Cell[] {
  return [key.id, key.account, key.region, key.cluster];
}

function decode(line: Line | undefined): TaskRecord | undefined {
  return line === undefined ? undefined : decodeLine(line);
}

function decodeLine(line: Line): TaskRecord {
  const placement = line['placement'] as string | null;
  return {
    key: {
      account: line['account'] as string,
      region: line['region'] as string,
      cluster: line['cluster'] as string,
      id: line['id'] as string,
    },
    revision: line['revision'] as number,
    desired: decodeDesired(line['desired'] as string),
    placement: placement === null ? null : (JSON.parse(placement) as TaskPlacement),
    observed: JSON.parse(line['observed'] as string) as TaskObserved,
  };
}

/** Rows of a former version have no service and no protection. */
function decodeDesired(json: string): TaskDesired {
  const { service = null, protectedUntil = null, ...desired } = JSON.parse(json) as TaskDesired;
  return { ...desired, service, protectedUntil };
}
