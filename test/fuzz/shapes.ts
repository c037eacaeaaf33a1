/** For property tests over the wire: values made from the SDK's shapes, put in the places of a good input, and bodies whose bytes are spoiled. */
import * as fc from 'fast-check';
import type { Shape } from '#gateway/shapes.ts';
import { oddNumbers, oddTexts } from './calls.ts';

const LARGE = 'x'.repeat(70_000);
const DEEP = 400;
/** The deepest place of a shape that contains itself. */
const MOST_STEPS = 12;

export type Path = (string | number)[];
export type Place = { path: Path; shape: Shape };
/** `name`: of the member that a text is for. */
type Texts = (name: string) => fc.Arbitrary<string>;

/** Any of Unicode, halves of pairs too. fast-check's own `binary` makes a table of them all, which takes as long as a hundred calls. */
const codePoints = fc.nat(0x10_ff_ff).map((code) => String.fromCodePoint(code));

/** Texts that mean something to the API in six of ten places, else odd, binary or large ones. */
export function textsLike(meaning: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...meaning) },
    { weight: 3, arbitrary: fc.constantFrom(...oddTexts, '\ud800', '\u202e', '../../etc/passwd', '%00', '${x}', "'; drop") },
    { weight: 1, arbitrary: fc.oneof(fc.string({ unit: codePoints, maxLength: 20 }), fc.constant(LARGE)) },
  );
}

const numbers = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(...oddNumbers, -(2 ** 40), 1e308), fc.integer());
const times = fc.constantFrom(0, 1, -1e12, 1_700_000_000_000, 8.64e15, Date.UTC(2030, 1, 1), Date.UTC(1, 1, 1)).map((ms) => new Date(ms));
const bytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(Buffer.from(LARGE)));
const deep = (depth: number): unknown => (depth === 0 ? 0 : depth % 2 === 0 ? [deep(depth - 1)] : { a: deep(depth - 1) });

/** What no shape asks for: for protocols whose bytes can say it. */
export const wrong = fc.constantFrom<unknown>(
  null,
  true,
  7,
  1.5,
  'x',
  [],
  {},
  [null],
  [[]],
  { a: {} },
  { __proto__: 1, constructor: 2 },
  deep(DEEP),
);

/** `isTyped`: times as Date and blobs as bytes, as the SDK's clients take them; else they are texts. */
export function valueOf(shape: Shape, texts: Texts, isTyped: boolean, name = '', depth = 0): fc.Arbitrary<unknown> {
  if (depth > MOST_STEPS) return texts(name);
  switch (shape.kind) {
    case 'structure': {
      const members = [...shape.members].map(([member, { shape: inner }]) => [
        member,
        fc.option(valueOf(inner, texts, isTyped, member, depth + 1), { nil: undefined, freq: 1 }),
      ]);
      return fc.record(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>);
    }
    case 'list': {
      const item = valueOf(shape.item.shape, texts, isTyped, name, depth + 1);
      return fc.oneof(
        { weight: 9, arbitrary: fc.array(item, { maxLength: 3 }) },
        { weight: 1, arbitrary: item.map((one) => Array.from({ length: 300 }, () => one)) },
      );
    }
    case 'map':
      return fc.dictionary(texts(''), valueOf(shape.value.shape, texts, isTyped, name, depth + 1), { maxKeys: 4 });
    case 'number':
      return numbers;
    case 'boolean':
      return fc.boolean();
    case 'timestamp':
      return isTyped ? times : texts(name);
    case 'blob':
      return isTyped ? bytes : texts(name);
    default:
      return texts(name);
  }
}

/** Every place where a value may stand: of lists the first item and the second. */
export function placesOf(shape: Shape, path: Path = []): Place[] {
  const here = { path, shape };
  if (path.length > MOST_STEPS) return [here];
  if (shape.kind === 'structure') {
    return [here, ...[...shape.members].flatMap(([name, member]) => placesOf(member.shape, [...path, name]))];
  }
  if (shape.kind !== 'list') return [here];
  return [here, ...[0, 1].flatMap((index) => placesOf(shape.item.shape, [...path, index]))];
}

