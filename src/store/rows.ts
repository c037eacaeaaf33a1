/** Tables that hold whole records: key columns, a revision and the record's other members as JSON. */
import { Fault } from '#base/fault.ts';
import type { Session } from './session.ts';
import type { TableName, WritableRows } from './types.ts';

type Keyed = { key: object; revision: number };

/** `columns` are the members of the key, in the order of the primary key. */
export type RowShape = { name: TableName; table: string; columns: readonly string[] };

export function wholeRows<R extends Keyed>(session: Session, shape: RowShape): WritableRows<R> {
  const { table, columns } = shape;
  const names = columns.map((c) => `"${c}"`).join(', ');
  const byKey = columns.map((c) => `"${c}" = ?`).join(' AND ');
  const cells = (key: R['key']) => keyCells(shape, key);
  const select = `SELECT ${names}, revision, body FROM ${table}`;
  const decode = (line: Record<string, unknown>) => decodeRow<R>(columns, line);
  return {
    async get(key) {
      const line = session.db().first(`${select} WHERE ${byKey}`, cells(key));
      return line === undefined ? undefined : decode(line);
    },
    async list(partial) {
      const given = columns.filter((c) => (partial as Record<string, unknown>)[c] !== undefined);
      const where = given.length === 0 ? '' : ` WHERE ${given.map((c) => `"${c}" = ?`).join(' AND ')}`;
      const lines = session.db().all(
        `${select}${where} ORDER BY ${names}`,
        given.map((c) => cell(shape, partial, c)),
      );
      return lines.map(decode);
    },
    async put(record, expected) {
      const { key, revision: _ignored, ...body } = record as R;
      const json = JSON.stringify(body);
      const db = session.writing(shape.name);
      const changed =
        expected === 0
          ? db.run(
              `INSERT INTO ${table} (${names}, revision, body) VALUES (${columns.map(() => '?').join(', ')}, 1, ?) ON CONFLICT DO NOTHING`,
              [...cells(key), json],
            )
          : db.run(`UPDATE ${table} SET revision = revision + 1, body = ? WHERE ${byKey} AND revision = ?`, [
              json,
              ...cells(key),
              expected,
            ]);
      if (changed === 0) throw revisionConflict(shape.name, key, expected);
      return { ...record, key, revision: expected + 1 } as R;
    },
    async delete(key) {
      return session.writing(shape.name).run(`DELETE FROM ${table} WHERE ${byKey}`, cells(key)) > 0;
    },
  };
}

function decodeRow<R>(columns: readonly string[], line: Record<string, unknown>): R {
  const key = Object.fromEntries(columns.map((c) => [c, line[c]]));
  return { key, revision: line['revision'], ...JSON.parse(line['body'] as string) } as R;
}

/** What a table of such rows is searched for by more than a key's beginning. `rest`: from its FROM on. */
export function rowsWhere<R extends Keyed>(session: Session, { columns }: RowShape, rest: string, values: (string | number)[]): R[] {
  const names = columns.map((c) => `"${c}"`).join(', ');
  return session
    .db()
    .all(`SELECT ${names}, revision, body ${rest}`, values)
    .map((line) => decodeRow<R>(columns, line));
}

export function revisionConflict(table: TableName, key: object, expected: number): Fault {
  const shown = JSON.stringify(key);
  const what = expected === 0 ? 'is there already' : `is no longer at revision ${expected}`;
  return new Fault('RevisionConflict', `${table} ${shown} ${what}`, { details: { table } });
}

/** A key's parts in the order of the columns. Throws Internal when one is missing. */
export function keyCells(shape: RowShape, key: object): (string | number)[] {
  return shape.columns.map((column) => cell(shape, key, column));
}

function cell(shape: RowShape, key: object, column: string): string | number {
  const value = (key as Record<string, unknown>)[column];
  if (typeof value === 'string' || typeof value === 'number') return value;
  throw new Fault('Internal', `a key of ${shape.name} needs ${column}, got ${JSON.stringify(key)}`);
}
