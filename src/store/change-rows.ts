/**
 * The outbox: what happened to records, noted in the transaction that did it, so that nothing of it is lost and nothing is told that did not happen. A row costs its
 * writer no sync of its own. It is written here, beneath the writers, so that none of them can forget it.
 */
import type { AlarmRecord } from '#domain/alarm.ts';
import { deploymentChanges, isAction } from '#domain/change.ts';
import type { Change, ChangeRow } from '#domain/change.ts';
import type { HostRecord } from '#domain/records.ts';
import type { ServiceDeploymentRecord, ServiceEventRecord } from '#domain/service.ts';
import type { Session } from './session.ts';
import type { WritableRows, WritableSplitRows } from './types.ts';

export type ChangeRows = {
  /** The oldest first. */
  list(limit: number): Promise<ChangeRow[]>;
};
export type WritableChangeRows = ChangeRows & {
  add(change: Change): Promise<void>;
  /** Those up to this one were made events of. */
  deleteUpTo(seq: number): Promise<void>;
};

export function noteChange(session: Session, change: Change): void {
  session.writing('changes').run('INSERT INTO changes (at, body) VALUES (?, ?)', [session.now(), JSON.stringify(change)]);
}

export function changeRows(session: Session): WritableChangeRows {
  return {
    async list(limit) {
      const lines = session.db().all('SELECT seq, at, body FROM changes ORDER BY seq LIMIT ?', [limit]);
      return lines.map(({ seq, at, body }) => ({ seq: Number(seq), at: Number(at), change: JSON.parse(body as string) as Change }));
    },
    add: async (change) => noteChange(session, change),
    deleteUpTo: async (seq) => void session.writing('changes').run('DELETE FROM changes WHERE seq <= ?', [seq]),
  };
}

export function withHostChanges(session: Session, rows: WritableRows<HostRecord>): WritableRows<HostRecord> {
  return {
    ...rows,
    async put(record, expected) {
      const before = expected === 0 ? undefined : await rows.get(record.key);
      const put = await rows.put(record, expected);
      if (before?.status !== record.status) {
        noteChange(session, { kind: 'host', hostId: record.key.hostId, connected: record.status === 'CONNECTED' });
      }
      return put;
    },
  };
}

export function withServiceActions(session: Session, rows: WritableRows<ServiceEventRecord>): WritableRows<ServiceEventRecord> {
  return {
    ...rows,
    async put(record, expected) {
      const { key, id, at, message } = record;
      const { order: _order, ...service } = key;
      const put = await rows.put(record, expected);
      if (expected === 0 && isAction(message)) noteChange(session, { kind: 'serviceEvent', service, id, at, message });
      return put;
    },
  };
}

export function withDeploymentChanges(
  session: Session,
  rows: WritableSplitRows<ServiceDeploymentRecord>,
): WritableSplitRows<ServiceDeploymentRecord> {
  return {
    ...rows,
    async setObserved(key, observed, expected) {
      const before = await rows.get(key);
      const set = await rows.setObserved(key, observed, expected);
      for (const what of deploymentChanges(before?.observed.status ?? null, observed.status)) {
        const isBack = what === 'IN_PROGRESS' && observed.rollback !== null;
        const revisionId = isBack ? (observed.rollback?.revisionId ?? '') : set.desired.targetRevisionId;
        const reason = observed.statusReason ?? '';
        noteChange(session, { kind: 'deployment', deployment: key, revisionId, what, reason, at: observed.updatedAt });
      }
      return set;
    },
  };
}

export function withAlarmChanges(session: Session, rows: WritableSplitRows<AlarmRecord>): WritableSplitRows<AlarmRecord> {
  return {
    ...rows,
    async setObserved(key, observed, expected) {
      const before = await rows.get(key);
      const set = await rows.setObserved(key, observed, expected);
      if (before !== undefined && before.observed.state !== observed.state) {
        noteChange(session, { kind: 'alarm', alarm: key, before: said(before.observed), after: said(observed) });
      }
      return set;
    },
  };
}

const said = ({ state, reason, reasonData, stateUpdatedAt }: AlarmRecord['observed']) => ({ state, reason, reasonData, stateUpdatedAt });
