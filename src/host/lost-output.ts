/** Output that could not be kept, told where the container's owner looks: in its `reason`, at the end and while it runs. */
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Lost } from './task-lanes.ts';
import type { TaskRecord } from './task-record.ts';

/** A container that loses output loses it all the time: after the first word the next comes so much later. */
const EVERY_MS = 10_000;

/** Unless something else is already said of the container. */
export function tellLost(log: Log, record: TaskRecord, { container, driver, bytes }: Lost): void {
  if (record.closed()) return;
  log.warn('output.dropped', { container, driver, bytes });
  const [before, after] = [`Log driver ${driver}: `, ' bytes of output could not be kept'];
  const told = record.entry.report.containers.find((one) => one.name === container)?.reason;
  if (told === undefined || (told !== null && !(told.startsWith(before) && told.endsWith(after)))) return;
  record.updateContainer(container, { reason: `${before}${bytes}${after}` });
}

/** Tells at once, then at most now and again the newest of each container. */
export function lostTeller(clock: Clock, tell: (lost: Lost) => void): (lost: Lost[]) => void {
  const waiting = new Map<string, Lost>();
  let isQuiet = false;
  const say = () => {
    isQuiet = waiting.size > 0;
    if (!isQuiet) return;
    for (const lost of waiting.values()) tell(lost);
    waiting.clear();
    clock.after(EVERY_MS, say);
  };
  return (lost) => {
    for (const one of lost) waiting.set(one.container, one);
    if (!isQuiet) say();
  };
}
