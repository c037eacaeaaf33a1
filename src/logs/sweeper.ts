/** Removes what is past its retention or was deleted. */
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Catalog } from './catalog.ts';
import { retentionStart } from './checks.ts';
import type { SegmentFiles } from './segments.ts';
import type { StreamStates } from './stream-states.ts';
import type { Writer } from './writer.ts';

export type Sweeper = ReturnType<typeof createSweeper>;

export function createSweeper(parts: {
  catalog: Catalog;
  files: SegmentFiles;
  states: StreamStates;
  writer: Writer;
  clock: Clock;
  log: Log;
}) {
  const { catalog, files, states, writer, clock, log } = parts;

  /** Segments of which every event is before `start`. The one that is written to is closed first when it is such a one. */
  async function sweepStream(id: number, start: number): Promise<number> {
    const state = states.get(id);
    const closed = catalog.segments(id).filter((row) => row.no < state.no);
    const lastIsOld = state.earliest !== Infinity && state.latest < start;
    const kept = [...closed.filter((row) => row.latest >= start), ...(lastIsOld ? [] : [state])];
    const earliest = Math.min(...kept.map((row) => row.earliest));
    state.stats.firstEventAt = earliest === Infinity ? null : earliest;
    if (earliest === Infinity) Object.assign(state.stats, { lastEventAt: null, storedBytes: 0 });
    state.dirty = true;
    if (lastIsOld) {
      files.write(states.roll(state));
      await files.sync(); // The new segment carries the offsets that were taken: it must be there before the old one goes.
    }
    const gone = catalog.segments(id).filter((row) => row.no < state.no && row.latest < start);
    for (const { no } of gone) {
      await catalog.removeSegment(id, no);
      files.remove(id, no);
    }
    return gone.length;
  }

  return {
    /** For `writer.exclusive`: takes the rows away durably, then the files. */
    async removeStreams(ids: number[], removeRows: () => Promise<void>): Promise<void> {
      await removeRows();
      for (const id of ids) {
        states.drop(id);
        files.removeStream(id);
      }
    },
    async sweep(): Promise<void> {
      await states.saveStats();
      let segments = 0;
      for (const group of catalog.retained()) {
        const start = retentionStart(group.retentionDays, clock.now());
        for (const { id } of catalog.streamsBefore(group.id, start)) segments += await writer.exclusive(() => sweepStream(id, start));
      }
      await states.saveStats();
      const orphans = [...files.streams()].filter((id) => catalog.streamById(id) === undefined);
      // A crash came between the removal of a stream's row and of its files.
      for (const id of orphans) await writer.exclusive(() => files.removeStream(id));
      if (segments + orphans.length > 0) log.info('logs-swept', { segments, orphans: orphans.length });
    },
  };
}
