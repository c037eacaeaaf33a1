/**
 * Reads AWS Query and EC2 Query parameters by a service's shapes (Smithy 2.0, "AWS query protocol" and "Amazon EC2 query protocol"):
 * `Filter.1.Value.2=x`, `Tags.member.1.Key=k`, `Attributes.entry.1.key=k`.
 */
import type { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { refuse } from './refusals.ts';
import type { Shape, SimpleKind, Target, Traits } from './shapes.ts';
import { parseTimestamp } from './timestamps.ts';

/** Parameters as a tree of their dotted names; a node may have both a value and children. */
type Node = { value: string | undefined; children: Map<string, Node> };

/** Throws the refusals `serialization` and `invalidValue`. */
export function decodeQuery(parameters: URLSearchParams, shape: Shape, ec2: boolean): Record<string, unknown> {
  if (shape.kind !== 'structure') return {};
  return structure(shape, parseTree(parameters), ec2, '');
}

function malformed(message: string): Fault {
  return refuse('serialization', message);
}

function parseTree(parameters: URLSearchParams): Node {
  const root: Node = { value: undefined, children: new Map() };
  let count = 0;
  for (const [key, value] of parameters) {
    if (++count > limits.queryParameters) throw malformed(`a request has more than ${limits.queryParameters} parameters`);
    const parts = key.split('.');
    if (parts.length > limits.queryKeyParts) throw malformed(`a parameter's name has more than ${limits.queryKeyParts} parts`);
    let node = root;
    for (const part of parts) {
      let child = node.children.get(part);
      if (child === undefined) {
        child = { value: undefined, children: new Map() };
        node.children.set(part, child);
      }
      node = child;
    }
    node.value = value;
  }
  return root;
}

function structure(shape: Shape & { kind: 'structure' }, node: Node, ec2: boolean, path: string): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, member] of shape.members) {
    const key = memberKey(name, member.traits, ec2);
    const child = node.children.get(key);
    if (child === undefined) continue;
    const value = decode(member, child, ec2, path === '' ? key : `${path}.${key}`);
    if (value !== undefined) out[name] = value;
  }
  return out;
}

/** The name that a member goes by on the wire. */
function memberKey(name: string, traits: Traits, ec2: boolean): string {
  if (ec2 && traits.ec2QueryName !== undefined) return traits.ec2QueryName;
  const key = traits.xmlName ?? name;
  return ec2 ? key.charAt(0).toUpperCase() + key.slice(1) : key;
}

function decode(target: Target, node: Node, ec2: boolean, path: string): unknown {
  const { shape, traits } = target;
  switch (shape.kind) {
    case 'structure':
      return structure(shape, node, ec2, path);
    case 'list': {
      const flat = ec2 || traits.xmlFlattened === true;
      const holder = flat ? node : node.children.get(shape.item.traits.xmlName ?? 'member');
      // A list that is there but empty (`Tags=`) is an empty list.
      if (holder === undefined) return node.value === undefined ? undefined : [];
      // `Names.member.1.x=y` has no value where a text is wanted: it is as if it weren't there.
      return numbered(holder)
        .map(([index, child]) => decode(shape.item, child, ec2, `${path}.${index}`))
        .filter((item) => item !== undefined);
    }
    case 'map': {
      const holder = traits.xmlFlattened === true ? node : node.children.get('entry');
      if (holder === undefined) return node.value === undefined ? undefined : {};
      return Object.fromEntries(
        numbered(holder).map(([index, child]) => {
          const key = child.children.get(shape.key.traits.xmlName ?? 'key')?.value ?? '';
          const value = child.children.get(shape.value.traits.xmlName ?? 'value');
          return [key, value === undefined ? undefined : decode(shape.value, value, ec2, `${path}.${index}.value`)];
        }),
      );
    }
    default:
      return node.value === undefined ? undefined : decodeSimple(shape.kind, node.value, path);
  }
}

/** Children with numbers for names, in the numbers' order; gaps don't matter. */
function numbered(node: Node): [number, Node][] {
  return [...node.children]
    .filter(([key]) => /^\d{1,9}$/.test(key))
    .map(([key, child]): [number, Node] => [Number(key), child])
    .sort(([a], [b]) => a - b);
}

function decodeSimple(kind: SimpleKind, value: string, path: string): unknown {
  const wrong = (wanted: string) => refuse('invalidValue', `Invalid value '${value.slice(0, 200)}' for ${path}. It must be ${wanted}.`);
  switch (kind) {
    case 'number': {
      const number = Number(value);
      if (value.trim() === '' || !Number.isFinite(number)) throw wrong('a number');
      return number;
    }
    case 'boolean':
      if (!/^(true|false)$/i.test(value)) throw wrong("'true' or 'false'");
      return value.toLowerCase() === 'true';
    case 'blob':
      return new Uint8Array(Buffer.from(value, 'base64'));
    case 'timestamp': {
      const date = parseTimestamp(value, 'date-time');
      if (date === undefined) throw wrong('a time such as 2026-01-31T10:00:00Z');
      return date;
    }
    case 'unit':
      return {};
    default:
      return value;
  }
}
