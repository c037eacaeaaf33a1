/** A command inside a task's container, over a stream of the link: frames of base/exec-frames.ts both ways, no faster than the slower end. */
import { execFrames } from '#base/exec-frames.ts';
import { asFault, Fault } from '#base/fault.ts';
import { encodeFrame, FrameReader } from '#base/frames.ts';
import type { Frame } from '#base/frames.ts';
import type { TaskExec } from '#link/operations.ts';
import type { ByteStream } from '#link/types.ts';
import type { ExecProcess } from '#supervisor/exec-calls.ts';
import type { Runner } from './runner.ts';

/** Resolves once the command runs. It ends with the stream: when the caller's end breaks, the command is killed. Throws what `Runner.exec` throws. */
export async function execOver(runner: Runner, request: TaskExec, stream: ByteStream): Promise<void> {
  const started = Promise.withResolvers<ExecProcess>();
  started.promise.catch(() => {}); // said by `exec` itself
  let writing = Promise.resolve();
  const output = (kind: number, data: Buffer) => {
    // Held here is no more than the command's window: what isn't written is not acknowledged.
    writing = writing.then(async () => {
      await stream.write(encodeFrame(kind, data));
      (await started.promise).ack(data.length);
    });
    writing.catch(async () => (await started.promise).close()).catch(() => {});
  };
  const { container, command, tty } = request;
  const copies = request.copies === true;
  const process = await runner.exec(
    { container, command, tty, user: request.user ?? null, ...(copies ? { copies, cwd: '/' } : {}) },
    { output: (source, data) => output(execFrames[source], data) },
  );
  started.resolve(process);
  void feed(process, stream);
  void finish(process, stream, () => writing);
}

async function finish(process: ExecProcess, stream: ByteStream, written: () => Promise<void>): Promise<void> {
  try {
    const code = Buffer.alloc(4);
    code.writeInt32BE(await process.ended);
    await written();
    await stream.write(encodeFrame(execFrames.exit, code));
  } catch (error) {
    // The stream may be what broke.
    await stream.write(encodeFrame(execFrames.failed, Buffer.from(asFault(error).message))).catch(() => {});
  }
  stream.end();
}

async function feed(process: ExecProcess, stream: ByteStream): Promise<void> {
  const reader = new FrameReader();
  try {
    for await (const chunk of stream.read()) for (const frame of reader.push(chunk)) await take(process, frame);
    process.end();
  } catch {
    process.close();
  }
}

async function take(process: ExecProcess, { kind, payload }: Frame): Promise<void> {
  if (kind === execFrames.input) await process.write(payload);
  else if (kind === execFrames.end) process.end();
  else if (kind === execFrames.signal) process.signal(payload.toString());
  else if (kind === execFrames.resize) process.resize(sizeOf(payload.toString()));
  else throw new Fault('ProtocolError', `a frame of unknown kind ${kind} for a command`);
}

/** Throws ProtocolError for what is no size of a terminal. */
function sizeOf(text: string): { cols: number; rows: number } {
  const { cols, rows } = JSON.parse(text) as { cols?: unknown; rows?: unknown };
  const fits = (n: unknown): n is number => Number.isInteger(n) && Number(n) >= 0 && Number(n) <= 0xffff;
  if (fits(cols) && fits(rows)) return { cols, rows };
  throw new Fault('ProtocolError', `not the size of a terminal: ${text.slice(0, 100)}`);
}
