/** All series, in memory and on disk. A series is made by its first sample, in the transaction that keeps it. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Scope } from '#domain/scope.ts';
import type { Sqlite } from '#store/sqlite.ts';
import type { Dimensions, Series, SeriesFilter, SeriesIdentity } from './types.ts';

export type Catalog = {
  /** Its id; one that isn't known yet gets one, which holds once `store` has run and `keep` was told. Throws Fault LimitExceeded. */
  idOf(identity: SeriesIdentity): number;
  /** Writes the new ones among these; within a transaction. */
  store(ids: Iterable<number>): void;
  /** What `store` wrote is committed, or not. */
  keep(ids: Iterable<number>, committed: boolean): void;
  all(): Series[];
  /** `at`: start of a minute that has data now. */
  touch(id: number, at: number): void;
  list(filter: SeriesFilter): Series[];
  find(scope: Scope, metric: { namespace: string; name: string; dimensions: Dimensions; unit?: string }): Series[];
  drop(ids: Iterable<number>): void;
};

const CREATE = `CREATE TABLE IF NOT EXISTS series(
  id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
  unit TEXT NOT NULL, dimensions TEXT NOT NULL)`;

export function openCatalog(db: Sqlite): Catalog {
  db.exec(CREATE);
  const byId = new Map<number, Series>();
  const byMetric = new Map<string, Map<string, Series>>();
  const unstored = new Set<number>();
  let nextId = 1;

  const add = (series: Series) => {
    byId.set(series.id, series);
    const key = metricKey(series, series);
    const ofMetric = byMetric.get(key) ?? new Map<string, Series>();
    ofMetric.set(series.unit, series);
    byMetric.set(key, ofMetric);
    nextId = Math.max(nextId, series.id + 1);
  };
  const remove = (id: number) => {
    const series = byId.get(id);
    if (series === undefined) return;
    byId.delete(id);
    const ofMetric = byMetric.get(metricKey(series, series));
    ofMetric?.delete(series.unit);
    if (ofMetric?.size === 0) byMetric.delete(metricKey(series, series));
  };
  for (const line of db.all('SELECT * FROM series ORDER BY id', [])) add(fromLine(line));

  return {
    idOf(identity) {
      const known = byMetric.get(metricKey(identity, identity))?.get(identity.unit);
      if (known !== undefined) return known.id;
      if (byId.size >= limits.metricSeries) {
        throw new Fault(
          'LimitExceeded',
          `berth keeps at most ${limits.metricSeries} metric series; one more is wanted, ${identity.namespace}/${identity.name}.`,
        );
      }
      const { account, region, namespace, name, unit } = identity;
      add({ id: nextId, account, region, namespace, name, unit, dimensions: sorted(identity.dimensions), lastAt: 0 });
      unstored.add(nextId - 1);
      return nextId - 1;
    },
    store(ids) {
      for (const id of ids) {
        const series = byId.get(id);
        if (series === undefined || !unstored.has(id)) continue;
        const { account, region, namespace, name, unit, dimensions } = series;
        db.run('INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)', [id, account, region, namespace, name, unit, JSON.stringify(dimensions)]);
      }
    },
    keep(ids, committed) {
      for (const id of ids) if (unstored.delete(id) && !committed) remove(id);
    },
    all: () => [...byId.values()],
    touch(id, at) {
      const series = byId.get(id);
      if (series !== undefined && series.lastAt < at) series.lastAt = at;
    },
    list: (filter) => [...byId.values()].filter((series) => !unstored.has(series.id) && fits(series, filter)),
    find(scope, metric) {
      const found = [...(byMetric.get(metricKey(scope, metric))?.values() ?? [])];
      return found.filter(({ id, unit }) => !unstored.has(id) && (metric.unit === undefined || unit === metric.unit));
    },
    drop(ids) {
      for (const id of ids) {
        db.run('DELETE FROM series WHERE id = ?', [id]);
        remove(id);
      }
    },
  };
}

function fits(series: Series, { account, region, namespace, name, dimensions = {}, activeSince = 0 }: SeriesFilter): boolean {
  return (
    series.account === account &&
    series.region === region &&
    (namespace === undefined || series.namespace === namespace) &&
    (name === undefined || series.name === name) &&
    series.lastAt >= activeSince &&
    Object.entries(dimensions).every(
      ([key, value]) => Object.hasOwn(series.dimensions, key) && (value === null || series.dimensions[key] === value),
    )
  );
}

const metricKey = (
  { account, region }: Scope,
  { namespace, name, dimensions }: { namespace: string; name: string; dimensions: Dimensions },
) => JSON.stringify([account, region, namespace, name, Object.entries(sorted(dimensions))]);

function sorted(dimensions: Dimensions): Dimensions {
  return Object.fromEntries(Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function fromLine(line: Record<string, unknown>): Series {
  const text = (name: string) => String(line[name]);
  return {
    id: Number(line['id']),
    account: text('account'),
    region: text('region'),
    namespace: text('namespace'),
    name: text('name'),
    unit: text('unit'),
    dimensions: JSON.parse(text('dimensions')) as Dimensions,
    lastAt: 0,
  };
}
