/**
 * restJson1 by a service's shapes: members in the path, the query string, headers and the JSON body. Sources: Smithy 2.0, "AWS restJson1"
 * and "HTTP binding traits". Not here, since no API that is served has them: streams, `httpChecksum`, labels in the host's name.
 */
import { invariant } from '#base/fault.ts';
import { decodeJsonBody, encodeJsonBody } from './codec-json.ts';
import type { Encoded, Payload } from './protocols.ts';
import { refuse } from './refusals.ts';
import type { HttpBinding, Member, Shape, Target, TimestampFormat, Traits } from './shapes.ts';
import { formatIso, parseTimestamp } from './timestamps.ts';

const JSON_TYPE = 'application/json';
const outside = [
  'httpLabel',
  'httpQuery',
  'httpQueryParams',
  'httpHeader',
  'httpPrefixHeaders',
  'httpPayload',
  'httpResponseCode',
] as const;

export const inBody = ({ traits }: Member) => outside.every((name) => traits[name] === undefined);

/** The labels of a path (as on the request line) by an operation's template, decoded; undefined where it is another's. */
export function matchUri(uri: string, path: string): Record<string, string> | undefined {
  const template = segments(uri.split('?')[0] ?? '');
  const given = segments(path);
  const labels: Record<string, string> = {};
  for (const [index, part] of template.entries()) {
    const label = /^\{([^+}]+)(\+?)\}$/.exec(part);
    const value = label?.[2] === '+' ? given.slice(index).join('/') : given[index];
    if (value === undefined || value === '') return undefined;
    if (label === null) {
      if (value !== part) return undefined;
      continue;
    }
    labels[label[1] ?? ''] = decodePart(value);
    if (label[2] === '+') return labels;
  }
  return given.length === template.length ? labels : undefined;
}

const segments = (path: string) => path.replace(/^\/+|\/+$/g, '').split('/');

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse('serialization', `The path has a broken percent encoding: '${text.slice(0, 200)}'`);
  }
}

/** Throws the refusals `serialization` and, for a value of a wrong kind outside of the body, `invalidValue`. */
export function decodeRest(payload: Payload, shape: Shape, http: HttpBinding | undefined): Record<string, unknown> {
  if (shape.kind !== 'structure') return {};
  const labels = (http === undefined ? undefined : matchUri(http.uri, payload.path)) ?? {};
  const members = [...shape.members.values()];
  return Object.assign(decodeBody(payload.body, shape, members), decodeAround(payload, members, labels));
}

/** What stands around a body: in the path, the query and headers. */
export function decodeAround(
  payload: Pick<Payload, 'parameters' | 'headers'>,
  members: Member[],
  labels: Record<string, string>,
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const named = new Set(members.map(({ traits }) => traits.httpQuery));
  for (const member of members) {
    const value = decodeOutside(member, payload, labels, named);
    if (value !== undefined) out[member.name] = value;
  }
  return out;
}

function decodeBody(body: Buffer, shape: Shape & { kind: 'structure' }, members: Member[]): Record<string, unknown> {
  const payload = members.find(({ traits }) => traits.httpPayload);
  if (payload === undefined) {
    const part = members.filter(inBody);
    return part.length === 0 ? {} : decodeJsonBody(body, onlyMembers(shape, part));
  }
  if (body.length === 0) return {};
  if (payload.shape.kind === 'blob') return { [payload.name]: new Uint8Array(body) };
  return { [payload.name]: payload.shape.kind === 'string' ? body.toString('utf8') : decodeJsonBody(body, payload.shape) };
}

function decodeOutside(
  member: Member,
  payload: Pick<Payload, 'parameters' | 'headers'>,
  labels: Record<string, string>,
  named: Set<string | undefined>,
): unknown {
  const { traits, shape, name } = member;
  if (traits.httpLabel && labels[name] !== undefined) return decodeText(member, name, labels[name], 'date-time');
  if (traits.httpQuery !== undefined)
    return decodeTexts(member, traits.httpQuery, payload.parameters.getAll(traits.httpQuery), 'date-time');
  if (traits.httpQueryParams)
    return queryMap(
      shape,
      [...payload.parameters].filter(([key]) => !named.has(key)),
    );
  if (traits.httpHeader !== undefined) {
    const lines = payload.headers[traits.httpHeader.toLowerCase()] ?? [];
    const values = shape.kind === 'list' ? lines.flatMap((line) => line.split(',')).map((part) => part.trim()) : lines;
    return decodeTexts(member, traits.httpHeader, values, 'http-date');
  }
  if (traits.httpPrefixHeaders === undefined) return undefined;
  const prefix = traits.httpPrefixHeaders.toLowerCase();
  const found = Object.entries(payload.headers).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(found.map(([key, values]) => [key.slice(prefix.length), (values ?? []).join(', ')]));
}

