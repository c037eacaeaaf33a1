/** The last lines of each container's output, in memory: for people who ask why something ended. */
import { limits } from '#base/limits.ts';
import { containerAt, RECORD_HEAD, sourceAt, timeMsAt, walkRun } from '#base/output-run.ts';
import type { OutputRun } from '#base/output-run.ts';
import type { TaskTail, TaskTailLine } from '#link/operations.ts';

export type Tails = {
  /** `isLong`: as much of it is kept as `limits.tailBytes` says, since it is to be had nowhere else. */
  add(taskId: string, line: TaskTailLine, isLong?: boolean): void;
  /** The same of whole lines in a run; `names`: the containers' by index. */
  addRun(taskId: string, run: OutputRun, names: string[]): void;
  /** Oldest first; of all containers in order of time when none is named. `after`: only what came after the answer that had it as `next`. */
  get(taskId: string, options: { container?: string; lines?: number; after?: string }): TaskTail;
  /** The task is over: its lines stay until too many ended tasks came after it. */
  ended(taskId: string): void;
};

type Kept = { lines: (TaskTailLine & { no: number })[]; bytes: number };

/** `epoch` tells one agent's numbers from those of the one before, which nobody remembers. */
export function createTails(epoch = 0): Tails {
  const tasks = new Map<string, { containers: Map<string, Kept>; last: number }>();
  const ended: string[] = [];
  let bytesOfAll = 0;

  /** Drops the oldest lines, some at a time. */
  const trim = (kept: Kept, isLong: boolean) => {
    const isOver = isLong && bytesOfAll <= limits.tailAllBytes ? kept.bytes > limits.tailBytes : kept.lines.length > limits.tailLines;
    if (!isOver) return;
    const target = isLong ? Math.min(kept.bytes, limits.tailBytes) * 0.9 : 0;
    let [count, bytes] = [0, kept.bytes];
    while (kept.lines.length - count > limits.tailLines && (bytes > target || !isLong)) bytes -= sizeOf(kept.lines[count++]!);
    kept.lines.splice(0, count);
    bytesOfAll -= kept.bytes - bytes;
    kept.bytes = bytes;
  };
  const add = (taskId: string, line: TaskTailLine, isLong = false) => {
    const task = tasks.get(taskId) ?? { containers: new Map<string, Kept>(), last: 0 };
    tasks.set(taskId, task);
    const kept = task.containers.get(line.container) ?? { lines: [], bytes: 0 };
    task.containers.set(line.container, kept);
    const most = isLong ? limits.tailLongLineChars : limits.tailLineChars;
    const entry = { ...line, text: line.text.length <= most ? line.text : line.text.slice(0, most), no: ++task.last };
    kept.lines.push(entry);
    kept.bytes += sizeOf(entry);
    bytesOfAll += sizeOf(entry);
    trim(kept, isLong);
  };
  const drop = (taskId: string) => {
    for (const { bytes } of tasks.get(taskId)?.containers.values() ?? []) bytesOfAll -= bytes;
    tasks.delete(taskId);
  };
  return {
    add,
    addRun(taskId, { bytes }, names) {
      // Only the last of each container are made into text: a run may have hundreds.
      const left = new Int32Array(names.length);
      walkRun(bytes, (head) => void left[containerAt(bytes, head)]!++);
      walkRun(bytes, (head, end) => {
        const index = containerAt(bytes, head);
        if (left[index]!-- > limits.tailLines) return;
        const text = bytes.toString('utf8', head + RECORD_HEAD, end);
        add(taskId, { container: names[index] ?? '', source: sourceAt(bytes, head), time: timeMsAt(bytes, head), text });
      });
    },
    get(taskId, { container, lines = limits.tailLines, after }) {
      const task = tasks.get(taskId);
      const [of, no] = (after ?? '').split('.').map(Number);
      const from = of === epoch ? (no ?? 0) : 0;
      const all = [...(task?.containers ?? [])]
        .filter(([name]) => container === undefined || name === container)
        .flatMap(([, kept]) => kept.lines.filter((line) => line.no > from).slice(-Math.min(lines, limits.tailAnswerLines)))
        .sort((a, b) => a.time - b.time || a.no - b.no);
      return {
        lines: all.map(({ container: name, source, time, text }) => ({ container: name, source, time, text })),
        next: `${epoch}.${task?.last ?? 0}`,
      };
    },
    ended(taskId) {
      if (!tasks.has(taskId) || ended.includes(taskId)) return;
      ended.push(taskId);
      if (ended.length > limits.tailEndedTasks) drop(ended.shift() ?? '');
    },
  };
}

/** Characters, and what an object takes beside them. */
const sizeOf = ({ text }: { text: string }): number => text.length + 100;
