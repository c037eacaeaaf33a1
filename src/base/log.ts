/** One line of JSON an event, to a stream that `main` chooses. Never log secrets: pass ids, not records. */
import type { Clock } from './clock.ts';
import type { Json } from './fault.ts';

export type Fields = Record<string, Json | undefined>;

export type Log = {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields & { error?: never }, error?: unknown): void;
  /** A log that adds `fields` to every line. */
  with(fields: Fields): Log;
};

const levels = { debug: 10, info: 20, warn: 30, error: 40 } as const;
export type LogLevel = keyof typeof levels;

export function createLog(clock: Clock, write: (line: string) => void, level: LogLevel = 'info', base: Fields = {}): Log {
  const emit = (at: LogLevel, event: string, fields: Fields) => {
    if (levels[at] < levels[level]) return;
    write(`${JSON.stringify({ time: new Date(clock.now()).toISOString(), level: at, event, ...base, ...fields })}\n`);
  };
  return {
    debug: (event, fields = {}) => emit('debug', event, fields),
    info: (event, fields = {}) => emit('info', event, fields),
    warn: (event, fields = {}) => emit('warn', event, fields),
    error(event, fields = {}, error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : error === undefined ? undefined : String(error);
      emit('error', event, { ...fields, ...(text === undefined ? {} : { error: text }) } as Fields);
    },
    with: (fields) => createLog(clock, write, level, { ...base, ...fields }),
  };
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silentLog };