function decodeTexts(target: Target, name: string, texts: string[], format: TimestampFormat): unknown {
  const [first] = texts;
  if (first === undefined) return undefined;
  const { shape } = target;
  if (shape.kind === 'list') return texts.map((text) => decodeText(shape.item, name, text, format));
  return decodeText(target, name, first, format);
}

function queryMap(shape: Shape, pairs: [string, string][]): Record<string, unknown> {
  const isList = shape.kind === 'map' && shape.value.shape.kind === 'list';
  const out = new Map<string, string[]>();
  for (const [key, value] of pairs) out.set(key, [...(out.get(key) ?? []), value]);
  return Object.fromEntries([...out].map(([key, values]) => [key, isList ? values : values[0]]));
}

/** A simple value outside of the body. */
function decodeText({ shape, traits }: Target, name: string, text: string, format: TimestampFormat): unknown {
  const wrong = (kind: string) => refuse('invalidValue', `'${text.slice(0, 200)}' of ${name} can not be converted to ${kind}`);
  switch (shape.kind) {
    case 'number':
      if (!/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)) throw wrong('an Integer');
      return Number(text);
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw wrong('a Boolean');
      return text === 'true';
    case 'timestamp': {
      const date = parseTimestamp(text, traits.timestampFormat ?? format);
      if (date === undefined) throw wrong('a Timestamp');
      return date;
    }
    default:
      return text;
  }
}

/** An answer: its status, headers and body. Throws Fault('Internal') when a handler answers with a wrong type. */
export function encodeRest(shape: Shape, output: unknown, http: HttpBinding | undefined): Encoded {
  const given: Record<string, unknown> = { ...(output as object | undefined) };
  const members = shape.kind === 'structure' ? [...shape.members.values()] : [];
  const code = members.find(({ traits }) => traits.httpResponseCode);
  const status = Number((code === undefined ? undefined : given[code.name]) ?? http?.status ?? 200);
  const headers = Object.assign({}, ...members.map((member) => encodeHeader(member, given[member.name]))) as Record<string, string>;
  const payload = members.find(({ traits }) => traits.httpPayload);
  if (payload !== undefined) return { ...encodePayload(payload, given[payload.name]), headers, status };
  // 204 has no body.
  if (shape.kind !== 'structure' || status === 204) return { contentType: JSON_TYPE, body: '', headers, status };
  return { contentType: JSON_TYPE, body: encodeJsonBody(onlyMembers(shape, members.filter(inBody)), given), headers, status };
}

function encodePayload({ shape }: Member, value: unknown): Encoded {
  if (value === undefined || value === null) return { contentType: JSON_TYPE, body: '' };
  if (shape.kind === 'blob') {
    invariant(value instanceof Uint8Array, 'an answer has no bytes where its payload belongs');
    return { contentType: 'application/octet-stream', body: value };
  }
  if (shape.kind === 'string') return { contentType: 'text/plain', body: String(value) };
  return { contentType: JSON_TYPE, body: encodeJsonBody(shape, value) };
}

export function encodeHeader({ shape, traits }: Member, value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (traits.httpHeader !== undefined) {
    const parts = Array.isArray(value) ? value : [value];
    const item = shape.kind === 'list' ? shape.item.traits : traits;
    return { [traits.httpHeader]: parts.map((part) => headerText(part, item)).join(', ') };
  }
  const prefix = traits.httpPrefixHeaders;
  if (prefix === undefined) return {};
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [`${prefix}${key}`, String(text)]));
}

function headerText(value: unknown, traits: Traits): string {
  if (!(value instanceof Date)) return String(value);
  if (traits.timestampFormat === 'epoch-seconds') return String(value.getTime() / 1000);
  return traits.timestampFormat === 'date-time' ? formatIso(value) : value.toUTCString();
}

const onlyMembers = (shape: Shape & { kind: 'structure' }, members: Member[]): Shape => ({
  ...shape,
  members: new Map(members.map((member) => [member.name, member])),
  required: [],
});
