/**
 * restXml by a service's shapes, as S3 speaks it. Sources: Smithy 2.0, "AWS restXml protocol", "XML bindings" and "Amazon S3". What stands around the
 * body is read and written as in restJson1.
 */
import { parseXML } from '@aws-sdk/xml-builder';
import { invariant } from '#base/fault.ts';
import { encodeHeader, inBody } from './codec-rest.ts';
import { element, encodeXmlMembers, escapeXml } from './codec-xml.ts';
import { refuse } from './refusals.ts';
import type { HttpBinding, Member, Shape, Target } from './shapes.ts';
import { parseTimestamp } from './timestamps.ts';
import type { HttpAnswer } from './types.ts';

const XML = 'application/xml';
const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';

const malformed = (why?: string) =>
  refuse('serialization', `The XML you provided was not well-formed or did not validate against our published schema${why === undefined ? '' : ` (${why})`}`); // prettier-ignore

/** The value of an input's payload. Throws the refusal `serialization`. */
export function decodeXmlPayload(text: string, member: Member): unknown {
  if (member.shape.kind === 'string') return text;
  if (text.trim() === '') return undefined;
  let root: Record<string, unknown>;
  try {
    root = parseXML(text) as Record<string, unknown>;
  } catch {
    throw malformed();
  }
  const tag = tagOf(member);
  if (!Object.hasOwn(root, tag)) throw malformed();
  return decode(member, tag, root[tag]);
}

const tagOf = ({ traits, shape, name }: Member) => traits.xmlName ?? (shape.kind === 'structure' ? (shape.xmlName ?? shape.name) : name);

function decode({ shape, traits }: Target, tag: string, value: unknown): unknown {
  switch (shape.kind) {
    case 'structure':
      return decodeStructure(shape, tag, value);
    case 'list': {
      const itemTag = shape.item.traits.xmlName ?? 'member';
      const items = traits.xmlFlattened ? value : childrenOf(tag, value)[itemTag];
      return listOf(items).map((item) => decode(shape.item, itemTag, item));
    }
    case 'map':
      throw malformed(tag);
    default:
      return decodeText(shape.kind, tag, value);
  }
}

function decodeStructure(shape: Shape & { kind: 'structure' }, tag: string, value: unknown): Record<string, unknown> {
  const source = childrenOf(tag, value);
  const out: Record<string, unknown> = {};
  for (const [name, member] of shape.members) {
    const childTag = member.traits.xmlName ?? name;
    if (Object.hasOwn(source, childTag)) out[name] = decode(member, childTag, source[childTag]);
  }
  if (shape.required.some((name) => out[name] === undefined)) throw malformed();
  return out;
}

const listOf = (value: unknown): unknown[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

function childrenOf(tag: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'string' && value.trim() === '') return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(tag);
  return value as Record<string, unknown>;
}

function decodeText(kind: string, tag: string, value: unknown): unknown {
  const text = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)['#text'] : value;
  if (typeof text !== 'string') throw malformed(tag);
  if (kind === 'number') {
    if (!/^[+-]?\d+(\.\d+)?$/.test(text.trim())) throw malformed(tag);
    return Number(text);
  }
  if (kind === 'boolean') {
    if (text.trim() !== 'true' && text.trim() !== 'false') throw malformed(tag);
    return text.trim() === 'true';
  }
  if (kind === 'timestamp') {
    const date = parseTimestamp(text.trim(), 'date-time');
    if (date === undefined) throw malformed(tag);
    return date;
  }
  return text;
}

/** An answer. A payload of bytes may be a stream. Throws Fault('Internal') when a handler answers with a wrong type. */
export function encodeRestXml(shape: Shape, output: unknown, http: HttpBinding | undefined, namespace: string | undefined): HttpAnswer {
  const given: Record<string, unknown> = { ...(output as object | undefined) };
  const members = shape.kind === 'structure' ? [...shape.members.values()] : [];
  const headers = Object.assign({}, ...members.map((member) => encodeHeader(member, given[member.name]))) as Record<string, string>;
  const answer = { status: http?.status ?? 200, headers };
  const payload = members.find(({ traits }) => traits.httpPayload);
  if (payload !== undefined) return encodePayload(answer, payload, given[payload.name], namespace);
  const parts = members.filter(inBody);
  if (shape.kind !== 'structure' || parts.length === 0) return answer;
  const tag = shape.xmlName ?? shape.name;
  const inner = encodeXmlMembers({ ...shape, members: new Map(parts.map((member) => [member.name, member])) }, given);
  const [only] = parts;
  // S3's GetBucketLocation: what would be an element in the root is the root.
  const isUnwrapped = parts.length === 1 && only?.name === tag && only.shape.kind === 'string';
  const content = isUnwrapped ? escapeXml(String(given[tag] ?? '')) : inner;
  return xml(answer, tag, content, namespace);
}

function encodePayload(answer: HttpAnswer, member: Member, value: unknown, namespace: string | undefined): HttpAnswer {
  if (value === undefined || value === null) return answer;
  const { shape } = member;
  if (shape.kind === 'blob') return { ...answer, body: value as NonNullable<HttpAnswer['body']> };
  if (shape.kind === 'string')
    return { ...answer, headers: { 'Content-Type': 'application/json', ...answer.headers }, body: String(value) };
  invariant(shape.kind === 'structure', `an answer's payload is a ${shape.kind}`);
  return xml(answer, tagOf(member), encodeXmlMembers(shape, value), namespace);
}

function xml(answer: HttpAnswer, tag: string, content: string, namespace: string | undefined): HttpAnswer {
  const space = namespace === undefined ? '' : ` xmlns="${escapeXml(namespace)}"`;
  return { ...answer, headers: { 'Content-Type': XML, ...answer.headers }, body: HEAD + element(tag, content, space) };
}

/** S3's error document. */
export function errorXml(parts: Record<string, string>): string {
  const inner = Object.entries(parts).map(([name, value]) => element(name, escapeXml(value))).join(''); // prettier-ignore
  return HEAD + element('Error', inner);
}
