/**
 * A service's shapes as the gateway uses them: a small graph cut out of an SDK package's schemas (`extractShapes`), which travels as JSON
 * between processes (`ShapeBundle`) and is linked into objects that point at each other (`linkShapes`).
 *
 * The SDK's form is that of @smithy/core/schema ("static schemas"): numbers are simple kinds or lists and maps of them (64 and 128 set),
 * arrays are [kind, namespace, name, traits, ...], a pair [schema, traits] is a member with traits, a function defers.
 */
import { invariant } from '#base/fault.ts';

export type SimpleKind = 'string' | 'number' | 'boolean' | 'blob' | 'timestamp' | 'document' | 'unit';
export type TimestampFormat = 'date-time' | 'http-date' | 'epoch-seconds';

/** Traits that a codec needs, of a member or of the items of a list. */
export type Traits = {
  xmlName?: string;
  ec2QueryName?: string;
  xmlFlattened?: boolean;
  xmlAttribute?: boolean;
  sparse?: boolean;
  /** Of a union: it comes as a stream of events. */
  streaming?: true;
  timestampFormat?: TimestampFormat;
  /** Where a REST protocol puts a member outside of the body (Smithy 2.0, "HTTP binding traits"). */
  httpLabel?: true;
  httpQuery?: string;
  httpQueryParams?: true;
  httpHeader?: string;
  httpPrefixHeaders?: string;
  httpPayload?: true;
  httpResponseCode?: true;
};

/** How a REST protocol names an operation: `/2015-02-01/file-systems/{FileSystemId}`, and the status of its answer. */
export type HttpBinding = { method: string; uri: string; status: number };

export type Shape =
  | { kind: SimpleKind }
  | { kind: 'structure'; name: string; xmlName?: string; members: Map<string, Member>; required: string[]; union: boolean; error?: boolean }
  | { kind: 'list'; item: Target }
  | { kind: 'map'; key: Target; value: Target };
export type Target = { shape: Shape; traits: Traits };
export type Member = Target & { name: string };
export type OperationShapes = { input: Shape; output: Shape; http: HttpBinding | undefined };

export type ServiceShapes = {
  /** Those that have a handler. */
  operations: Map<string, OperationShapes>;
  /** All that the API has. */
  known: Set<string>;
  /** REST protocols: of all that the API has. */
  bindings: Map<string, HttpBinding>;
  /** Query protocols: the namespace of the answers' XML. */
  xmlNamespace: string | undefined;
};

type FlatTarget = [index: number, traits: Traits];
type FlatShape =
  | { kind: SimpleKind }
  | {
      kind: 'structure';
      name: string;
      xmlName?: string;
      members: [name: string, index: number, traits: Traits][];
      required: number;
      union: boolean;
      error?: boolean;
    }
  | { kind: 'list'; item: FlatTarget }
  | { kind: 'map'; key: FlatTarget; value: FlatTarget };

/** JSON-safe; shapes name each other by index. */
export type ShapeBundle = {
  shapes: FlatShape[];
  operations: [name: string, input: number, output: number][];
  known: string[];
  bindings: [name: string, binding: HttpBinding][];
  xmlNamespace: string | null;
};

const OPERATION = 9;

/** Cuts the shapes that `operations` reach out of a package's exports; names without a schema are left out. */
export function extractShapes(exports: Record<string, unknown>, operations: string[], xmlNamespace?: string): ShapeBundle {
  const flat = createFlattener();
  const known: string[] = [];
  const bindings: ShapeBundle['bindings'] = [];
  const wanted = new Set(operations);
  const found: ShapeBundle['operations'] = [];
  for (const value of Object.values(exports)) {
    if (!Array.isArray(value) || value[0] !== OPERATION) continue;
    const name = String(value[2]);
    known.push(name);
    const binding = httpBinding(value[3]);
    if (binding !== undefined) bindings.push([name, binding]);
    if (wanted.has(name)) found.push([name, flat.add(value[4]), flat.add(value[5])]);
  }
  return { shapes: flat.shapes, operations: found, known, bindings, xmlNamespace: xmlNamespace ?? null };
}

function createFlattener() {
  const shapes: FlatShape[] = [];
  const indices = new Map<unknown, number>();

  function add(reference: unknown): number {
    const schema = resolve(reference);
    const seen = indices.get(schema);
    if (seen !== undefined) return seen;
    const index = shapes.length;
    indices.set(schema, index);
    shapes.push({ kind: 'unit' }); // Holds the place: a shape may contain itself.
    shapes[index] = flatten(schema);
    return index;
  }

  function target(reference: unknown): FlatTarget {
    const [schema, traits] = split(reference);
    return [add(schema), traits];
  }

  function flatten(schema: unknown): FlatShape {
    if (typeof schema === 'number') {
      if (schema >= 128) return { kind: 'map', key: target(0), value: target(schema & 63) };
      if (schema >= 64) return { kind: 'list', item: target(schema & 63) };
      return { kind: simpleKind(schema) };
    }
    if (schema === 'unit') return { kind: 'unit' };
    invariant(Array.isArray(schema), `an SDK schema has an unknown form: ${JSON.stringify(schema)}`);
    switch (schema[0]) {
      case 0:
        return flatten(resolve(schema[4]));
      case 1:
        return { kind: 'list', item: target(schema[4]) };
      case 2:
        return { kind: 'map', key: target(schema[4]), value: target(schema[5]) };
      case 3:
      case -3:
      case 4: {
        const names = schema[4] as string[];
        const members = names.map((name, i): [string, number, Traits] => [name, ...target((schema[5] as unknown[])[i])]);
        const kind = { union: schema[0] === 4, ...(schema[0] === -3 ? { error: true } : {}) };
        const { xmlName } = pickTraits(schema[3]);
        const own = { name: String(schema[2]), ...(xmlName === undefined ? {} : { xmlName }) };
        return { kind: 'structure', ...own, members, required: Number(schema[6] ?? 0), ...kind };
      }
      default:
        throw new TypeError(`an SDK schema has an unknown kind: ${String(schema[0])}`);
    }
  }

  return { shapes, add };
}

