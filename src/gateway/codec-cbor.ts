/** Reads and writes the CBOR of Smithy's RPC v2 protocol by a service's shapes. */
import { invariant } from '#base/fault.ts';
import { createCborWriter, decodeCbor, type CborWriter } from './cbor.ts';
import { decodeShape } from './codec-json.ts';
import { refuse } from './refusals.ts';
import type { Shape, Target } from './shapes.ts';

const wire = {
  blob: (value: unknown) => (value instanceof Uint8Array ? value : undefined),
  timestamp: (value: unknown) => (value instanceof Date ? value : undefined),
};

/** Throws the refusal `serialization`. Unknown members are left out, null is absence. */
export function decodeCborBody(body: Buffer, shape: Shape): Record<string, unknown> {
  if (shape.kind === 'unit' || body.length === 0) return decodeShape(shape, {}, wire);
  let value: unknown;
  try {
    value = decodeCbor(body);
  } catch (error) {
    throw refuse('serialization', `The request body is not valid CBOR: ${(error as Error).message}`);
  }
  return decodeShape(shape, value, wire);
}

/**
 * `integers`: members whose numbers are integers. The schemas don't tell them from doubles, and some clients (Rust's) take neither for the other.
 * Throws Fault('Internal') when a handler answers with a wrong type.
 */
export function encodeCborBody(shape: Shape, value: unknown, integers: ReadonlySet<string>): Uint8Array {
  const writer = createCborWriter();
  encode({ shape, traits: {} }, value ?? {}, false, { writer, integers });
  return writer.end();
}

type Encoding = { writer: CborWriter; integers: ReadonlySet<string> };

function encode({ shape }: Target, value: unknown, isInteger: boolean, encoding: Encoding): void {
  const { writer } = encoding;
  if (value === undefined || value === null) return writer.nothing();
  const fits = (fit: boolean, wanted: string): void => invariant(fit, `an answer has ${typeof value} where ${wanted} belongs`);
  switch (shape.kind) {
    case 'structure': {
      fits(typeof value === 'object', shape.name);
      const given = [...shape.members].filter(([name]) => ((value as Record<string, unknown>)[name] ?? null) !== null);
      writer.map(given.length);
      for (const [name, member] of given) {
        writer.text(name);
        encode(member, (value as Record<string, unknown>)[name], encoding.integers.has(name), encoding);
      }
      return;
    }
    case 'list':
      fits(Array.isArray(value), 'a list');
      writer.list((value as unknown[]).length);
      for (const item of value as unknown[]) encode(shape.item, item, isInteger, encoding);
      return;
    case 'map':
      fits(typeof value === 'object', 'a map');
      writer.map(Object.keys(value).length);
      for (const [key, item] of Object.entries(value)) {
        writer.text(key);
        encode(shape.value, item, isInteger, encoding);
      }
      return;
    default:
      encodeSimple(shape.kind, value, isInteger, writer);
  }
}

function encodeSimple(kind: Shape['kind'], value: unknown, isInteger: boolean, writer: CborWriter): void {
  if (kind === 'unit') return writer.map(0);
  if (kind === 'timestamp' && value instanceof Date) return writer.time(value);
  if (kind === 'blob' && value instanceof Uint8Array) return writer.bytes(value);
  if (kind === 'string' && typeof value === 'string') return writer.text(value);
  if (kind === 'boolean' && typeof value === 'boolean') return writer.boolean(value);
  invariant(kind === 'number' && typeof value === 'number', `an answer has ${typeof value} where ${kind} belongs`);
  return isInteger ? writer.integer(value) : writer.double(value);
}
