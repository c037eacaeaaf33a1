import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { compilePattern } from './pattern.ts';
import { matchesPlainly } from './plain-matcher.ts';
import type { JsonValue } from './types.ts';

type Plain = { [key: string]: JsonValue };
const matches = (pattern: Plain, event: JsonValue) => compilePattern(JSON.stringify(pattern)).matches(event);

/** The examples of the user guide ("Comparison operators", "Creating event patterns"), in our words: pattern, events that match, events that don't. */
const examples: [string, Plain, JsonValue[], JsonValue[]][] = [
  ['and', { Location: ['New York'], Day: ['Monday'] }, [{ Location: 'New York', Day: 'Monday' }], [{ Location: 'New York' }, { Location: 'New York', Day: 'Tuesday' }]],
  ['anything-but', { state: [{ 'anything-but': 'initializing' }] }, [{ state: 'on' }, { state: 1 }, { state: null }], [{ state: 'initializing' }, {}]],
  ['anything-but of numbers', { x: [{ 'anything-but': [100, 200] }] }, [{ x: 5 }, { x: '100' }], [{ x: 100 }, { x: 2e2 }]],
  ['anything-but of one of several', { s: [{ 'anything-but': ['a', 'b'] }] }, [{ s: 'c' }, { s: ['a', 'c'] }], [{ s: 'a' }, { s: ['a', 'b'] }, { s: [] }]],
  ['anything-but a prefix', { Region: [{ 'anything-but': { prefix: 'us-' } }] }, [{ Region: 'eu-west-1' }], [{ Region: 'us-east-1' }]],
  ['anything-but prefixes', { Region: [{ 'anything-but': { prefix: ['us-', 'eu-'] } }] }, [{ Region: 'ap-1' }], [{ Region: 'us-1' }, { Region: 'eu-1' }]],
  ['anything-but a suffix', { FileName: [{ 'anything-but': { suffix: '.png' } }] }, [{ FileName: 'a.txt' }], [{ FileName: 'a.png' }]],
  ['anything-but, any case', { state: [{ 'anything-but': { 'equals-ignore-case': 'initializing' } }] }, [{ state: 'on' }], [{ state: 'INITIALIZING' }]],
  ['anything-but a wildcard', { FilePath: [{ 'anything-but': { wildcard: '*/lib/*' } }] }, [{ FilePath: '/bin/a' }], [{ FilePath: '/usr/lib/a' }]],
  ['prefix', { Region: [{ prefix: 'us-' }] }, [{ Region: 'us-east-1' }], [{ Region: 'eu' }, { Region: 3 }]],
  ['prefix, any case', { service: [{ prefix: { 'equals-ignore-case': 'EventB' } }] }, [{ service: 'EVENTBridge' }], [{ service: 'Even' }]],
  ['empty', { LastName: [''] }, [{ LastName: '' }], [{ LastName: null }, {}]],
  ['equals, any case', { Name: [{ 'equals-ignore-case': 'alice' }] }, [{ Name: 'ALICE' }], [{ Name: 'Alicia' }]],
  ['suffix', { FileName: [{ suffix: '.png' }] }, [{ FileName: 'a.png' }], [{ FileName: 'a.png.txt' }]],
  ['suffix, any case', { FileName: [{ suffix: { 'equals-ignore-case': '.png' } }] }, [{ FileName: 'a.PNG' }], [{ FileName: 'png' }]],
  ['exists', { detail: { n: [{ exists: true }] } }, [{ detail: { n: null } }, { detail: { n: 'x' } }], [{ detail: {} }, {}, { detail: { n: { a: 1 } } }]],
  ['exists not', { detail: { n: [{ exists: false }] } }, [{ detail: {} }, {}, { detail: 4 }], [{ detail: { n: '' } }]],
  ['null', { UserID: [null] }, [{ UserID: null }], [{ UserID: '' }, {}]],
  ['number', { Price: [100] }, [{ Price: 100 }], [{ Price: '100' }, { Price: 101 }]],
  ['range', { Price: [{ numeric: ['>', 10, '<=', 20] }] }, [{ Price: 10.5 }, { Price: 20 }], [{ Price: 10 }, { Price: 20.1 }, { Price: '15' }]],
  ['one bound', { 'c-count': [{ numeric: ['=', 3.018e2] }] }, [{ 'c-count': 301.8 }], [{ 'c-count': 301 }]],
  ['or of values', { PaymentType: ['Credit', 'Debit'] }, [{ PaymentType: 'Debit' }], [{ PaymentType: 'Cash' }]],
  ['or of members', { $or: [{ Location: ['New York'] }, { Day: ['Monday'] }] }, [{ Day: 'Monday' }, { Location: 'New York' }], [{ Day: 'Friday' }]],
  ['or beside and', { a: [1], $or: [{ b: [2] }, { c: { d: [3] } }] }, [{ a: 1, b: 2 }, { a: 1, c: { d: 3 } }], [{ b: 2 }, { a: 1, c: { d: 4 } }]],
  ['address', { ip: [{ cidr: '10.0.0.0/24' }] }, [{ ip: '10.0.0.255' }], [{ ip: '10.0.1.0' }, { ip: '::a00:1' }, { ip: 'x' }]],
  ['address of version 6', { ip: [{ cidr: '2001:db8::/32' }] }, [{ ip: '2001:db8:1::5' }], [{ ip: '2001:db9::' }, { ip: '10.0.0.1' }]],
  ['wildcard', { EventBusArn: [{ wildcard: 'arn:aws:events:us-east-1:*:event-bus/*' }] }, [{ EventBusArn: 'arn:aws:events:us-east-1:1:event-bus/b' }], [{ EventBusArn: 'arn:aws:events:us-east-1:event-bus' }]],
  ['wildcard, escaped', { f: [{ wildcard: 'a\\*b\\\\*' }] }, [{ f: 'a*b\\' }, { f: 'a*b\\zz' }], [{ f: 'axb\\' }]],
  ['an array of the event', { resources: ['r1', 'r2'] }, [{ resources: ['r0', 'r2'] }], [{ resources: ['r3'] }, { resources: [] }]],
  ['the same item', { d: { a: [1], b: [2] } }, [{ d: [{ a: 1, b: 2 }] }], [{ d: [{ a: 1 }, { b: 2 }] }]],
  ['a member called $or', { $or: ['x'] }, [{ $or: 'x' }], [{}]],
  ['names of prototypes', { constructor: [{ exists: true }] }, [{ constructor: 1 }], [{}]],
]; // prettier-ignore

