/** Event ids and page tokens: places in the order of events, written so that they sort as text and can be read back. */
import { invalid } from './checks.ts';
import type { Cursor } from './reader.ts';

/** 56 digits, as CloudWatch's own ids have: time, stream, number in the stream. */
export function eventId({ at, stream, seq }: Cursor): string {
  return `${digits(at, 20)}${digits(stream, 16)}${digits(seq, 20)}`;
}

export function parseEventId(text: string): Cursor | undefined {
  if (!/^\d{56}$/.test(text)) return undefined;
  const cursor = { at: Number(text.slice(0, 20)), stream: Number(text.slice(20, 36)), seq: Number(text.slice(36)) };
  return Object.values(cursor).every(Number.isSafeInteger) ? cursor : undefined;
}

/** GetLogEvents' tokens, `f/ID/s` and `b/ID/s`: what follows the event, and what comes before it. */
export function streamToken(direction: 'f' | 'b', cursor: Cursor): string {
  return `${direction}/${eventId(cursor)}/s`;
}

export function parseStreamToken(token: string): { direction: 'f' | 'b'; cursor: Cursor } {
  const [, direction, id = ''] = /^([fb])\/(\d{56})\/s$/.exec(token) ?? [];
  const cursor = parseEventId(id);
  if (cursor === undefined) throw invalid('The specified nextToken is invalid.');
  return { direction: direction as 'f' | 'b', cursor };
}

export function parsePageToken(token: string | undefined): Cursor | undefined {
  if (token === undefined) return undefined;
  const cursor = parseEventId(token);
  if (cursor === undefined) throw invalid('The specified nextToken is invalid.');
  return cursor;
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
