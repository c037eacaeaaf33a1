/** Values that the vault encrypted, wherever they stand: found by what they begin with, and wrapped anew without being opened. */
import type { Session } from './session.ts';
import type { Sqlite } from './sqlite.ts';
import type { TableName } from './types.ts';

/**
 * Every column that has such a value: whoever adds one names it here. Forgotten, it keeps the old master key from ever being removed
 * (`tablesWith` finds it), and loses nothing.
 */
const sealed: { name: TableName; table: string; key: string[]; path: string }[] = [
  { name: 'iamAccessKeys', table: 'iam_access_keys', key: ['account', 'region', 'id'], path: '$.secret' },
  { name: 'secretVersions', table: 'secret_versions', key: ['account', 'region', 'secret', 'id'], path: '$.value' },
  { name: 'parameterVersions', table: 'parameter_versions', key: ['account', 'region', 'name', 'version'], path: '$.value' },
];

/** As `WriteTx.rewrapSealed`. */
export function rewrapSealed(session: Session, prefix: string, limit: number, rewrap: (blob: string) => string | null): number {
  let done = 0;
  for (const { name, table, key, path } of sealed) {
    const keys = key.map((column) => `"${column}"`);
    const begins = `substr(json_extract(body, '${path}'), 1, ?) = ?`;
    const lines = session
      .db()
      .all(`SELECT ${keys.join(', ')}, json_extract(body, '${path}') AS blob FROM ${table} WHERE ${begins} LIMIT ?`, [
        prefix.length,
        prefix,
        limit - done,
      ]);
    for (const line of lines) {
      const blob = rewrap(line['blob'] as string);
      if (blob === null) continue;
      const where = keys.map((column) => `${column} = ?`).join(' AND ');
      const cells = key.map((column) => line[column] as string | number);
      session
        .writing(name)
        .run(`UPDATE ${table} SET revision = revision + 1, body = json_set(body, '${path}', ?) WHERE ${where}`, [blob, ...cells]);
      done++;
    }
    if (done >= limit) break;
  }
  return done;
}

/** As `ReadTx.tablesWith`. */
export function tablesWith(db: Sqlite, text: string): string[] {
  const tables = db.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", []);
  return tables.flatMap(({ name }) => {
    const columns = db.all(`PRAGMA table_info("${String(name)}")`, []).map((column) => String(column['name']));
    const bodies = columns.filter((column) => ['body', 'desired', 'observed', 'placement'].includes(column));
    const found = bodies.some(
      (column) => db.first(`SELECT 1 FROM "${String(name)}" WHERE instr("${column}", ?) > 0 LIMIT 1`, [text]) !== undefined,
    );
    return found ? [String(name)] : [];
  });
}
