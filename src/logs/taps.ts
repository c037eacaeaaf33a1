/** Who wants events as they are committed: live tails and metric filters. What nobody wants costs a look at a set. */
import type { Log } from '#base/log.ts';
import type { Catalog } from './catalog.ts';

export type Committed = { groupId: number; stream: string; ingestedAt: number; events: Buffer };
export type Tap = (committed: Committed) => void;

export type Taps = {
  /** Returns the way to stop. */
  add(groups: Iterable<number>, tap: Tap): () => void;
  publish(stream: number, events: Buffer, ingestedAt: number): void;
};

/** Streams whose group is remembered. */
const REMEMBERED = 5000;

export function createTaps(catalog: Catalog, log: Log): Taps {
  const byGroup = new Map<number, Set<Tap>>();
  /** A stream's group and name never change, and no other stream gets its id. */
  const streams = new Map<number, { groupId: number; name: string }>();

  function streamOf(id: number): { groupId: number; name: string } | undefined {
    const known = streams.get(id) ?? catalog.streamById(id);
    if (known === undefined) return undefined;
    if (streams.size >= REMEMBERED) streams.clear();
    streams.set(id, known);
    return known;
  }

  return {
    add(groups, tap) {
      const ids = [...groups];
      for (const id of ids) byGroup.set(id, (byGroup.get(id) ?? new Set()).add(tap));
      return () => {
        for (const id of ids) {
          const taps = byGroup.get(id);
          taps?.delete(tap);
          if (taps?.size === 0) byGroup.delete(id);
        }
      };
    },
    publish(id, events, ingestedAt) {
      if (byGroup.size === 0) return;
      const stream = streamOf(id);
      if (stream === undefined) return;
      for (const tap of byGroup.get(stream.groupId) ?? []) {
        try {
          tap({ groupId: stream.groupId, stream: stream.name, ingestedAt, events });
        } catch (error) {
          log.error('log-tap-failed', { stream: stream.name }, error); // The events are stored: who put them is not to blame.
        }
      }
    },
  };
}
