/** The last lines of each container's output, in memory: for people who ask why something ended. */
import { limits } from '#base/limits.ts';
import { containerAt, RECORD_HEAD, sourceAt, timeMsAt, walkRun } from '#base/output-run.ts';
import type { OutputRun } from '#base/output-run.ts';
import type { TaskTail } from '#link/operations.ts';

export type Tails = {
  add(taskId: string, line: TaskTail['lines'][number]): void;
  /** The same of whole lines in a run; `names`: the containers' by index. */
  addRun(taskId: string, run: OutputRun, names: string[]): void;
  /** Oldest first; of all containers in order of time when none is named. */
  get(taskId: string, options: { container?: string; lines?: number }): TaskTail;
  /** The task is over: its lines stay until too many ended tasks came after it. */
  ended(taskId: string): void;
};

export function createTails(): Tails {
  const tasks = new Map<string, Map<string, TaskTail['lines']>>();
  const ended: string[] = [];
  const add: Tails['add'] = (taskId, line) => {
    const containers = tasks.get(taskId) ?? new Map<string, TaskTail['lines']>();
    tasks.set(taskId, containers);
    const lines = containers.get(line.container) ?? [];
    containers.set(line.container, lines);
    lines.push(line.text.length <= limits.tailLineChars ? line : { ...line, text: line.text.slice(0, limits.tailLineChars) });
    if (lines.length > limits.tailLines) lines.shift();
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
    get(taskId, options) {
      const count = Math.min(options.lines ?? limits.tailLines, limits.tailLines);
      const all = [...(tasks.get(taskId) ?? [])]
        .filter(([name]) => options.container === undefined || name === options.container)
        .flatMap(([, lines]) => lines.slice(-count));
      return { lines: all.sort((a, b) => a.time - b.time) };
    },
    ended(taskId) {
      if (!tasks.has(taskId) || ended.includes(taskId)) return;
      ended.push(taskId);
      if (ended.length > limits.tailEndedTasks) tasks.delete(ended.shift() ?? '');
    },
  };
}
