import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '#base/random.ts';
import { holds, parseAlarmRule } from './alarm-rule.ts';
import { alarmArn } from './alarm.ts';
import type { AlarmState } from './alarm.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const STATES: AlarmState[] = ['OK', 'ALARM', 'INSUFFICIENT_DATA'];
type States = Record<string, AlarmState>;
const value = (text: string, states: States): boolean => holds(parseAlarmRule(text, scope).rule, (name) => states[name]);

/** By rewriting the text until TRUE or FALSE is left: innermost first, NOT before AND before OR. */
function rewritten(text: string, states: States): boolean {
  const told = (holding: boolean) => (holding ? 'TRUE' : 'FALSE');
  const nameOf = (name: string) => name.trim().replaceAll('"', '');
  let now = text
    .replaceAll(
      /AT_LEAST\((\d+)(%?), (NOT )?(\w+), \(([^)]*)\)\)/g,
      (_, count: string, percent: string, not: string | undefined, state: string, names: string) => {
        const all = names.split(',').map(nameOf);
        const many = all.filter((name) => (states[name] === state) === (not === undefined)).length;
        return told(percent === '' ? many >= Number(count) : many * 100 >= Number(count) * all.length);
      },
    ) // prettier-ignore
    .replaceAll(/(ALARM|OK|INSUFFICIENT_DATA)\(([^)]*)\)/g, (_, state: string, name: string) => told(states[nameOf(name)] === state));
  const steps: [RegExp, (match: string) => string][] = [
    [/\( *(TRUE|FALSE) *\)/, (match) => /TRUE|FALSE/.exec(match)?.[0] ?? ''],
    [/NOT +(TRUE|FALSE)/, (match) => told(match.includes('FALSE'))],
    [/(TRUE|FALSE) +AND +(TRUE|FALSE)/, (match) => told(!match.includes('FALSE'))],
    // Only where no AND binds one of the two first.
    [/(?<!AND +)(TRUE|FALSE) +OR +(TRUE|FALSE)(?! +AND)/, (match) => told(match.includes('TRUE'))],
  ];
  for (;;) {
    const step = steps.find(([pattern]) => pattern.test(now));
    if (step === undefined) break;
    now = now.replace(...step);
  }
  assert.match(now.trim(), /^(TRUE|FALSE)$/);
  return now.trim() === 'TRUE';
}

describe('a rule', () => {
  it('is worth what rewriting its text comes to', () => {
    const random = seededRandom(7);
    const below = (most: number) => Math.floor(random.fraction() * most);
    const one = <T>(of: readonly T[]): T => of[below(of.length)] as T;
    const reference = () => one(['a', '"b"', 'c', '"d e"']);
    const leaf = (): string => {
      if (below(6) === 0) return one(['TRUE', 'FALSE']);
      if (below(4) > 0) return `${one(STATES)}(${reference()})`;
      const names = Array.from({ length: 1 + below(4) }, reference);
      const count = below(2) === 0 ? `${1 + below(names.length)}` : `${1 + below(100)}%`;
      return `AT_LEAST(${count}, ${one(['', 'NOT '])}${one(STATES)}, (${names.join(', ')}))`;
    };
    const rule = (depth: number): string => {
      if (depth === 0) return leaf();
      const kind = below(4);
      if (kind === 0) return `NOT ${below(2) === 0 ? leaf() : `( ${rule(depth - 1)})`}`;
      if (kind === 1) return `(${rule(depth - 1)})`;
      return `${rule(depth - 1)} ${kind === 2 ? 'AND' : 'OR'}  ${rule(depth - 1)}`;
    };
    let holding = 0;
    for (let round = 0; round < 3000; round++) {
      const text = rule(below(5));
      const states = Object.fromEntries(['a', 'b', 'c', 'd e'].map((name) => [name, one(STATES)]));
      assert.equal(value(text, states), rewritten(text, states), `${text} with ${JSON.stringify(states)}`);
      if (value(text, states)) holding++;
    }
    assert.ok(holding > 500 && holding < 2500, `${holding} of 3000 hold`);
  });

  it('names alarms with and without quotes, by ARN, each once', () => {
    const arn = alarmArn({ ...scope, name: 'by-arn' });
    const { children } = parseAlarmRule(
      `ALARM("say \\"hi\\"") or ok(${arn})AND ALARM("${arn}") AND NOT ALARM( "AND" ) AND ALARM(OR)`,
      scope,
    );
    assert.deepEqual(children, ['say "hi"', 'by-arn', 'AND', 'OR']);
  });

  const wrong: [text: string, message: RegExp][] = [
    ['()', /^Error in AlarmRule \[Unsupported token '\)' at char 1, must be: '\(', 'NOT', AT_LEAST, TRUE or FALSE, ALARM, OK, or INSUFFICIENT_DATA\]$/],
    ['ALARM(Queue Oldest Age)', /^Error in AlarmRule \[Unsupported token 'Oldest' at char 12, must be: '\)'\]$/],
    ['ALARM(a) ALARM(b)', /'ALARM' at char 9, must be: 'AND', 'OR' or the end/],
    ['ALARM(a) AND', /Unsupported token '' at char 12/],
    ['ALARM()', /'\)' at char 6, must be: the name/],
    ['ALARM("a)', /'"' at char 6/],
    ['"TRUE"', /'TRUE' at char 0/],
    ['TRUE)', /'\)' at char 4/],
    ['AT_LEAST(0, ALARM, (a))', /'0' at char 9/],
    ['AT_LEAST(3, ALARM, (a, b))', /up to 2/],
    ['AT_LEAST(101%, ALARM, (a))', /'101%'/],
    ['AT_LEAST(1, TRUE, (a))', /'TRUE' at char 12/],
    [`ALARM(${'a'.repeat(10_240)})`, /10240 characters/],
    [Array.from({ length: 101 }, (_, n) => `OK(a${n})`).join(' OR '), /more than 100 alarms; it refers to 101/],
    [Array.from({ length: 501 }, () => 'TRUE').join(' OR '), /more than 500 elements/],
    [`${'('.repeat(10_000)}`, /more than 500 elements/],
  ]; // prettier-ignore
  for (const [text, message] of wrong) {
    it(`is refused: ${text.slice(0, 40)}`, () => {
      assert.throws(() => parseAlarmRule(text, scope), { code: 'ClientError', message });
    });
  }

  it('may say NOT as often as fits', () => {
    assert.equal(value(`${'NOT '.repeat(2000)}TRUE`, {}), true);
  });
});
