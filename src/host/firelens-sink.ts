/**
 * Sends a container's output to the task's log router by Fluentd's forward protocol (github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1):
 * forward mode, each batch with a chunk id that the router acknowledges. Until then it stays in the spool and is sent again over a new connection.
 */
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { Decoder, encode, ExtData } from '@msgpack/msgpack';
import type { Clock, Timer } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { OutputBatch, OutputEvent } from '#link/protocol.ts';
import type { LogSink } from './task-lanes.ts';

const ANSWER_MS = 10_000;
const RETRY_MS = { first: 50, most: 2_000 };
/** An acknowledgement is a few bytes. */
const ANSWER_BYTES = 4096;

export type RouterAddress = { host: string; port: number };
/** What every record of a container says, as Docker's fluentd driver has it. */
export type FluentSource = { tag: string; containerId: string; containerName: string };

export function createFirelensSink(
  deps: { clock: Clock; log: Log },
  to: RouterAddress,
  source: FluentSource,
  acknowledged: (to: number) => void,
): LogSink {
  const { clock, log } = deps;
  let socket: Socket | undefined;
  let current: OutputBatch | undefined;
  let timer: Timer | undefined;
  let tries = 0;
  let chunks = 0;
  let chunk = '';
  let closed = false;

  const failed = (reason: string) => {
    timer?.cancel();
    socket?.destroy();
    socket = undefined;
    if (closed || current === undefined) return;
    if (tries === 0) log.info('firelens.retry', { container: source.containerName, reason });
    timer = clock.after(Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(tries++, 10)), write);
  };

  const answered = (ack: unknown) => {
    if (current === undefined || ack !== chunk) return;
    const { to: end } = current;
    timer?.cancel();
    current = undefined;
    tries = 0;
    acknowledged(end);
  };

  const connect = (): Socket => {
    const made = createConnection({ host: to.host, port: to.port });
    let answer = Buffer.alloc(0);
    made.on('data', (bytes: Buffer) => {
      if (made !== socket) return;
      answer = Buffer.concat([answer, bytes]);
      const ack = ackOf(answer);
      if (ack !== undefined) {
        answer = Buffer.alloc(0);
        answered(ack);
      } else if (answer.length > ANSWER_BYTES) failed('the router answered with something else than an acknowledgement');
    });
    made.on('error', (error) => made === socket && failed(error.message));
    made.on('close', () => made === socket && failed('the router closed the connection'));
    made.unref();
    return made;
  };

  const write = () => {
    if (current === undefined || closed) return;
    socket ??= connect();
    chunk = Buffer.from(`${current.key.id}/${current.from}/${chunks++}`).toString('base64');
    const entries = current.events.map((event) => [eventTime(event.time), recordOf(event, source)]);
    socket.write(encode([source.tag, entries, { chunk, size: entries.length }]));
    timer = clock.after(ANSWER_MS, () => failed(`no acknowledgement within ${ANSWER_MS} ms`));
  };

  return {
    send(batch) {
      if (closed) return false;
      if (current !== undefined) return true;
      current = batch;
      write();
      return true;
    },
    close() {
      closed = true;
      timer?.cancel();
      socket?.destroy();
    },
  };
}

function recordOf(event: OutputEvent, source: FluentSource) {
  return { container_id: source.containerId, container_name: `/${source.containerName}`, source: event.source, log: event.text };
}

/** Extension type 0: seconds and nanoseconds. */
function eventTime(timeMs: number): ExtData {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(Math.floor(timeMs / 1000), 0);
  bytes.writeUInt32BE((timeMs % 1000) * 1_000_000, 4);
  return new ExtData(0, bytes);
}

/** undefined while it is not whole. */
function ackOf(bytes: Buffer): unknown {
  try {
    const answer = new Decoder().decode(bytes);
    return typeof answer === 'object' && answer !== null && 'ack' in answer ? answer.ack : '';
  } catch {
    return undefined;
  }
}
