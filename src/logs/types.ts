/** Log groups, streams and events: ingest, segments on disk, query, retention. Behaviour: CloudWatch Logs API reference. */
import type { SourceEvents } from '#base/packed-events.ts';
import type { Scope } from '#domain/scope.ts';

export type LogGroup = Scope & {
  name: string;
  createdAt: number;
  retentionDays: number | null;
  tags: Record<string, string>;
  /** Kept and shown: berth stores groups of both classes alike. */
  class: LogGroupClass;
  /** Neither it nor its streams can be deleted. */
  isProtected: boolean;
  storedBytes: number;
  metricFilters: number;
};
export type LogGroupClass = 'STANDARD' | 'INFREQUENT_ACCESS';
export type LogStream = {
  name: string;
  createdAt: number;
  firstEventAt: number | null;
  lastEventAt: number | null;
  lastIngestionAt: number | null;
  storedBytes: number;
};
export type LogEvent = { timestamp: number; message: string };
export type StoredLogEvent = LogEvent & { ingestedAt: number; eventId: string; stream: string };

export type LiveTailEvent = LogEvent & { group: string; stream: string; ingestedAt: number };
export type LiveTailUpdate = { events: LiveTailEvent[]; sampled: boolean };

/** `value`: a number, or a selector of the pattern (`$.latency`, `$bytes`); `dimensions`: names and selectors, at most 3. */
export type MetricTransformation = {
  name: string;
  namespace: string;
  value: string;
  unit: string;
  defaultValue: number | null;
  dimensions: Record<string, string>;
};
export type MetricFilter = { name: string; pattern: string; transformations: MetricTransformation[]; createdAt: number };
/** How often filters found each value for one series in the minute that begins `at`. */
export type FilterValues = Scope & {
  namespace: string;
  name: string;
  unit: string;
  dimensions: Record<string, string>;
  at: number;
  values: Map<number, number>;
};

export type QueryDefinition = { id: string; name: string; query: string; groups: string[]; modifiedAt: number };

/** Times in ms, both inclusive; `limit`: lines of its result at most. */
export type QueryWish = { id: string; query: string; groups: string[]; from: number; to: number; limit: number };
export type Query = {
  id: string;
  query: string;
  groups: string[];
  status: 'Running' | 'Complete' | 'Failed' | 'Cancelled' | 'Timeout';
  startedAt: number;
  tookMs: number;
  results: { field: string; value: string }[][];
  statistics: { recordsMatched: number; recordsScanned: number; bytesScanned: number };
};

/** Metric filters and saved queries. */
export type LogFilters = {
  /** In place of one of the same name. */
  putMetricFilter(scope: Scope, group: string, filter: Omit<MetricFilter, 'createdAt'>): Promise<void>;
  deleteMetricFilter(scope: Scope, group: string, name: string): Promise<void>;
  /** Of one group, or of all, in order of group and name. */
  metricFilters(scope: Scope, group?: string): (MetricFilter & { group: string })[];
  putQueryDefinition(scope: Scope, definition: Omit<QueryDefinition, 'modifiedAt'>): Promise<void>;
  /** Whether it was there. */
  deleteQueryDefinition(scope: Scope, id: string): Promise<boolean>;
  queryDefinitions(scope: Scope): QueryDefinition[];
};

/** Faults: ResourceNotFound, AlreadyExists, InvalidParameter, LimitExceeded, with AWS's texts. */
export type Logs = LogFilters & {
  createGroup(
    scope: Scope,
    name: string,
    options: { tags: Record<string, string>; class?: LogGroupClass; isProtected?: boolean },
  ): Promise<void>;
  deleteGroup(scope: Scope, name: string): Promise<void>;
  listGroups(
    scope: Scope,
    options: { prefix?: string; pattern?: string; class?: LogGroupClass; after?: string; limit: number },
  ): Promise<{ groups: LogGroup[]; next?: string }>;
  getGroup(scope: Scope, name: string): Promise<LogGroup | undefined>;
  setRetention(scope: Scope, name: string, days: number | null): Promise<void>;
  setGroupTags(scope: Scope, name: string, tags: Record<string, string>): Promise<void>;
  setProtection(scope: Scope, name: string, isProtected: boolean): Promise<void>;
  createStream(scope: Scope, group: string, stream: string): Promise<void>;
  deleteStream(scope: Scope, group: string, stream: string): Promise<void>;
  listStreams(
    scope: Scope,
    group: string,
    options: { prefix?: string; orderBy: 'LogStreamName' | 'LastEventTime'; descending: boolean; after?: string; limit: number },
  ): Promise<{ streams: LogStream[]; next?: string }>;
  /** Durable when it resolves. Order within a stream is by timestamp, then by arrival. */
  put(
    scope: Scope,
    group: string,
    stream: string,
    events: LogEvent[],
  ): Promise<{ tooOldEnd?: number; tooNewStart?: number; expiredEnd?: number }>;
  /**
   * The same for the output of tasks, exactly once: what ends at or below the offset that was taken before is left out.
   * `source` is the task and container, `from`/`to` offsets of its spool. Makes the stream when the group has none of that name; times
   * are not checked.
   */
  putOnce(scope: Scope, group: string, stream: string, source: string, from: number, to: number, events: SourceEvents): Promise<void>;
  getEvents(
    scope: Scope,
    group: string,
    stream: string,
    options: { startTime?: number; endTime?: number; fromHead: boolean; token?: string; limit: number },
  ): Promise<{ events: StoredLogEvent[]; forward: string; backward: string }>;
  filter(
    scope: Scope,
    group: string,
    options: {
      streams?: string[];
      streamPrefix?: string;
      startTime?: number;
      endTime?: number;
      pattern?: string;
      token?: string;
      limit: number;
    },
  ): Promise<{ events: StoredLogEvent[]; next?: string }>;
  /**
   * Throws LimitExceeded past `limits.logLiveTails`. It begins with the first update that is asked for: one each second, whether or not something
   * came. Ends with Fault('TimedOut').
   */
  liveTail(
    scope: Scope,
    groups: string[],
    options: { streams?: string[]; streamPrefixes?: string[]; pattern?: string },
  ): AsyncGenerator<LiveTailUpdate>;
  /** Begins a query of Logs Insights; `wish.id` is the caller's to choose. Throws InvalidParameter (errorName MalformedQueryException), LimitExceeded. */
  startQuery(scope: Scope, wish: QueryWish): Promise<void>;
  /** In memory: undefined also of one that was before a restart, or long ago. */
  query(scope: Scope, id: string): Query | undefined;
  queries(scope: Scope): Query[];
  /** Whether it ran until now. */
  stopQuery(scope: Scope, id: string): boolean;
  /** Removes what is past its retention; called now and again. */
  sweep(): Promise<void>;
  close(): Promise<void>;
};
