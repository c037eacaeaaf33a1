/**
 * Answers that are streams of events: `application/vnd.amazon.eventstream` (Smithy 2.0, "Amazon Event Stream Specification"). A message is u32 length of the whole,
 * u32 length of the headers, u32 CRC-32 of these eight bytes, headers, payload, u32 CRC-32 of all before. A header is u8 length of its name, the name, u8 type (7:
 * text), u16 length of the value, the value. All integers are big-endian.
 */
import { crc32 } from 'node:zlib';
import { invariant } from '#base/fault.ts';
import { encodeJsonBody } from './codec-json.ts';
import type { Member, Shape } from './shapes.ts';

export const EVENT_STREAM = 'application/vnd.amazon.eventstream';

const TEXT = 7;
const PRELUDE = 12;

/** The member of an output that is a stream of events. */
export function eventMember(shape: Shape): Member | undefined {
  if (shape.kind !== 'structure') return undefined;
  return [...shape.members.values()].find(({ traits, shape: member }) => traits.streaming === true && isUnion(member));
}

const isUnion = (shape: Shape): boolean => shape.kind === 'structure' && shape.union;

/**
 * What a handler yields, as bytes: unions with one member each, in the order that they come. In a protocol of RPC an `initial-response` goes ahead, with the
 * output's other members; the first of the events is not waited for.
 */
export async function* encodeEventStream(output: Shape, member: Member, value: Record<string, unknown>, contentType: string) {
  const { [member.name]: events, ...rest } = value;
  yield encodeMessage(
    { ':message-type': 'event', ':event-type': 'initial-response', ':content-type': contentType },
    encodeJsonBody(output, rest),
  );
  for await (const event of events as AsyncIterable<Record<string, unknown>>) yield encodeEvent(member.shape, event);
}

function encodeEvent(union: Shape, event: Record<string, unknown>): Buffer {
  invariant(union.kind === 'structure', 'a stream of events is a union');
  const [[name, value] = ['', {}]] = Object.entries(event).filter(([, given]) => given !== undefined);
  const member = union.members.get(name);
  invariant(member?.shape.kind === 'structure', `a stream of events has no '${name}'`);
  const kind: Record<string, string> = member.shape.error
    ? { ':message-type': 'exception', ':exception-type': name }
    : { ':message-type': 'event', ':event-type': name };
  return encodeMessage({ ...kind, ':content-type': 'application/json' }, encodeJsonBody(member.shape, value));
}

/** One message of the stream; `headers` are texts. */
export function encodeMessage(headers: Record<string, string>, payload: string): Buffer {
  const head = Buffer.concat(Object.entries(headers).map(([name, value]) => encodeHeader(name, value)));
  const body = Buffer.from(payload, 'utf8');
  const out = Buffer.allocUnsafe(PRELUDE + head.length + body.length + 4);
  out.writeUInt32BE(out.length, 0);
  out.writeUInt32BE(head.length, 4);
  out.writeUInt32BE(crc32(out.subarray(0, 8)), 8);
  head.copy(out, PRELUDE);
  body.copy(out, PRELUDE + head.length);
  out.writeUInt32BE(crc32(out.subarray(0, -4)), out.length - 4);
  return out;
}

function encodeHeader(name: string, value: string): Buffer {
  const [key, text] = [Buffer.from(name), Buffer.from(value)];
  const length = Buffer.alloc(2);
  length.writeUInt16BE(text.length);
  return Buffer.concat([Buffer.from([key.length]), key, Buffer.from([TEXT]), length, text]);
}
