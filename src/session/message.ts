/**
 * Messages of Session Manager's data channel, as the published session-manager-plugin reads and writes them (its src/message): a header of
 * 116 bytes, big-endian, the payload's length, the payload.
 */
import { createHash } from 'node:crypto';
import { Fault } from '#base/fault.ts';

export type MessageType = 'input_stream_data' | 'output_stream_data' | 'acknowledge' | 'channel_closed';

export const payloadTypes = {
  none: 0,
  output: 1,
  size: 3,
  handshakeRequest: 5,
  handshakeResponse: 6,
  handshakeComplete: 7,
  flag: 10,
} as const;

export type Message = {
  type: string;
  sequence: number;
  /** Bit 0: the first of its stream; bit 1: the last. */
  flags: number;
  /** A UUID. */
  id: string;
  createdMs: number;
  payloadType: number;
  payload: Buffer;
};

const HEADER_BYTES = 116;
const at = { type: 4, schema: 36, created: 40, sequence: 48, flags: 56, id: 64, digest: 80, payloadType: 112 };

export function encodeMessage(message: Message): Buffer {
  const { payload } = message;
  const out = Buffer.alloc(HEADER_BYTES + 4 + payload.length);
  out.writeUInt32BE(HEADER_BYTES, 0);
  out.write(message.type.padEnd(at.schema - at.type, ' '), at.type, 'latin1');
  out.writeUInt32BE(1, at.schema);
  out.writeBigUInt64BE(BigInt(message.createdMs), at.created);
  out.writeBigInt64BE(BigInt(message.sequence), at.sequence);
  out.writeBigUInt64BE(BigInt(message.flags), at.flags);
  const id = Buffer.from(message.id.replaceAll('-', ''), 'hex');
  // Its less significant half comes first.
  Buffer.concat([id.subarray(8), id.subarray(0, 8)]).copy(out, at.id);
  createHash('sha256').update(payload).digest().copy(out, at.digest);
  out.writeUInt32BE(message.payloadType, at.payloadType);
  out.writeUInt32BE(payload.length, HEADER_BYTES);
  payload.copy(out, HEADER_BYTES + 4);
  return out;
}

/** Throws ProtocolError for what is no message, or not whole. */
export function decodeMessage(bytes: Buffer): Message {
  const broken = (what: string) => new Fault('ProtocolError', `a message of the data channel ${what}`);
  if (bytes.length < HEADER_BYTES + 4) throw broken(`has only ${bytes.length} bytes`);
  const header = bytes.readUInt32BE(0);
  if (header !== HEADER_BYTES) throw broken(`says that its header has ${header} bytes`);
  const payload = bytes.subarray(HEADER_BYTES + 4);
  const length = bytes.readUInt32BE(HEADER_BYTES);
  if (length !== payload.length) throw broken(`claims ${length} bytes and has ${payload.length}`);
  const digest = bytes.subarray(at.digest, at.payloadType);
  if (length > 0 && !createHash('sha256').update(payload).digest().equals(digest)) throw broken('has another digest than it says');
  const id = Buffer.concat([bytes.subarray(at.id + 8, at.digest), bytes.subarray(at.id, at.id + 8)]).toString('hex');
  return {
    type: bytes.toString('latin1', at.type, at.schema).replaceAll('\u0000', '').trim(),
    sequence: Number(bytes.readBigInt64BE(at.sequence)),
    flags: Number(bytes.readBigUInt64BE(at.flags) & 3n),
    id: [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)].join('-'),
    createdMs: Number(bytes.readBigUInt64BE(at.created)),
    payloadType: bytes.readUInt32BE(at.payloadType),
    payload,
  };
}
