export { createLogs } from './logs.ts';
export type { LogEvent, LogGroup, Logs, LogStream, StoredLogEvent } from './types.ts';
export { testPattern } from './pattern.ts';
export type { FilterSink } from './metric-filters.ts';
