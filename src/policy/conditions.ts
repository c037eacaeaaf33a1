/** The Condition element. Source: IAM user guide, "IAM JSON policy elements: Condition operators", "Multivalued context keys". */
import { BlockList, isIP } from 'node:net';
import { arnParts, compileArn, compilePattern, matches } from './pattern.ts';
import type { Facts } from './types.ts';

/** Whether one value of the request is one of those that the policy names. */
type ValueTest = (value: string, facts: Facts) => boolean;
type Compile = (values: readonly string[], variables: boolean) => ValueTest;

function anyOf(tests: readonly ValueTest[]): ValueTest {
  const [only] = tests;
  if (tests.length === 1 && only !== undefined) return only;
  return (value, facts) => tests.some((test) => test(value, facts));
}

const strings =
  (wildcards: boolean, fold: boolean): Compile =>
  (values, variables) =>
    anyOf(
      values.map((text) => {
        const pattern = compilePattern(text, { variables, wildcards });
        const folded = (one: string) => (fold ? one.toLowerCase() : one);
        return (value, facts) => {
          const wanted = pattern(facts);
          if (wanted === undefined) return false;
          return wildcards ? matches(wanted, value) : folded(wanted) === folded(value);
        };
      }),
    );

const compared =
  (read: (text: string) => number, holds: (a: number, b: number) => boolean): Compile =>
  (values, variables) =>
    anyOf(
      values.map((text) => {
        const pattern = compilePattern(text, { variables, wildcards: false });
        return (value, facts) => {
          const wanted = pattern(facts);
          return wanted !== undefined && holds(read(value), read(wanted));
        };
      }),
    );

const order = {
  Equals: (a: number, b: number) => a === b,
  LessThan: (a: number, b: number) => a < b,
  LessThanEquals: (a: number, b: number) => a <= b,
  GreaterThan: (a: number, b: number) => a > b,
  GreaterThanEquals: (a: number, b: number) => a >= b,
};

/** NaN, which is like nothing, for what isn't a number. */
function readNumber(text: string): number {
  return /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
}

/** A date of the W3C's note on ISO 8601, or seconds since the epoch; as milliseconds. */
function readDate(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text) && text.length > 4) return Number(text) * 1000;
  return /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?$/.test(text) ? Date.parse(text) : Number.NaN;
}

const arns: Compile = (values, variables) =>
  anyOf(
    values.map((text) => {
      const test = compileArn(text, variables);
      return (value, facts) => text === '*' || test(arnParts(value), facts);
    }),
  );

const addresses: Compile = (values, variables) =>
  anyOf(
    values.map((text) => {
      const list = text.includes('${') && variables ? undefined : blockOf(text);
      if (list === undefined) return () => false;
      // A caller's calls come from one address, and a look makes objects of it.
      let last = { value: '', is: false };
      return (value) => {
        if (value !== last.value) last = { value, is: isIP(value) !== 0 && list.check(value, isIP(value) === 6 ? 'ipv6' : 'ipv4') };
        return last.is;
      };
    }),
  );

/** Undefined for what is no range. */
function blockOf(text: string): BlockList | undefined {
  const [address = '', prefix, ...more] = text.split('/');
  const version = isIP(address);
  const widest = version === 4 ? 32 : 128;
  if (version === 0 || more.length > 0 || (prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= widest)))
    return undefined;
  const list = new BlockList();
  list.addSubnet(address, prefix === undefined ? widest : Number(prefix), version === 4 ? 'ipv4' : 'ipv6');
  return list;
}

const positive: Record<string, Compile> = {
  StringEquals: strings(false, false),
  StringEqualsIgnoreCase: strings(false, true),
  StringLike: strings(true, false),
  NumericEquals: compared(readNumber, order.Equals),
  NumericLessThan: compared(readNumber, order.LessThan),
  NumericLessThanEquals: compared(readNumber, order.LessThanEquals),
  NumericGreaterThan: compared(readNumber, order.GreaterThan),
  NumericGreaterThanEquals: compared(readNumber, order.GreaterThanEquals),
  DateEquals: compared(readDate, order.Equals),
  DateLessThan: compared(readDate, order.LessThan),
  DateLessThanEquals: compared(readDate, order.LessThanEquals),
  DateGreaterThan: compared(readDate, order.GreaterThan),
  DateGreaterThanEquals: compared(readDate, order.GreaterThanEquals),
  Bool: strings(false, true),
  BinaryEquals: strings(false, false),
  IpAddress: addresses,
  ArnEquals: arns,
  ArnLike: arns,
};

/** The operators that hold when none of the values is met, by what they turn around. */
const negative: Record<string, string> = {
  StringNotEquals: 'StringEquals',
  StringNotEqualsIgnoreCase: 'StringEqualsIgnoreCase',
  StringNotLike: 'StringLike',
  NumericNotEquals: 'NumericEquals',
  DateNotEquals: 'DateEquals',
  NotIpAddress: 'IpAddress',
  ArnNotEquals: 'ArnEquals',
  ArnNotLike: 'ArnLike',
};

const lowered = (names: Record<string, unknown>) => new Map(Object.keys(names).map((name) => [name.toLowerCase(), name]));
const positiveNames = lowered(positive);
const negativeNames = lowered(negative);

type Operator = { quantifier: 'any' | 'all' | null; ifExists: boolean; test: Compile | 'null'; negated: boolean };

/** undefined for a name that is no operator. */
export function readOperator(name: string): Operator | undefined {
  const [, quantifierText, base = ''] = /^(?:(ForAnyValue|ForAllValues):)?(\w+)$/i.exec(name) ?? [];
  const quantifier = quantifierText === undefined ? null : quantifierText.toLowerCase() === 'foranyvalue' ? 'any' : 'all';
  if (base.toLowerCase() === 'null') return { quantifier, ifExists: false, test: 'null', negated: false };
  const ifExists = /ifexists$/i.test(base);
  const word = (ifExists ? base.slice(0, -'IfExists'.length) : base).toLowerCase();
  const negatedName = negativeNames.get(word);
  const found = positive[negatedName === undefined ? (positiveNames.get(word) ?? '') : (negative[negatedName] ?? '')];
  return found === undefined ? undefined : { quantifier, ifExists, test: found, negated: negatedName !== undefined };
}

/** One operator, one key: what must hold of a request. The operator's name must be one that `readOperator` knows. */
export function compileCondition(name: string, key: string, values: readonly string[], variables: boolean): (facts: Facts) => boolean {
  const operator = readOperator(name);
  const known = key.toLowerCase();
  if (operator === undefined) return () => false;
  if (operator.test === 'null') {
    const wantsNone = values.some((value) => value.toLowerCase() === 'true');
    return (facts) => isAbsent(facts.get(known)) === wantsNone;
  }
  const { quantifier, ifExists, negated } = operator;
  const test = operator.test(values, variables);
  const holds: ValueTest = negated ? (value, facts) => !test(value, facts) : test;
  const whenAbsent = quantifier === null ? ifExists || negated : quantifier === 'all' || ifExists;
  return (facts) => {
    const value = facts.get(known);
    if (value === undefined || isAbsent(value)) return whenAbsent;
    if (typeof value === 'string') return holds(value, facts);
    // Of several values without a word about it, none may meet what is ruled out, and one must meet what is asked for.
    if (quantifier === 'all' || (quantifier === null && negated)) return value.every((one) => holds(one, facts));
    return value.some((one) => holds(one, facts));
  };
}

function isAbsent(value: string | readonly string[] | undefined): boolean {
  return value === undefined || (typeof value !== 'string' && value.length === 0);
}
