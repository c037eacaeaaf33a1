/** Packed events that may match a pattern, found by the bytes that a match must have, before any text is made of them. */
import { walkPacked } from '#base/packed-events.ts';
import type { Matcher } from './pattern.ts';

/** Whether one of the needles lies between two places, which only grow. Each byte is looked at once. */
export function createSieve(bytes: Buffer, needles: readonly Buffer[] | undefined): (start: number, end: number) => boolean {
  if (needles === undefined) return () => true;
  const next = needles.map((needle) => ({ needle, at: -1 }));
  return (start, end) => {
    let hit = false;
    for (const one of next) {
      if (one.at < start) {
        const at = bytes.indexOf(one.needle, start);
        one.at = at < 0 ? Infinity : at;
      }
      hit ||= one.at + one.needle.length <= end;
    }
    return hit;
  };
}

/** Those that match, in their order. `wanted` is asked before a text is made. */
export function eachMatch(
  events: Buffer,
  match: Matcher,
  found: (timestamp: number, message: string) => void,
  wanted: () => boolean = () => true,
): void {
  const candidate = createSieve(events, match.needles);
  if (!candidate(0, events.length)) return;
  walkPacked(events, (_index, at, start, end) => {
    if (!candidate(start, end) || !wanted()) return;
    const message = events.toString('utf8', start, end);
    if (match(message)) found(at, message);
  });
}
