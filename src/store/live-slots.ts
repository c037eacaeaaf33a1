/**
 * The short of every live task, in memory: admission, placement and the hosts' assignments look over all of them at each change, which must not cost a read of
 * thousands of rows. Rows that were written since are read again, in the transaction that asks, so it sees what a query would see.
 */
import type { TaskSlot } from './types.ts';
import type { Line, Sqlite } from './sqlite.ts';

export type LiveSlots = {
  /** All live tasks, in no order. */
  all(): TaskSlot[];
  /** A task's row was written: to be told with each write, whether or not its transaction lasts. */
  wrote(id: string): void;
  /** What was written has been committed. */
  settled(): void;
  /** Some of what was written since the last commit has been undone. */
  undone(): void;
};

const SLOTS = 'SELECT id, desired_status, status, host_id, subnet_id, ip, placed_at, cpu_millis, memory_bytes FROM tasks WHERE live = 1';
const HAS_TARGETS = 'SELECT 1 FROM targets WHERE task_id = ? LIMIT 1';

export function createLiveSlots(db: Sqlite): LiveSlots {
  let known: Map<string, TaskSlot> | undefined;
  let version: unknown;
  /** Those of them that are to stop and run: their hosts may not be told yet. */
  const ending = new Set<string>();
  const stale = new Set<string>();
  /** Read again since the last commit. */
  const unsettled = new Set<string>();
  const keep = (slots: Map<string, TaskSlot>, line: Line) => {
    const slot = decodeSlot(line);
    slots.set(slot.id, slot);
    if (slot.desired === 'STOPPED' && slot.status === 'RUNNING') ending.add(slot.id);
    else ending.delete(slot.id);
  };
  /** Another process may have the file too, as one control plane ends and the next begins (https://sqlite.org/pragma.html#pragma_data_version). */
  const loaded = (): Map<string, TaskSlot> => {
    const now = db.first('PRAGMA data_version', [])?.['data_version'];
    if (known !== undefined && now === version) return known;
    known = new Map();
    ending.clear();
    for (const line of db.all(SLOTS, [])) keep(known, line);
    version = now;
    return known;
  };
  const refresh = (slots: Map<string, TaskSlot>, id: string) => {
    const line = db.first(`${SLOTS} AND id = ?`, [id]);
    if (line !== undefined) return keep(slots, line);
    slots.delete(id);
    ending.delete(id);
  };
  /** A task that is to stop is told so once no target group sends it anything any more. */
  const told = (slot: TaskSlot): TaskSlot => (db.first(HAS_TARGETS, [slot.id]) === undefined ? slot : { ...slot, desired: 'RUNNING' });
  return {
    all() {
      const slots = loaded();
      for (const id of stale) {
        refresh(slots, id);
        unsettled.add(id);
      }
      stale.clear();
      const all = [...slots.values()];
      return ending.size === 0 ? all : all.map((slot) => (ending.has(slot.id) ? told(slot) : slot));
    },
    wrote: (id) => void stale.add(id),
    settled: () => unsettled.clear(),
    undone() {
      for (const id of unsettled) stale.add(id);
      unsettled.clear();
    },
  };
}

function decodeSlot(line: Line): TaskSlot {
  return {
    id: line['id'] as string,
    desired: line['desired_status'] as TaskSlot['desired'],
    status: line['status'] as TaskSlot['status'],
    placedAt: line['placed_at'] as number | null,
    hostId: line['host_id'] as string | null,
    subnetId: line['subnet_id'] as string,
    ip: line['ip'] as string | null,
    cpuMillis: line['cpu_millis'] as number,
    memoryBytes: line['memory_bytes'] as number,
  };
}
