/** Tables whose records have two writers: what is wished for and what was observed stand in JSON columns of their own. */
import type { Cell } from './sqlite.ts';
import type { Session } from './session.ts';
import { keyCells, revisionConflict } from './rows.ts';
import type { RowShape } from './rows.ts';
import type { SplitRecord, WritableSplitRows } from './types.ts';

/** `searched`: further columns, out of what is wished for, that the table is searched by. */
export type SplitShape<R extends SplitRecord> = RowShape & { searched?: (desired: R['desired']) => Record<string, Cell> };

export function splitRows<R extends SplitRecord>(session: Session, shape: SplitShape<R>): WritableSplitRows<R> {
  const { table, columns } = shape;
  const names = columns.map((c) => `"${c}"`).join(', ');
  const byKey = columns.map((c) => `"${c}" = ?`).join(' AND ');
  const select = `SELECT ${names}, revision, desired, observed FROM ${table}`;
  const decode = (line: Record<string, unknown>): R =>
    ({
      key: Object.fromEntries(columns.map((c) => [c, line[c]])),
      revision: line['revision'],
      desired: JSON.parse(line['desired'] as string),
      observed: JSON.parse(line['observed'] as string),
    }) as unknown as R;
  const get = (key: R['key']): R | undefined => {
    const line = session.db().first(`${select} WHERE ${byKey}`, keyCells(shape, key));
    return line === undefined ? undefined : decode(line);
  };
  const update = (key: R['key'], expected: number, cells: Record<string, Cell>): R => {
    const set = Object.keys(cells).map((n) => `${n} = ?`);
    const sql = `UPDATE ${table} SET revision = revision + 1, ${set.join(', ')} WHERE ${byKey} AND revision = ?`;
    const changed = session.writing(shape.name).run(sql, [...Object.values(cells), ...keyCells(shape, key), expected]);
    const stored = changed === 0 ? undefined : get(key);
    if (stored === undefined) throw revisionConflict(shape.name, key, expected);
    return stored;
  };
  return {
    get: async (key) => get(key),
    async list(partial) {
      const given = columns.filter((c) => (partial as Record<string, unknown>)[c] !== undefined);
      const where = given.length === 0 ? '' : ` WHERE ${given.map((c) => `"${c}" = ?`).join(' AND ')}`;
      const cells = keyCells({ ...shape, columns: given }, partial);
      return session.db().all(`${select}${where} ORDER BY ${names}`, cells).map(decode);
    },
    async insert(key, desired, observed) {
      const cells = { desired: JSON.stringify(desired), observed: JSON.stringify(observed), ...shape.searched?.(desired) };
      const bound = [...keyCells(shape, key), 1, ...Object.values(cells)];
      const into = `${table} (${[names, 'revision', ...Object.keys(cells)].join(', ')})`;
      const sql = `INSERT INTO ${into} VALUES (${bound.map(() => '?').join(', ')}) ON CONFLICT DO NOTHING`;
      if (session.writing(shape.name).run(sql, bound) === 0) throw revisionConflict(shape.name, key, 0);
      return { key, revision: 1, desired, observed } as R;
    },
    setDesired: async (key, desired, expected) => update(key, expected, { desired: JSON.stringify(desired), ...shape.searched?.(desired) }),
    setObserved: async (key, observed, expected) => update(key, expected, { observed: JSON.stringify(observed) }),
    delete: async (key) => session.writing(shape.name).run(`DELETE FROM ${table} WHERE ${byKey}`, keyCells(shape, key)) > 0,
  };
}
