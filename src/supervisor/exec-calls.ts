/**
 * Commands that are run inside a task's containers, over the connection to its supervisor. Input and output have windows: a command that
 * is slow to read stops `write`, and one whose output isn't acknowledged waits. What the supervisor says is bounded and checked.
 */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { EXEC_HEADER_BYTES, EXEC_INPUT_BYTES, EXEC_WINDOW_BYTES } from './protocol.ts';
import type { FromSupervisor, ToSupervisor } from './protocol.ts';

export type TerminalSize = { cols: number; rows: number };

/** It has the container's namespaces, limits, rights and environment. */
export type ExecRequest = {
  container: string;
  command: string[];
  /** With a terminal of this size; null: pipes. */
  tty: TerminalSize | null;
  /** Beside the container's own; these win. */
  env?: Record<string, string>;
  /** `name`, `uid`, `name:group`, ...; default: the container's. */
  user?: string | null;
  cwd?: string | null;
  /** Not a program of the image: `command` is what the supervisor's own copier is asked (supervisor/src/copy). */
  copies?: boolean;
};

export type ExecEvents = {
  /** Bytes as the command wrote them; with a terminal all is stdout. `ack` them once they are handed on. All of it comes before `ended`. */
  output(source: 'stdout' | 'stderr', data: Buffer): void;
};

export type ExecProcess = {
  /** Resolves when there is room for more; what comes after the command's end goes nowhere. Throws Fault Conflict after `end`. */
  write(data: Uint8Array): Promise<void>;
  /** No more input. A terminal has no end: who sits at it types one. */
  end(): void;
  /** So many more bytes of output were handed on. Past 128 KiB unacknowledged the command waits. */
  ack(bytes: number): void;
  resize(size: TerminalSize): void;
  signal(signal: string): void;
  /** Kills it and its process group; `ended` rejects with Cancelled. Nothing after the end. */
  close(): void;
  /** Its exit code, 128 + n when killed by signal n. Rejects with Unavailable when the connection to it is lost: it is then killed. */
  ended: Promise<number>;
};

export type ExecCalls = {
  /** Throws Fault InvalidParameter with the reason when it can't be started, LimitExceeded, TimedOut, Unavailable. */
  start(request: ExecRequest, events: ExecEvents): Promise<ExecProcess>;
  onMessage(message: ExecMessage): void;
  /** An output frame's payload; false when it is of no command that runs. */
  onOutput(payload: Buffer): boolean;
  /** The connection is over, and with it every command. */
  fail(fault: Fault): void;
};

export type ExecMessage = Extract<FromSupervisor, { t: `exec-${string}` }>;

const PIECE_BYTES = 32 * 1024;

type Exec = {
  started: PromiseWithResolvers<void>;
  ended: PromiseWithResolvers<number>;
  events: ExecEvents;
  input: Input;
  unacknowledged: number;
};