function resolve(reference: unknown): unknown {
  let schema = reference;
  while (typeof schema === 'function') schema = schema();
  return Array.isArray(schema) && schema.length === 2 ? resolve(schema[0]) : schema;
}

/** A member's schema and the traits on the way to it: the member's own come before the target's. */
function split(reference: unknown): [schema: unknown, traits: Traits] {
  let schema = reference;
  let traits: Traits = {};
  for (;;) {
    while (typeof schema === 'function') schema = schema();
    if (!Array.isArray(schema)) break;
    if (schema.length === 2) {
      traits = { ...pickTraits(schema[1]), ...traits };
      schema = schema[0];
      continue;
    }
    traits = { ...pickTraits(schema[3]), ...traits };
    break;
  }
  if (schema === 5) traits.timestampFormat ??= 'date-time';
  if (schema === 6) traits.timestampFormat ??= 'http-date';
  if (schema === 7) traits.timestampFormat ??= 'epoch-seconds';
  return [schema, traits];
}

function pickTraits(source: unknown): Traits {
  if (typeof source === 'number') return flagTraits(source);
  if (typeof source !== 'object' || source === null) return {};
  const { xmlName, ec2QueryName, xmlFlattened, xmlAttribute, sparse, streaming } = source as Record<string, unknown>;
  return {
    ...(typeof xmlName === 'string' ? { xmlName } : {}),
    ...(typeof ec2QueryName === 'string' ? { ec2QueryName } : {}),
    ...(xmlFlattened ? { xmlFlattened: true } : {}),
    ...(xmlAttribute ? { xmlAttribute: true } : {}),
    ...(sparse ? { sparse: true } : {}),
    ...(streaming ? { streaming: true as const } : {}),
    ...httpTraits(source),
  };
}

/** Traits without a value that stand alone are bits of a number: `translateTraits` of @smithy/core/schema. */
function flagTraits(bits: number): Traits {
  const names = ['httpLabel', 'idempotent', 'idempotencyToken', 'sensitive', 'httpPayload', 'httpResponseCode', 'httpQueryParams'];
  return httpTraits(Object.fromEntries(names.filter((_, bit) => ((bits >> bit) & 1) === 1).map((name) => [name, 1])));
}

function httpTraits(source: object): Traits {
  const traits: Record<string, unknown> = { ...source };
  const flags = ['httpLabel', 'httpQueryParams', 'httpPayload', 'httpResponseCode'].filter((name) => traits[name]);
  const names = ['httpQuery', 'httpHeader', 'httpPrefixHeaders'].filter((name) => typeof traits[name] === 'string');
  return Object.fromEntries([...flags.map((name) => [name, true]), ...names.map((name) => [name, traits[name]])]);
}

function httpBinding(traits: unknown): HttpBinding | undefined {
  const http = typeof traits === 'object' && traits !== null && 'http' in traits ? traits.http : undefined;
  if (!Array.isArray(http)) return undefined;
  return { method: String(http[0]), uri: String(http[1]), status: Number(http[2] ?? 200) };
}

function simpleKind(schema: number): SimpleKind {
  if (schema >= 4 && schema <= 7) return 'timestamp';
  const kinds: Record<number, SimpleKind> = { 0: 'string', 1: 'number', 2: 'boolean', 15: 'document', 17: 'number', 19: 'number' };
  if (schema === 21 || schema === 42) return 'blob';
  const kind = kinds[schema];
  invariant(kind !== undefined, `an SDK schema has an unknown simple kind: ${schema}`);
  return kind;
}

/** Turns a bundle's indices into references. */
export function linkShapes(bundle: ShapeBundle): ServiceShapes {
  const shapes = bundle.shapes.map((flat) => ({ kind: flat.kind }) as Shape);
  const at = (index: number): Shape => {
    const shape = shapes[index];
    invariant(shape !== undefined, `a shape bundle names shape ${index} of ${shapes.length}`);
    return shape;
  };
  const target = ([index, traits]: FlatTarget): Target => ({ shape: at(index), traits });
  bundle.shapes.forEach((flat, index) => Object.assign(at(index), linkedParts(flat, target)));
  const bindings = new Map(bundle.bindings);
  const operation = (name: string, input: number, output: number): [string, OperationShapes] => [
    name,
    { input: at(input), output: at(output), http: bindings.get(name) },
  ];
  return {
    operations: new Map(bundle.operations.map((parts) => operation(...parts))),
    bindings,
    known: new Set(bundle.known),
    xmlNamespace: bundle.xmlNamespace ?? undefined,
  };
}

function linkedParts(flat: FlatShape, target: (flat: FlatTarget) => Target): object {
  switch (flat.kind) {
    case 'structure': {
      const members = flat.members.map(([name, index, traits]): [string, Member] => [name, { name, ...target([index, traits]) }]);
      return { ...flat, members: new Map(members), required: flat.members.slice(0, flat.required).map(([name]) => name) };
    }
    case 'list':
      return { item: target(flat.item) };
    case 'map':
      return { key: target(flat.key), value: target(flat.value) };
    default:
      return {};
  }
}