test("the documentation's examples, by both matchers", () => {
  for (const [name, pattern, yes, no] of examples) {
    for (const event of yes) {
      assert.ok(matches(pattern, event), `${name}: ${JSON.stringify(event)}`);
      if (!name.startsWith('address')) assert.ok(matchesPlainly(pattern, event), `${name}, plainly: ${JSON.stringify(event)}`);
    }
    for (const event of no) {
      assert.ok(!matches(pattern, event), `${name}: not ${JSON.stringify(event)}`);
      if (!name.startsWith('address')) assert.ok(!matchesPlainly(pattern, event), `${name}, plainly: not ${JSON.stringify(event)}`);
    }
  }
});

test('what is no pattern is refused with the reason', () => {
  const wrong: [string, RegExp][] = [
    ['{', /Unrecognized token/],
    ['[]', /Filter is not an object/],
    ['{}', /Empty objects/],
    ['{"a":{}}', /Empty objects/],
    ['{"a":"b"}', /"a" must be an object or an array/],
    ['{"a":[]}', /Empty arrays/],
    ['{"a":[[1]]}', /Match value must be/],
    ['{"a":[{"like":"x"}]}', /Unrecognized match type like/],
    ['{"a":[{"toString":"x"}]}', /Unrecognized match type toString/],
    ['{"a":[{"prefix":"x","suffix":"y"}]}', /Only one key/],
    ['{"a":[{"prefix":3}]}', /prefix match pattern must be a string/],
    ['{"a":[{"numeric":["<",1,">",2]}]}', /Bad numeric range/],
    ['{"a":[{"numeric":[">",3,"<",2]}]}', /Bottom must be less/],
    ['{"a":[{"numeric":["!=",3]}]}', /Unrecognized numeric range operator/],
    ['{"a":[{"numeric":[">",6e9]}]}', /must be between/],
    ['{"a":[{"exists":"yes"}]}', /either true or false/],
    ['{"a":[{"cidr":"10.0.0.0/33"}]}', /Malformed CIDR/],
    ['{"a":[{"wildcard":"a**b"}]}', /Consecutive wildcard/],
    ['{"a":[{"wildcard":"a\\\\b"}]}', /Invalid escape/],
    ['{"a":[{"anything-but":["a",1]}]}', /mixed type/],
    ['{"a":[{"anything-but":{"numeric":["<",1]}}]}', /Unsupported anything-but/],
    [`{"a":["${'x'.repeat(5000)}"]}`, /longer than/],
  ];
  for (const [text, reason] of wrong) assert.throws(() => compilePattern(text), { name: 'PatternError', message: reason }, text);
});

