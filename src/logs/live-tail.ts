/**
 * Live Tail: events as they are stored, once a second. What is more than a second's worth, or than memory is given to, is sampled evenly and said to be. A reader
 * who doesn't ask for a while gets a sample of all since. Source: CloudWatch Logs API reference, StartLiveTail.
 */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Matcher } from './pattern.ts';
import { eachMatch } from './sieve.ts';
import type { Committed } from './taps.ts';
import type { LiveTailEvent, LiveTailUpdate } from './types.ts';

export type LiveTailWish = {
  /** Names by id. */
  groups: ReadonlyMap<number, string>;
  wantsStream: (name: string) => boolean;
  match: Matcher;
};

/** What has come since it was asked last. */
export function createLiveTail({ groups, wantsStream, match }: LiveTailWish) {
  let kept: LiveTailEvent[] = [];
  let bytes = 0;
  /** Of so many candidates one is looked at. */
  let stride = 1;
  let seen = 0;

  /** Every second one of what is there, and from now on half as many. */
  function thin(): void {
    stride *= 2;
    kept = kept.filter((_, index) => index % 2 === 0);
    bytes = kept.reduce((sum, event) => sum + event.message.length, 0);
  }

  return {
    take({ groupId, stream, ingestedAt, events }: Committed): void {
      if (!wantsStream(stream)) return;
      const group = groups.get(groupId) ?? '';
      const found = (timestamp: number, message: string) => {
        kept.push({ group, stream, timestamp, message, ingestedAt });
        bytes += message.length;
        while (kept.length > 2 * limits.logLiveTailEvents || (bytes > limits.logLiveTailBytes && kept.length > 1)) thin();
      };
      eachMatch(events, match, found, () => seen++ % stride === 0);
    },
    collect(): LiveTailUpdate {
      const sampled = stride > 1 || kept.length > limits.logLiveTailEvents;
      const step = Math.max(1, kept.length / limits.logLiveTailEvents);
      const count = Math.min(kept.length, limits.logLiveTailEvents);
      const events = sampled ? Array.from({ length: count }, (_, index) => kept[Math.floor(index * step)] as LiveTailEvent) : kept;
      [kept, bytes, stride, seen] = [[], 0, 1, 0];
      return { events, sampled };
    },
  };
}

/**
 * An update each second until the session's time is over: then Fault('TimedOut'). Begins with the first one that is asked for: `start` runs at once, what it
 * returns however it ends.
 */
export async function* liveTailUpdates(
  clock: Clock,
  collect: () => LiveTailUpdate,
  start: () => () => void,
): AsyncGenerator<LiveTailUpdate> {
  const end = clock.now() + limits.logLiveTailMs;
  const stop = start();
  try {
    while (clock.now() < end) {
      await clock.sleep(limits.logLiveTailEveryMs);
      yield collect();
    }
    throw new Fault('TimedOut', 'Your Live Tail session was closed: it has been open for three hours.');
  } finally {
    stop();
  }
}
