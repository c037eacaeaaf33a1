/** What the supervisor's copier is asked inside a container, over one HTTP call: frames of base/exec-frames.ts, as of a command that is run there. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Readable, Writable } from 'node:stream';
import { execFrames } from '#base/exec-frames.ts';
import { Fault } from '#base/fault.ts';
import { encodeFrame, FrameReader } from '#base/frames.ts';
import type { Client } from './client.ts';

export type CopyTarget = { taskId: string; container: string | undefined };

/** `input`: asked for once there is somebody to read it. What it writes goes to `output`, or is given back. Throws Fault with its own words when it fails. */
export async function askCopier(
  client: Client,
  target: CopyTarget,
  words: readonly string[],
  io: { input?: () => Readable; output?: Writable } = {},
): Promise<string> {
  const up = new PassThrough();
  const container = target.container === undefined ? {} : { container: target.container };
  const answer = await client.duplex('/_berth/exec', { task: target.taskId, copy: JSON.stringify(words), ...container }, up);
  const input = io.input?.();
  const sending = send(up, input);
  const reader = new FrameReader();
  const [said, complaint]: [Buffer[], Buffer[]] = [[], []];
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      for (const { kind, payload } of reader.push(chunk)) {
        if (kind === execFrames.exit) return finished(payload.readInt32BE(0), said, complaint);
        if (kind === execFrames.failed) throw new Fault('Unavailable', `the copy was cut off: ${payload.toString()}`);
        if (kind === execFrames.stderr) complaint.push(Buffer.from(payload));
        else if (io.output === undefined) said.push(Buffer.from(payload));
        else if (!io.output.write(payload)) await once(io.output, 'drain');
      }
    }
  } finally {
    answer.destroy();
    input?.destroy();
    // What waits to be sent need not be any more.
    up.destroy();
    await sending;
  }
  throw new Fault('Unavailable', 'the copy was cut off: its host or its container is gone');
}

function finished(code: number, said: Buffer[], complaint: Buffer[]): string {
  if (code === 0) return Buffer.concat(said).toString();
  throw new Fault('InvalidParameter', Buffer.concat(complaint).toString().trim() || `the copier ended with ${code}`);
}

/** Ends quietly when the copier takes no more: why it doesn't is what it says itself. */
async function send(up: PassThrough, input: Readable | undefined): Promise<void> {
  try {
    for await (const chunk of (input ?? []) as AsyncIterable<Buffer>) {
      if (!up.write(encodeFrame(execFrames.input, chunk))) await Promise.race([once(up, 'drain'), once(up, 'close')]);
      if (up.destroyed) return;
    }
    up.end(encodeFrame(execFrames.end, Buffer.alloc(0)));
  } catch {
    up.destroy();
  }
}
