export { createLogs } from './logs.ts';
export type { LogEvent, LogGroup, Logs, LogStream, StoredLogEvent } from './types.ts';
