/** Both directions of a data channel in order: numbers, acknowledgements, what comes out of turn, what has to be sent again. */
import type { Clock, Timer } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import { decodeMessage, encodeMessage, payloadTypes } from './message.ts';
import type { Message, MessageType } from './message.ts';

export type SequenceDeps = {
  clock: Clock;
  random: Random;
  send(bytes: Buffer): void;
  /** Whether all that was sent has left this process: where the peer takes nothing, the same once more would only wait behind it. */
  hasLeft(): boolean;
  /** One message of the peer's stream, each once and in order. */
  input(payloadType: number, payload: Buffer): void;
  /** The peer acknowledges nothing any more. */
  lost(): void;
  /** `isFull` says something else from now on. */
  turned(): void;
};

export type Sequence = {
  /** Bytes from the peer. Throws ProtocolError. */
  receive(bytes: Buffer): void;
  /** Resolves when there is room for it among what the peer hasn't acknowledged. */
  output(payloadType: number, payload: Buffer): Promise<void>;
  /** Output waits for the peer to acknowledge what came before it. */
  isFull(): boolean;
  /** Resolves once all output is acknowledged. */
  drained(): Promise<void>;
  /** Out of the stream, and not acknowledged. */
  tell(type: MessageType, payload: Buffer): void;
  close(): void;
};

/** `at`: the last time that it was sent. */
type Sent = { bytes: Buffer; firstAt: number; at: number };

export function createSequence(deps: SequenceDeps): Sequence {
  const { clock, random } = deps;
  const sent = new Map<number, Sent>();
  const early = new Map<number, Message>();
  let expected = 0;
  let next = 0;
  let closed = false;
  let isFull = false;
  const turn = (full: boolean) => {
    if (isFull === full) return;
    isFull = full;
    deps.turned();
  };
  /** When the peer last acknowledged something. */
  let heardAt = clock.now();
  let timer: Timer | undefined;
  const wakers: (() => void)[] = [];
  const wake = () => wakers.splice(0).forEach((waker) => waker());
  const change = () => new Promise<void>((resolve) => void wakers.push(resolve));

  const make = (type: MessageType, change: Partial<Message>): Buffer => {
    const head = { type, sequence: 0, flags: 0, id: uuid(random), createdMs: clock.now(), payloadType: payloadTypes.none };
    return encodeMessage({ ...head, payload: Buffer.alloc(0), ...change });
  };
  const acknowledge = (message: Message) => {
    const content = {
      AcknowledgedMessageType: message.type,
      AcknowledgedMessageId: message.id,
      AcknowledgedMessageSequenceNumber: message.sequence,
      IsSequentialMessage: true,
    };
    deps.send(make('acknowledge', { flags: 3, payload: Buffer.from(JSON.stringify(content)) }));
  };
  const acknowledged = (payload: Buffer) => {
    const { AcknowledgedMessageSequenceNumber: number } = JSON.parse(payload.toString()) as { AcknowledgedMessageSequenceNumber?: unknown };
    if (typeof number !== 'number' || !sent.delete(number)) return;
    heardAt = clock.now();
    wake();
  };
  const onInput = (message: Message) => {
    if (message.sequence > expected && early.size >= limits.execEarlyMessages) return; // it will come again
    acknowledge(message);
    if (message.sequence < expected) return;
    early.set(message.sequence, message);
    for (let due = early.get(expected); due !== undefined; due = early.get(expected)) {
      early.delete(expected++);
      deps.input(due.payloadType, due.payload);
    }
  };
  /** The oldest alone, as AWS's agent does: what came after it is there or has its turn. All of them would fill the way of a peer that is only slow. */
  const resend = () => {
    timer = clock.after(limits.execResendMs, resend);
    const [oldest] = sent.values();
    const now = clock.now();
    if (oldest === undefined || now - oldest.at < limits.execResendMs) return;
    if (now - Math.max(oldest.firstAt, heardAt) >= limits.execLostMs) return deps.lost();
    if (!deps.hasLeft()) return;
    oldest.at = now;
    deps.send(oldest.bytes);
  };
  timer = clock.after(limits.execResendMs, resend);

  return {
    receive(bytes) {
      const message = decodeMessage(bytes);
      if (message.type === 'input_stream_data') onInput(message);
      else if (message.type === 'acknowledge') acknowledged(message.payload);
      else throw new Fault('ProtocolError', `a message of type '${message.type}' on a data channel`);
    },
    async output(payloadType, payload) {
      while (!closed && sent.size >= limits.execUnackedMessages) {
        turn(true);
        await change();
      }
      turn(false);
      if (closed) throw new Fault('Unavailable', 'the data channel is closed');
      const sequence = next++;
      const bytes = make('output_stream_data', { sequence, flags: sequence === 0 ? 1 : 0, payloadType, payload });
      sent.set(sequence, { bytes, firstAt: clock.now(), at: clock.now() });
      deps.send(bytes);
    },
    isFull: () => isFull,
    async drained() {
      while (!closed && sent.size > 0) await change();
    },
    tell: (type, payload) => deps.send(make(type, { payload })),
    close() {
      closed = true;
      timer?.cancel();
      wake();
    },
  };
}
