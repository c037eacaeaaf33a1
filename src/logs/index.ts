export { createLogs } from './logs.ts';
export type { LogEvent, LogGroup, Logs, LogStream, SourceEvent, StoredLogEvent } from './types.ts';
