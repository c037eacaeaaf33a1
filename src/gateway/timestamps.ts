/** Timestamps of AWS's protocols (Smithy 2.0, "timestampFormat trait"). */
import type { TimestampFormat } from './shapes.ts';

const LATEST_MS = 8.64e15;

/** A wire value as a Date; undefined when it is none. Epoch seconds may also come as text (Query). */
export function parseTimestamp(value: unknown, format: TimestampFormat): Date | undefined {
  if (typeof value === 'number') return format === 'epoch-seconds' ? fromEpoch(value) : undefined;
  if (typeof value !== 'string') return undefined;
  if (/^-?\d+(\.\d+)?$/.test(value)) return fromEpoch(Number(value));
  if (!/^\d{4}-\d\d-\d\d([Tt ]|$)|^[A-Z][a-z]{2}, /.test(value)) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : new Date(ms);
}

function fromEpoch(seconds: number): Date | undefined {
  const ms = Math.round(seconds * 1000);
  return Number.isFinite(ms) && Math.abs(ms) <= LATEST_MS ? new Date(ms) : undefined;
}

/** `2026-11-23T10:00:00.000Z`, as EC2 and the Query services write it. */
export function formatIso(date: Date): string {
  return date.toISOString();
}
