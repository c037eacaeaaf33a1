/** The user's end of a command that runs inside a container: standard streams, terminal, signals; frames of base/exec-frames.ts over one HTTP call. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { execFrames } from '#base/exec-frames.ts';
import { Fault } from '#base/fault.ts';
import { encodeFrame, FrameReader } from '#base/frames.ts';
import type { Client } from './client.ts';

export type ExecWish = {
  taskId: string;
  container: string | undefined;
  user: string | undefined;
  command: string[];
  /** With a terminal: this one. */
  tty: boolean;
  /** Hand standard input on. */
  input: boolean;
};

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** The command's exit code. `signal`: aborted, with the signal's name as its reason, when this program gets one: it is the command's then. Throws Fault. */
export async function execSession(client: Client, wish: ExecWish, signal: AbortSignal): Promise<number> {
  const up = new PassThrough();
  const send = (kind: number, payload: Uint8Array = Buffer.alloc(0)) => up.writable && up.write(encodeFrame(kind, payload));
  const answer = await client.duplex('/_berth/exec', queryOf(wish), up);
  const { stdin, stdout, stderr } = process;
  const resize = () => send(execFrames.resize, Buffer.from(JSON.stringify({ cols: stdout.columns, rows: stdout.rows })));
  const interrupted = () => {
    const name = String(signal.reason);
    send(execFrames.signal, Buffer.from(SIGNALS.includes(name) ? name : 'SIGINT'));
  };
  signal.addEventListener('abort', interrupted, { once: true });
  if (wish.tty) {
    stdin.setRawMode(true);
    stdout.on('resize', resize);
    resize();
  }
  if (wish.input) void sendInput(up, send);
  else send(execFrames.end);
  const reader = new FrameReader();
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      for (const { kind, payload } of reader.push(chunk)) {
        if (kind === execFrames.exit) return payload.readInt32BE(0);
        if (kind === execFrames.failed) throw new Fault('Unavailable', `the command was cut off: ${payload.toString()}`);
        const out = kind === execFrames.stderr ? stderr : stdout;
        if (!out.write(payload)) await once(out, 'drain');
      }
    }
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('Unavailable', 'the command was cut off: the connection to berth broke, and the command was ended with it', {
      cause: error,
    });
  } finally {
    if (wish.tty) stdin.setRawMode(false);
    stdout.off('resize', resize);
    signal.removeEventListener('abort', interrupted);
    answer.destroy();
  }
  throw new Fault('Unavailable', 'the command was cut off: its host or its container is gone');
}

function queryOf(wish: ExecWish): Record<string, string> {
  const size = { cols: String(process.stdout.columns ?? 80), rows: String(process.stdout.rows ?? 24) };
  return {
    task: wish.taskId,
    command: JSON.stringify(wish.command),
    ...(wish.container === undefined ? {} : { container: wish.container }),
    ...(wish.user === undefined ? {} : { user: wish.user }),
    ...(wish.tty ? size : {}),
  };
}

async function sendInput(up: PassThrough, send: (kind: number, payload?: Uint8Array) => boolean): Promise<void> {
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    if (!send(execFrames.input, chunk) && up.writable) await once(up, 'drain');
  }
  send(execFrames.end);
}
