/** Values of AWS JSON 1.0 and 1.1 by a service's shapes: JSON in, the SDK's input types out, and back. */
import { invariant, type Fault } from '#base/fault.ts';
import { refuse } from './refusals.ts';
import type { Shape, SimpleKind, Target, TimestampFormat } from './shapes.ts';
import { parseTimestamp } from './timestamps.ts';

/** Throws the refusal `serialization`. Unknown members are left out, null is absence. */
export function decodeJsonBody(body: Buffer, shape: Shape): Record<string, unknown> {
  let value: unknown = {};
  if (body.length > 0) {
    try {
      value = JSON.parse(body.toString('utf8'));
    } catch {
      throw serialization('Unexpected character in the request body: it is not valid JSON');
    }
  }
  return decodeShape(shape, value, wire);
}

/** What the formats of this family write each in its own way; undefined for what is none. */
export type Wire = { blob(value: unknown): Uint8Array | undefined; timestamp(value: unknown, format: TimestampFormat): Date | undefined };

const wire: Wire = {
  blob: (value) => (typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : undefined),
  timestamp: parseTimestamp,
};

/** What was read of a body, by its shape. Throws the refusal `serialization`. */
export function decodeShape(shape: Shape, value: unknown, read: Wire): Record<string, unknown> {
  if (shape.kind === 'unit') return {};
  return decode({ shape, traits: {} }, value, read) as Record<string, unknown>;
}

function serialization(message: string): Fault {
  return refuse('serialization', message);
}

function decode(target: Target, value: unknown, read: Wire): unknown {
  const { shape } = target;
  switch (shape.kind) {
    case 'structure': {
      if (!isObject(value)) throw mismatch(value, 'a Structure');
      const out: Record<string, unknown> = {};
      for (const [name, member] of shape.members) {
        // Own members only: `constructor` and its like come from the prototype.
        const given = Object.hasOwn(value, name) ? value[name] : undefined;
        if (given !== undefined && given !== null) out[name] = decode(member, given, read);
      }
      return out;
    }
    case 'list':
      if (!Array.isArray(value)) throw mismatch(value, 'a List');
      return value.map((item) => {
        if (item === null && !target.traits.sparse) throw mismatch(item, 'a member of a List');
        return item === null ? null : decode(shape.item, item, read);
      });
    case 'map':
      if (!isObject(value)) throw mismatch(value, 'a Map');
      return Object.fromEntries(
        Object.entries(value)
          .filter(([, item]) => item !== null)
          .map(([key, item]) => [key, decode(shape.value, item, read)]),
      );
    default:
      return decodeSimple(shape.kind, target, value, read);
  }
}

function decodeSimple(kind: SimpleKind, target: Target, value: unknown, read: Wire): unknown {
  switch (kind) {
    case 'string':
      if (typeof value !== 'string') throw mismatch(value, 'a String');
      return value;
    case 'number':
      if (typeof value !== 'number') throw mismatch(value, 'an Integer');
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') throw mismatch(value, 'a Boolean');
      return value;
    case 'blob': {
      const bytes = read.blob(value);
      if (bytes === undefined) throw mismatch(value, 'a Blob');
      return bytes;
    }
    case 'timestamp': {
      const date = read.timestamp(value, target.traits.timestampFormat ?? 'epoch-seconds');
      if (date === undefined) throw mismatch(value, 'a Timestamp');
      return date;
    }
    case 'document':
      return value;
    case 'unit':
      return {};
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** AWS's own words for a value of a wrong kind. */
function mismatch(value: unknown, wanted: string): Fault {
  if (isObject(value)) return serialization('Start of structure or map found where not expected.');
  if (Array.isArray(value)) return serialization('Start of list found where not expected');
  return serialization(`${tokenName(value)} can not be converted to ${wanted}`);
}

function tokenName(value: unknown): string {
  if (typeof value === 'string') return 'STRING_VALUE';
  if (typeof value === 'number') return Number.isInteger(value) ? 'NUMBER_VALUE' : 'DECIMAL_VALUE';
  if (value === null) return 'NULL_VALUE';
  return value === true ? 'TRUE_VALUE' : 'FALSE_VALUE';
}

/** The answer's JSON: only members of the shape, nothing that is absent. Throws Fault('Internal') when a handler answers with a wrong type. */
export function encodeJsonBody(shape: Shape, value: unknown): string {
  return JSON.stringify(shape.kind === 'unit' ? {} : encode({ shape, traits: {} }, value ?? {}));
}

function encode(target: Target, value: unknown): unknown {
  const { shape } = target;
  switch (shape.kind) {
    case 'structure': {
      invariant(isObject(value), `an answer has ${typeof value} where ${shape.name} belongs`);
      const out: Record<string, unknown> = {};
      for (const [name, member] of shape.members) {
        const given = value[name];
        if (given !== undefined && given !== null) out[name] = encode(member, given);
      }
      return out;
    }
    case 'list':
      invariant(Array.isArray(value), `an answer has ${typeof value} where a list belongs`);
      return value.map((item) => encode(shape.item, item));
    case 'map':
      invariant(isObject(value), `an answer has ${typeof value} where a map belongs`);
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encode(shape.value, item)]));
    case 'timestamp':
      invariant(value instanceof Date, `an answer has ${typeof value} where a Date belongs`);
      return value.getTime() / 1000;
    case 'blob':
      invariant(value instanceof Uint8Array, `an answer has ${typeof value} where bytes belong`);
      return Buffer.from(value).toString('base64');
    case 'unit':
      return {};
    case 'document':
      return value;
    default:
      invariant(typeof value === shape.kind, `an answer has ${typeof value} where ${shape.kind} belongs`);
      return value;
  }
}