const word = fc.constantFrom('', 'a', 'b', 'ab', 'aB', 'A', 'ba', 'a*b', 'a\\');
const number = fc.constantFrom(0, 1, 2, 2.5, -1);
const scalar: fc.Arbitrary<JsonValue> = fc.oneof(word, number, fc.boolean(), fc.constant(null));
const wild = fc
  .array(fc.constantFrom('a', 'b', '*', '\\*', '\\\\'), { maxLength: 5 })
  .map((parts) => parts.filter((part, at) => part !== '*' || parts[at - 1] !== '*').join(''));
const range = fc
  .tuple(fc.constantFrom('>', '>='), number, fc.constantFrom('<', '<='), number)
  .filter(([, low, , high]) => low < high)
  .map((terms): JsonValue => [...terms]);
const affixed = fc.oneof(word, fc.record({ 'equals-ignore-case': word }));
const condition: fc.Arbitrary<JsonValue> = fc.oneof(
  scalar,
  fc.record({ prefix: affixed }),
  fc.record({ suffix: affixed }),
  fc.record({ 'equals-ignore-case': word }),
  fc.record({ wildcard: wild }),
  fc.record({ exists: fc.boolean() }),
  fc.record({
    numeric: fc.oneof(
      range,
      fc.tuple(fc.constantFrom('=', '<', '<=', '>', '>='), number).map((terms): JsonValue => [...terms]),
    ),
  }),
  fc.record({
    'anything-but': fc.oneof(
      word,
      fc.array(word, { minLength: 1, maxLength: 2 }),
      fc.array(number, { minLength: 1, maxLength: 2 }),
      fc.record({ prefix: fc.oneof(word, fc.array(word, { minLength: 1, maxLength: 2 })) }),
      fc.record({ suffix: word }),
      fc.record({ 'equals-ignore-case': word }),
      fc.record({ wildcard: wild }),
    ),
  }),
) as fc.Arbitrary<JsonValue>;
const name = fc.constantFrom('a', 'b', 'c');
const conditions = fc.array(condition, { minLength: 1, maxLength: 2 });
/** A member is named once on its level: what one condition on it says is one item's matter, and what another says another's. */
const patternOf = (depth: number, names = ['a', 'b', 'c', 'd', 'e', 'f']): fc.Arbitrary<Plain> => {
  const member: fc.Arbitrary<JsonValue> = depth === 0 ? conditions : fc.oneof(conditions, patternOf(depth - 1));
  const members = fc.dictionary(fc.constantFrom(...names.slice(0, 2)), member, { minKeys: 1, maxKeys: 2 });
  if (depth === 0) return members;
  const branch = patternOf(depth - 1, names.slice(2));
  return fc.oneof(
    members,
    fc.tuple(members, branch, branch).map(([all, one, other]): Plain => ({ ...all, $or: [one, other] })),
  );
};
const valueOf = (depth: number): fc.Arbitrary<JsonValue> => {
  if (depth === 0) return scalar;
  const inner = valueOf(depth - 1);
  return fc.oneof(scalar, fc.array(inner, { maxLength: 2 }), fc.dictionary(name, inner, { maxKeys: 2 }));
};

test('the compiled matcher says what the plain one says', () => {
  let met = 0;
  fc.assert(
    fc.property(patternOf(2), fc.dictionary(name, valueOf(3), { minKeys: 1, maxKeys: 3 }), (one, event) => {
      const said = matches(one, event);
      if (said) met++;
      assert.equal(said, matchesPlainly(one, event));
    }),
    { numRuns: 3000 },
  );
  assert.ok(met > 50, `only ${met} of the pairs matched: the test says little`);
});

test('a wildcard takes time in proportion to its text', () => {
  const { matches: holds } = compilePattern(JSON.stringify({ a: [{ wildcard: `${'*a'.repeat(1000)}*b` }] }));
  assert.ok(!holds({ a: 'a'.repeat(200_000) }));
});