export function createExecCalls(deps: { clock: Clock; taskId: string; send(message: ToSupervisor): void }): ExecCalls {
  const { clock, taskId } = deps;
  const execs = new Map<number, Exec>();
  let nextId = 1;

  const end = (id: number, settle: (exec: Exec) => void) => {
    const exec = execs.get(id);
    if (exec === undefined) return;
    execs.delete(id);
    settle(exec);
    exec.input.over();
  };
  const reject = (id: number, fault: Fault) => end(id, (exec) => (exec.started.reject(fault), exec.ended.reject(fault)));
  const close = (id: number, fault: Fault) => {
    if (execs.has(id)) deps.send({ t: 'exec-close', id });
    reject(id, fault);
  };
  const ask = (id: number, message: ToSupervisor) => void (execs.has(id) && deps.send(message));

  const processOf = (id: number, exec: Exec): ExecProcess => ({
    write: (data) => exec.input.write(data),
    end: () => exec.input.end(),
    ack(bytes) {
      exec.unacknowledged -= bytes;
      ask(id, { t: 'exec-ack', id, bytes });
    },
    resize: (size) => ask(id, { t: 'exec-resize', id, ...size }),
    signal: (signal) => ask(id, { t: 'exec-signal', id, signal }),
    close: () => close(id, new Fault('Cancelled', 'the command was closed')),
    ended: exec.ended.promise,
  });

  return {
    async start(request, events) {
      if (execs.size >= limits.execsPerTask) {
        throw new Fault('LimitExceeded', `${execs.size} commands run in the containers of task ${taskId} already`);
      }
      const id = nextId++;
      const input = createInput((data, eof) => deps.send({ t: 'exec-input', id, data: data.toString('base64'), eof }));
      const exec: Exec = { started: Promise.withResolvers(), ended: Promise.withResolvers(), events, input, unacknowledged: 0 };
      exec.ended.promise.catch(() => {}); // who wants to know asks
      const { container, command, tty, env = {}, user = null, cwd = null, copies = false } = request;
      const { cols, rows } = tty ?? { cols: 0, rows: 0 };
      deps.send({ t: 'exec', id, container, command, tty: tty !== null, cols, rows, env, user, cwd, ...(copies ? { copies } : {}) });
      execs.set(id, exec);
      const late = new Fault('TimedOut', `the command did not start within ${limits.execStartMs} ms`);
      const timer = clock.after(limits.execStartMs, () => close(id, late));
      try {
        await exec.started.promise;
      } finally {
        timer.cancel();
      }
      return processOf(id, exec);
    },
    onMessage(message) {
      const exec = execs.get(message.id);
      if (exec === undefined) return; // it was closed here
      if (message.t === 'exec-started') exec.started.resolve();
      else if (message.t === 'exec-taken') exec.input.taken(message.bytes);
      else if (message.t === 'exec-exit') end(message.id, () => (exec.started.resolve(), exec.ended.resolve(message.code)));
      else reject(message.id, new Fault('InvalidParameter', message.message));
    },
    onOutput(payload) {
      const source = payload[EXEC_HEADER_BYTES - 1];
      if (payload.length < EXEC_HEADER_BYTES || (source !== 1 && source !== 2)) {
        throw new Fault('ProtocolError', `output of a command has ${payload.length} bytes and source ${source ?? 'none'}`);
      }
      const exec = execs.get(payload.readUInt32BE(0));
      if (exec === undefined) return false;
      const data = Buffer.from(payload.subarray(EXEC_HEADER_BYTES));
      exec.unacknowledged += data.length;
      if (exec.unacknowledged > EXEC_WINDOW_BYTES) throw new Fault('ProtocolError', 'a command sent more output than was asked for');
      exec.events.output(source === 1 ? 'stdout' : 'stderr', data);
      return true;
    },
    fail(fault) {
      for (const id of execs.keys()) reject(id, fault);
    },
  };
}

type Input = { write(data: Uint8Array): Promise<void>; end(): void; taken(bytes: number): void; over(): void };

/** What waits to be sent to a command, no more of it than its window under way. */
function createInput(send: (data: Buffer, eof: boolean) => void): Input {
  let queue: { data: Buffer; done(): void }[] = [];
  let underWay = 0;
  let state: 'open' | 'ending' | 'ended' | 'over' = 'open';
  const pump = () => {
    for (let first = queue[0]; first !== undefined && underWay < EXEC_INPUT_BYTES; first = queue[0]) {
      const piece = first.data.subarray(0, Math.min(PIECE_BYTES, EXEC_INPUT_BYTES - underWay));
      first.data = first.data.subarray(piece.length);
      underWay += piece.length;
      if (piece.length > 0) send(piece, false);
      if (first.data.length > 0) continue;
      queue.shift();
      first.done();
    }
    if (state !== 'ending' || queue.length > 0) return;
    state = 'ended';
    send(Buffer.alloc(0), true);
  };
  return {
    async write(data) {
      if (state === 'over') return;
      if (state !== 'open') throw new Fault('Conflict', "the command's input was ended");
      const done = Promise.withResolvers<void>();
      queue.push({ data: Buffer.from(data), done: done.resolve });
      pump();
      await done.promise;
    },
    end() {
      if (state !== 'open') return;
      state = 'ending';
      pump();
    },
    taken(bytes) {
      if (bytes > underWay) throw new Fault('ProtocolError', `a command took ${bytes} bytes of the ${underWay} that were sent`);
      underWay -= bytes;
      pump();
    },
    over() {
      state = 'over';
      for (const one of queue) one.done();
      queue = [];
    },
  };
}
