/** Steps that tick off with their seconds: a spinner where a person looks, one plain line each otherwise. */
import type { Clock, Timer } from '#base/clock.ts';
import { formatSeconds } from './format.ts';
import { cut } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** Tells what a running step is at: `12 MB of 40 MB`. */
export type Progress = (detail: string) => void;

export type Steps = {
  /** Runs one step; `done` is shown behind its name when it is through, or what `fn` returned as `{ detail }`. */
  run<T>(title: string, fn: (progress: Progress) => Promise<T>, done?: (value: T) => string): Promise<T>;
  /** A step that had nothing to do. */
  already(title: string, detail?: string): void;
  /** Something that can be done without, and why it isn't there. */
  without(title: string, why: string): void;
};

/** For output that programs read. */
export const silentSteps: Steps = { run: (_title, fn) => fn(() => undefined), already: () => undefined, without: () => undefined };

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;
/** Without a terminal, a step says that it has begun once it takes this long. */
const SLOW_MS = 3000;

export function createSteps(terminal: Terminal, clock: Clock): Steps {
  const finish = (mark: string, title: string, detail: string, tookMs: number | null) => {
    const time = tookMs === null ? '' : `  ${terminal.style('dim', formatSeconds(tookMs))}`;
    const room = terminal.width() - title.length - 14;
    const about = detail === '' ? '' : `  ${terminal.style('dim', cut(detail, Math.max(0, room)))}`;
    terminal.line(`${mark} ${title}${about}${time}`);
  };
  return {
    async run(title, fn, done) {
      const began = clock.now();
      const live = terminal.interactive ? spinner(terminal, clock, title) : plainWait(terminal, clock, title);
      try {
        const value = await fn((detail) => live.update(detail));
        live.stop();
        finish(terminal.style('green', '✓'), title, done?.(value) ?? '', clock.now() - began);
        return value;
      } catch (error) {
        live.stop();
        finish(terminal.style('red', '✗'), title, '', clock.now() - began);
        throw error;
      }
    },
    already: (title, detail = 'already there') => finish(terminal.style('green', '✓'), title, detail, null),
    without: (title, why) => finish(terminal.style('yellow', '!'), title, why, null),
  };
}

type Live = { update(detail: string): void; stop(): void };

function spinner(terminal: Terminal, clock: Clock, title: string): Live {
  const began = clock.now();
  let detail = '';
  let frame = 0;
  let timer: Timer | undefined;
  const draw = () => {
    const mark = frames[frame++ % frames.length] ?? '';
    const line = [title, detail, formatSeconds(clock.now() - began)].filter((part) => part !== '').join('  ');
    terminal.write(`\r\u001b[2K${terminal.style('cyan', mark)} ${cut(line, terminal.width() - 3)}`);
    timer = clock.after(FRAME_MS, draw);
  };
  draw();
  return {
    update: (text) => (detail = text),
    stop() {
      timer?.cancel();
      terminal.write('\r\u001b[2K');
    },
  };
}

function plainWait(terminal: Terminal, clock: Clock, title: string): Live {
  const timer = clock.after(SLOW_MS, () => terminal.line(`… ${title}`));
  return { update: () => {}, stop: () => timer.cancel() };
}
