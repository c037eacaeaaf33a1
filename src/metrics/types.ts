/** Metrics in CloudWatch's terms: what identifies a series, what is put into it, and what is read back. Source: CloudWatch user guide, "Metrics concepts". */
import type { Scope } from '#domain/scope.ts';

/** Pairs of name and value, at most 30 (CloudWatch's limit), in any order: a set. */
export type Dimensions = Readonly<Record<string, string>>;

/** What makes a series: another unit is another series, as CloudWatch keeps them apart. */
export type SeriesIdentity = Scope & { namespace: string; name: string; dimensions: Dimensions; unit: string };

export type Series = SeriesIdentity & {
  id: number;
  /** Start of the newest minute that has data, in ms since the epoch; 0: none yet. */
  lastAt: number;
};

/** Of values in a span of time. `bins` (how often a value near this one was seen, see statistics.ts) is there where percentiles can be told. */
export type StatisticSet = { count: number; sum: number; min: number; max: number; bins?: Map<number, number> };

/** `at` in ms since the epoch; it counts for the minute that it is in. */
export type Sample = { series: SeriesIdentity; at: number; values: StatisticSet };

/** `at`: the start of the period, ms since the epoch. */
export type Bucket = { at: number; values: StatisticSet };

/** [start, end) in ms since the epoch, in periods of `periodS` seconds, a multiple of 60. */
export type Span = { start: number; end: number; periodS: number };

export type SeriesFilter = Scope & {
  namespace?: string;
  name?: string;
  /** Series that have all of these; null: any value. */
  dimensions?: Readonly<Record<string, string | null>>;
  /** Only series with data since then, ms. */
  activeSince?: number;
};

export type Metrics = {
  /**
   * Durable when it resolves; when it rejects nothing of it is kept. Throws Fault LimitExceeded past `limits.metricSeries`, Unavailable when
   * the disk is full.
   */
  put(samples: Sample[]): Promise<void>;
  /** All series that fit, in the order of their making. */
  list(filter: SeriesFilter): Series[];
  /** The series with exactly these dimensions; without a unit those of all units. */
  find(scope: Scope, metric: { namespace: string; name: string; dimensions: Dimensions; unit?: string }): Series[];
  /** Series together, in periods that have data. Minutes are there for 15 days, 5 minutes for 63, hours for 455: what is finer is told by the coarser. */
  read(series: readonly number[], span: Span): Bucket[];
  /** Writes to disk what only the redo log has, joins the hours of former days, and drops what is past its time. Now and then. */
  tidy(): Promise<void>;
  /** Size of the database's files in bytes. */
  bytes(): number;
  close(): Promise<void>;
};
