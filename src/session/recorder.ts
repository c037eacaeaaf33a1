/** What a session printed, on its way into a log group: one event a second, or as often as it is full. */
import type { Clock, Timer } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';

export type Recorder = {
  output(data: Buffer): void;
  /** The last is written when it resolves. */
  close(): Promise<void>;
};

/** `write` puts one event. A log that is down never holds up a session: what finds no room is dropped, counted and said. */
export function createRecorder(clock: Clock, log: Log, write: (text: string) => Promise<void>): Recorder {
  const decoder = new TextDecoder();
  let text = '';
  let dropped = 0;
  let timer: Timer | undefined;
  let writing: Promise<void> | undefined;
  const writeAll = async () => {
    while (text !== '') {
      const piece = text.slice(0, limits.execRecordEventBytes);
      text = text.slice(piece.length);
      try {
        await write(piece);
      } catch (error) {
        dropped += piece.length;
        log.warn('session.not-recorded', { characters: dropped, reason: asFault(error).message });
      }
    }
  };
  const flush = () => {
    timer?.cancel();
    timer = undefined;
    writing ??= writeAll().finally(() => (writing = undefined));
    return writing;
  };
  return {
    output(data) {
      if (text.length >= limits.execRecordBytes) {
        dropped += data.length;
        return;
      }
      text += decoder.decode(data, { stream: true });
      if (text.length >= limits.execRecordEventBytes) void flush();
      else timer ??= clock.after(limits.execRecordMs, () => void flush());
    },
    async close() {
      await flush();
      await flush();
      if (dropped > 0) log.warn('session.not-recorded', { characters: dropped });
    },
  };
}