function put(value: unknown, [step, ...rest]: Path, other: unknown): unknown {
  if (step === undefined) return other;
  if (typeof step === 'number') {
    const list: unknown[] = Array.isArray(value) ? [...value] : [];
    const at = Math.min(step, list.length);
    list[at] = put(list[at], rest, other);
    return list;
  }
  const source = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  return { ...source, [step]: put((source as Record<string, unknown>)[step], rest, other) };
}

const nameOf = (path: Path): string => String(path.findLast((step) => typeof step === 'string') ?? '');

/** One of the good inputs with up to three places changed. */
export function editedInputs(
  shape: Shape,
  good: readonly object[],
  { texts, isTyped }: { texts: Texts; isTyped: boolean },
): fc.Arbitrary<object> {
  const places = placesOf(shape).filter(({ path }) => path.length > 0);
  if (places.length === 0) return fc.constantFrom(...good);
  const edit = fc.constantFrom(...places).chain(({ path, shape: here }) => {
    const like = valueOf(here, texts, isTyped, nameOf(path));
    const value = isTyped ? like : fc.oneof({ weight: 5, arbitrary: like }, { weight: 1, arbitrary: wrong });
    return value.map((one) => ({ path, value: one }));
  });
  return fc
    .record({ base: fc.constantFrom(...good), edits: fc.array(edit, { maxLength: 3 }) })
    .map(({ base, edits }) => edits.reduce((input: object, { path, value }) => put(input, path, value) as object, base));
}

/** A value of a form in the place of another, an index that is none, a name twice, half of it. */
const formSpoils: ((body: string, at: number, text: string) => string)[] = [
  (body, at, text) => nth(body, /=[^&]*/g, at, `=${encodeURIComponent(text.toWellFormed())}`),
  (body, at) => nth(body, /\.\d+/g, at, '.0'),
  (body, at) => nth(body, /\.\d+/g, at, '.99999999'),
  (body, at) => nth(body, /\.\d+/g, at, '.-1'),
  (body, at) => nth(body, /\.member/g, at, '.__proto__'),
  (body, at) => `${body}&${body.slice(at % (body.length + 1))}`,
  (body, at) => body.slice(0, at % (body.length + 1)),
  (body) => `${body}&%&%zz=%ff&=&&`,
];

const xmlSpoils: ((body: string, at: number, text: string) => string)[] = [
  (body, at, text) => nth(body, />[^<]*</g, at, `>${text.toWellFormed().replaceAll('&', '&amp;').replaceAll('<', '&lt;')}<`),
  (body, at) => nth(body, /<\/?\w+/g, at, '<other'),
  (body, at) => nth(body, />[^<]*</g, at, '>&a;&#0;&#xffffffff;<'),
  (body, at) => nth(body, />[^<]*</g, at, `>${'<a>'.repeat(5000)}<`),
  (body) => `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>${body}`,
  (body, at) => body.slice(0, at % (body.length + 1)),
  (body, at) => body.slice(at % (body.length + 1)),
  () => '',
];

/** `at` chooses where. */
export const spoiledForm = (body: string, how: number, at: number, text: string): string => formSpoils[how % formSpoils.length]!(body, at, text); // prettier-ignore
export const spoiledXml = (body: string, how: number, at: number, text: string): string => xmlSpoils[how % xmlSpoils.length]!(body, at, text); // prettier-ignore

function nth(text: string, pattern: RegExp, at: number, other: string): string {
  const found = [...text.matchAll(pattern)];
  const one = found[at % Math.max(1, found.length)];
  return one === undefined ? text : text.slice(0, one.index) + other + text.slice(one.index + one[0].length);
}
