/** Metric filters of log groups and saved queries, in the catalogue's database. What they say is kept as JSON: it is read whole and never searched. */
import type { Scope } from '#domain/scope.ts';
import type { Sql, SqlRow } from './catalog-sql.ts';
import type { MetricFilter, QueryDefinition } from './types.ts';

export const filtersSchema = `
  CREATE TABLE IF NOT EXISTS metric_filters (
    group_id INTEGER NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (group_id, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS query_definitions (
    account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account, region, id)) STRICT, WITHOUT ROWID;
`;

export type FilterRow = Scope & { groupId: number; group: string; filter: MetricFilter };

export type CatalogFilters = ReturnType<typeof catalogFilters>;

export function catalogFilters({ all, one, run, change }: Sql) {
  const toFilter = (row: SqlRow): FilterRow => ({
    groupId: Number(row['group_id']),
    group: String(row['group_name']),
    account: String(row['account']),
    region: String(row['region']),
    filter: JSON.parse(String(row['body'])) as MetricFilter,
  });
  const joined = 'SELECT f.*, g.name AS group_name, g.account, g.region FROM metric_filters f JOIN groups g ON g.id = f.group_id';
  const toDefinition = (row: SqlRow): QueryDefinition => JSON.parse(String(row['body'])) as QueryDefinition;

  return {
    filters: () => all(joined).map(toFilter),
    filtersOf: (groupId: number) => all(`${joined} WHERE f.group_id = ? ORDER BY f.name`, groupId).map(toFilter),
    filtersIn: ({ account, region }: Scope) =>
      all(`${joined} WHERE g.account = ? AND g.region = ? ORDER BY g.name, f.name`, account, region).map(toFilter),
    filterCount: (groupId: number) => Number(one('SELECT count(*) AS n FROM metric_filters WHERE group_id = ?', groupId)?.['n'] ?? 0),
    setFilter: (groupId: number, filter: MetricFilter) =>
      change(() =>
        run('INSERT OR REPLACE INTO metric_filters (group_id, name, body) VALUES (?, ?, ?)', groupId, filter.name, JSON.stringify(filter)),
      ),
    removeFilter: (groupId: number, name: string) =>
      change(() => run('DELETE FROM metric_filters WHERE group_id = ? AND name = ?', groupId, name)),

    definitions: ({ account, region }: Scope) =>
      all('SELECT body FROM query_definitions WHERE account = ? AND region = ? ORDER BY name, id', account, region).map(toDefinition),
    setDefinition: ({ account, region }: Scope, definition: QueryDefinition) =>
      change(() => {
        const values = [account, region, definition.id, definition.name, JSON.stringify(definition)] as const;
        run('INSERT OR REPLACE INTO query_definitions (account, region, id, name, body) VALUES (?, ?, ?, ?, ?)', ...values);
      }),
    removeDefinition: ({ account, region }: Scope, id: string) =>
      change(() => run('DELETE FROM query_definitions WHERE account = ? AND region = ? AND id = ?', account, region, id)),
  };
}
