/** Writes answers of the Query protocols: XML by a service's shapes (Smithy 2.0, "XML bindings"). */
import { invariant } from '#base/fault.ts';
import type { Shape, Target } from './shapes.ts';
import { formatIso } from './timestamps.ts';

/** The members of a structure as XML elements, without an element around them. */
export function encodeXmlMembers(shape: Shape, value: unknown): string {
  if (shape.kind !== 'structure') return '';
  const source = (value ?? {}) as Record<string, unknown>;
  let out = '';
  for (const [name, member] of shape.members) {
    const given = source[name];
    if (given !== undefined && given !== null && !member.traits.xmlAttribute) out += encode(member, member.traits.xmlName ?? name, given);
  }
  return out;
}

function encode(target: Target, tag: string, value: unknown): string {
  const { shape, traits } = target;
  switch (shape.kind) {
    case 'structure':
      return element(tag, encodeXmlMembers(shape, value), attributes(shape, value));
    case 'list': {
      invariant(Array.isArray(value), `an answer has ${typeof value} where a list belongs (${tag})`);
      if (traits.xmlFlattened) return value.map((item) => encode(shape.item, tag, item)).join('');
      const itemTag = shape.item.traits.xmlName ?? 'member';
      return element(tag, value.map((item) => encode(shape.item, itemTag, item)).join(''));
    }
    case 'map': {
      const keyTag = shape.key.traits.xmlName ?? 'key';
      const valueTag = shape.value.traits.xmlName ?? 'value';
      const entries = Object.entries(value as Record<string, unknown>)
        .filter(([, item]) => item !== undefined && item !== null)
        .map(([key, item]) => element(keyTag, escapeXml(key)) + encode(shape.value, valueTag, item));
      if (traits.xmlFlattened) return entries.map((entry) => element(tag, entry)).join('');
      return element(tag, entries.map((entry) => element('entry', entry)).join(''));
    }
    default:
      return element(tag, escapeXml(text(shape.kind, value, tag)));
  }
}

function text(kind: string, value: unknown, tag: string): string {
  if (kind === 'timestamp') {
    invariant(value instanceof Date, `an answer has ${typeof value} where a Date belongs (${tag})`);
    return formatIso(value);
  }
  if (kind === 'blob') return Buffer.from(value as Uint8Array).toString('base64');
  invariant(typeof value === kind, `an answer has ${typeof value} where ${kind} belongs (${tag})`);
  return String(value);
}

export function element(tag: string, content: string, attributes = ''): string {
  return content === '' ? `<${tag}${attributes}/>` : `<${tag}${attributes}>${content}</${tag}>`;
}

/** Of a structure, as S3's `Grantee` has one: `xsi:type`. */
function attributes(shape: Shape & { kind: 'structure' }, value: unknown): string {
  const source = (value ?? {}) as Record<string, unknown>;
  const own = [...shape.members.values()].filter(({ traits, name }) => traits.xmlAttribute && source[name] !== undefined);
  return own
    .map(({ traits, name }) => {
      const attribute = traits.xmlName ?? name;
      const space = attribute.startsWith('xsi:') ? ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"' : '';
      return `${space} ${attribute}="${escapeXml(String(source[name]))}"`;
    })
    .join('');
}

/** Text for an element; characters that XML 1.0 forbids become U+FFFD. */
export function escapeXml(value: string): string {
  return value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#xD;')
    .replace(/[^\t\n\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
}
