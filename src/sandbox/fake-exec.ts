/**
 * Commands that are run inside a fake container. The words of one are done in order: `print=TEXT`, `err=TEXT`, `cat` (its input, until that
 * ends), `size` (tells the terminal's size, now and whenever it changes, until it is killed), `wait` (until it is killed), `exit=CODE`.
 */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { ExecEvents, ExecProcess, ExecRequest, TerminalSize } from '#supervisor/exec-calls.ts';
import { EXEC_WINDOW_BYTES } from '#supervisor/protocol.ts';

export type FakeExecs = {
  /** Throws Fault InvalidParameter for a word that is none. */
  start(request: ExecRequest, events: ExecEvents): ExecProcess;
  /** The container ended. */
  killAll(container: string): void;
  /** Nobody listens any more. */
  lose(): void;
};

const signals: Record<string, number> = { HUP: 1, INT: 2, QUIT: 3, KILL: 9, USR1: 10, USR2: 12, TERM: 15 };
const INTERRUPT = 3;
const END_OF_INPUT = 4;

type FakeExec = { container: string; process: ExecProcess; finish(code: number): void; fail(fault: Fault): void };

export function createFakeExecs(): FakeExecs {
  const all = new Set<FakeExec>();
  return {
    start(request, events) {
      if (all.size >= limits.execsPerTask) throw new Fault('LimitExceeded', `${all.size} commands run in the task's containers already`);
      if (request.copies === true) throw new Fault('Unsupported', 'a fake sandbox has no files');
      const words = request.command.map(wordOf);
      const exec = fakeExec(request, words, events);
      all.add(exec);
      void exec.process.ended.catch(() => {}).then(() => all.delete(exec));
      return exec.process;
    },
    killAll: (container) => all.forEach((exec) => exec.container === container && exec.finish(137)),
    lose: () => all.forEach((exec) => exec.fail(new Fault('Unavailable', 'the connection to the fake supervisor is over'))),
  };
}

type Word = { name: 'print' | 'err' | 'cat' | 'size' | 'wait' | 'exit'; value: string };

function wordOf(text: string): Word {
  const [name, value] = /^(print|err|exit)=(.*)$/s.exec(text)?.slice(1) ?? [text, ''];
  if (['print', 'err', 'cat', 'size', 'wait', 'exit'].includes(name ?? '')) return { name, value } as Word;
  throw new Fault('InvalidParameter', `exec: ${JSON.stringify(text)}: executable file not found in $PATH`);
}

function fakeExec(request: ExecRequest, words: Word[], events: ExecEvents): FakeExec {
  const ended = Promise.withResolvers<number>();
  ended.promise.catch(() => {}); // who wants to know asks
  const room = createRoom(EXEC_WINDOW_BYTES, events);
  const wakers: (() => void)[] = [];
  const input: Buffer[] = [];
  let inputEnds = false;
  let size: TerminalSize | null = request.tty;
  let code: number | null = null;
  const wake = () => {
    for (const one of wakers.splice(0)) one();
  };
  const change = () => new Promise<void>((resolve) => void wakers.push(resolve));
  const finish = (exitCode: number) => {
    code ??= exitCode;
    wake();
    room.finish(() => ended.resolve(code ?? exitCode));
  };
  const line = (text: string) => Buffer.from(text + (request.tty === null ? '\n' : '\r\n'));

  const take = (data: Buffer) => {
    if (request.tty === null) return void input.push(data);
    if (data.includes(INTERRUPT)) return finish(130);
    const at = data.indexOf(END_OF_INPUT);
    input.push(at < 0 ? data : data.subarray(0, at));
    inputEnds ||= at >= 0;
  };
  const cat = async () => {
    for (;;) {
      const data = Buffer.concat(input.splice(0));
      if (data.length > 0) {
        await room.write('stdout', data);
        wake();
      } else if (inputEnds || code !== null) return;
      else await change();
    }
  };
  const tellSizes = async () => {
    for (let told = ''; code === null; await change()) {
      const now = `${size?.rows ?? 0} ${size?.cols ?? 0}`;
      if (now !== told) await room.write('stdout', line((told = now)));
    }
  };
  const run = async () => {
    for (const word of words) {
      if (code !== null) return;
      if (word.name === 'print' || (word.name === 'err' && request.tty !== null)) await room.write('stdout', line(word.value));
      else if (word.name === 'err') await room.write('stderr', line(word.value));
      else if (word.name === 'cat') await cat();
      else if (word.name === 'size') await tellSizes();
      else if (word.name === 'exit') return finish(Number(word.value));
      else while (code === null) await change();
    }
    finish(0);
  };
  // Whoever started it gets to know it before it says anything.
  setImmediate(() => void run());

  const fail = (fault: Fault) => {
    code ??= 137;
    ended.reject(fault);
    room.close();
    wake();
  };
  const process: ExecProcess = {
    async write(data) {
      if (code !== null) return;
      if (inputEnds && request.tty === null) throw new Fault('Conflict', "the command's input was ended");
      take(Buffer.from(data));
      wake();
      while (request.tty === null && code === null && input.length > 0 && words.some((word) => word.name === 'cat')) await change();
    },
    end() {
      inputEnds ||= request.tty === null;
      wake();
    },
    ack: (bytes) => (room.ack(bytes), wake()),
    resize(to) {
      size = to;
      wake();
    },
    signal(signal) {
      const number = signals[signal.replace(/^SIG/, '')];
      if (number !== undefined) finish(128 + number);
    },
    close: () => fail(new Fault('Cancelled', 'the command was closed')),
    ended: ended.promise,
  };
  return { container: request.container, process, finish, fail };
}

/** Output within its window. */
function createRoom(bytes: number, events: ExecEvents) {
  let waiting: { source: 'stdout' | 'stderr'; data: Buffer; done(): void }[] = [];
  let left = bytes;
  let atEnd: (() => void) | undefined;
  const pump = () => {
    for (let first = waiting[0]; first !== undefined && left > 0; first = waiting[0]) {
      const piece = first.data.subarray(0, left);
      first.data = first.data.subarray(piece.length);
      left -= piece.length;
      if (piece.length > 0) events.output(first.source, piece);
      if (first.data.length > 0) continue;
      waiting.shift();
      first.done();
    }
    if (waiting.length === 0) atEnd?.();
  };
  return {
    write: (source: 'stdout' | 'stderr', data: Buffer) =>
      new Promise<void>((done) => {
        waiting.push({ source, data, done });
        pump();
      }),
    ack(more: number) {
      left += more;
      pump();
    },
    /** `done` once all that was written is handed on. */
    finish(done: () => void) {
      atEnd = done;
      pump();
    },
    close() {
      for (const one of waiting) one.done();
      waiting = [];
    },
  };
}
