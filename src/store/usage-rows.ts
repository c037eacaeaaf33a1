/** The ledger of usage: what has ended, or was cut because its rate changed. Rows are only ever added, and forgotten once they are old. */
import type { Scope } from '#domain/scope.ts';
import type { UsageEntry } from '#domain/usage.ts';
import type { Session } from './session.ts';
import type { Line } from './sqlite.ts';
import type { UsagePlace, WritableUsageRows } from './types.ts';

/** Body: what stands beside the columns, without what is nothing. */
type Body = Partial<Omit<UsageEntry, 'key' | 'from' | 'to' | 'tags'>> & { tags?: [string, string][] };

const SELECT = 'SELECT account, region, kind, id, from_at, to_at, body FROM usage';
const AFTER = `${SELECT} WHERE account = ? AND region = ? AND (to_at, kind, id, from_at) > (?, ?, ?, ?) AND from_at < ? ORDER BY to_at, kind, id, from_at LIMIT ?`;

export function usageRows(session: Session): WritableUsageRows {
  return {
    async page({ account, region }: Scope, { start, end }, after, limit) {
      // What ends with `start` has nothing in the span.
      const place: UsagePlace = after ?? { to: start, kind: '~', id: '', from: 0 };
      const until = end === Infinity ? Number.MAX_SAFE_INTEGER : end;
      return session.db().all(AFTER, [account, region, place.to, place.kind, place.id, place.from, until, limit]).map(decode);
    },
    async lastEnd(kind, id) {
      const ofKind = kind === 'fileSystem' ? "kind = 'fileSystem'" : 'kind = ?';
      const cells = kind === 'fileSystem' ? [id] : [id, kind];
      const line = session.db().first(`SELECT max(to_at) AS last FROM usage WHERE id = ? AND ${ofKind}`, cells);
      return (line?.['last'] as number | null | undefined) ?? undefined;
    },
    hasBefore: async (before) => session.db().first('SELECT 1 FROM usage WHERE to_at < ? LIMIT 1', [before]) !== undefined,
    async add(entry) {
      if (entry.to > entry.from) addUsageRow(session, entry);
    },
    async expire(before, limit) {
      const old = 'SELECT account, region, to_at, kind, id, from_at FROM usage WHERE to_at < ? LIMIT ?';
      return session
        .writing('usage')
        .run(`DELETE FROM usage WHERE (account, region, to_at, kind, id, from_at) IN (${old})`, [before, limit]);
    },
  };
}

export function addUsageRow(session: Session, entry: UsageEntry): void {
  const { account, region, kind, id } = entry.key;
  session
    .writing('usage')
    .run('INSERT INTO usage (account, region, to_at, kind, id, from_at, body) VALUES (?, ?, ?, ?, ?, ?, ?)', [
      account,
      region,
      entry.to,
      kind,
      id,
      entry.from,
      JSON.stringify(bodyOf(entry)),
    ]);
}

function bodyOf({ rates, task, cluster, service, family, tags, key }: UsageEntry): Body {
  const body: Body = { rates };
  if (task !== null && task !== key.id) body.task = task;
  if (cluster !== null) body.cluster = cluster;
  if (service !== null) body.service = service;
  if (family !== null) body.family = family;
  if (tags.length > 0) body.tags = tags.map((tag) => [tag.key, tag.value]);
  return body;
}

function decode(line: Line): UsageEntry {
  const key = { account: line['account'], region: line['region'], kind: line['kind'], id: line['id'] } as UsageEntry['key'];
  const { rates, task, cluster = null, service = null, family = null, tags = [] } = JSON.parse(line['body'] as string) as Body;
  return {
    key,
    from: line['from_at'] as number,
    to: line['to_at'] as number,
    rates: { cpuMillis: 0, memoryMib: 0, ephemeralMib: 0, volumeMib: 0, fileSystemMib: 0, ...rates },
    task: task ?? (key.kind === 'task' ? key.id : null),
    cluster,
    service,
    family,
    tags: tags.map(([name, value]) => ({ key: name, value })),
  };
}
