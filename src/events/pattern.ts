/**
 * EventBridge's event patterns: checked and compiled once, asked of many events. Sources: EventBridge user guide, "Creating event patterns" and "Comparison
 * operators"; where those are silent, what its open matcher (Event Ruler) does. A condition is met when one of an array's items meets it, and conditions below
 * the same array of objects must be met by the same item (a member that is named twice, beside `$or` and in it, is asked about twice).
 */
import { compileRange } from './cidr.ts';
import { eventsBounds } from './bounds.ts';
import { compileWildcard } from './wildcard.ts';
import { PatternError } from './types.ts';
import type { JsonValue } from './types.ts';

export type Pattern = {
  /** The values that the event's `source` may have, where the pattern names them one by one: to pass others over at once. */
  sources: ReadonlySet<string> | null;
  matches(event: JsonValue): boolean;
};

/** undefined stands for a member that isn't there. */
type Test = (value: JsonValue | undefined) => boolean;

/** Throws PatternError with EventBridge's reason. */
export function compilePattern(text: string): Pattern {
  if (text.length > eventsBounds.patternChars) throw new PatternError(`Pattern is longer than ${eventsBounds.patternChars} characters`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new PatternError(`Unrecognized token: ${(error as Error).message}`);
  }
  if (!isObject(parsed)) throw new PatternError('Filter is not an object');
  const budget = { conditions: 0 };
  const test = compileObject(parsed, 1, budget);
  return { sources: sourcesOf(parsed), matches: (event) => test(event) };
}

type Budget = { conditions: number };

function compileObject(pattern: Record<string, unknown>, depth: number, budget: Budget): Test {
  const entries = Object.entries(pattern);
  if (entries.length === 0) throw new PatternError('Empty objects are not allowed');
  if (depth > eventsBounds.patternDepth) throw new PatternError(`Pattern is nested deeper than ${eventsBounds.patternDepth} objects`);
  const tests = entries.map(([name, value]): Test => {
    if (name === '$or' && isOr(value)) {
      const branches = value.map((branch) => compileObject(branch, depth + 1, budget));
      return (object) => branches.some((branch) => branch(object));
    }
    const member = compileMember(name, value, depth, budget);
    return (object) => member(memberOf(object, name));
  });
  const all: Test = (object) => tests.every((test) => test(object));
  return (value) => (Array.isArray(value) ? ofItems(value, (item) => all(asObject(item))) : all(asObject(value)));
}

function compileMember(name: string, value: unknown, depth: number, budget: Budget): Test {
  if (isObject(value)) return compileObject(value, depth + 1, budget);
  if (!Array.isArray(value)) throw new PatternError(`"${name}" must be an object or an array`);
  if (value.length === 0) throw new PatternError('Empty arrays are not allowed');
  budget.conditions += value.length;
  if (budget.conditions > eventsBounds.patternConditions) {
    throw new PatternError(`Pattern has more than ${eventsBounds.patternConditions} conditions`);
  }
  const tests = value.map((condition) => compileCondition(condition));
  const leaf: Test = (one) => tests.some((test) => test(one));
  return (one) => (Array.isArray(one) ? ofItems(one, leaf) : leaf(one));
}

/** `test` of one of the items, of arrays among them too; an empty array is as if nothing were there. */
function ofItems(items: readonly JsonValue[], test: Test): boolean {
  if (items.length === 0) return test(undefined);
  return items.some((item) => (Array.isArray(item) ? ofItems(item, test) : test(item)));
}

function compileCondition(condition: unknown): Test {
  if (isScalar(condition)) return (value) => value === condition;
  if (!isObject(condition)) throw new PatternError('Match value must be String, number, true, false, or null');
  const [[operator, operand] = [undefined, undefined], ...more] = Object.entries(condition);
  if (operator === undefined || more.length > 0) throw new PatternError('Only one key allowed in match expression');
  const compile = operators[operator];
  if (compile === undefined) throw new PatternError(`Unrecognized match type ${operator}`);
  return compile(operand);
}

const operators: Record<string, (operand: unknown) => Test> = Object.assign(Object.create(null) as object, {
  prefix: (operand: unknown) => ofText(affix('prefix', operand)),
  suffix: (operand: unknown) => ofText(affix('suffix', operand)),
  'equals-ignore-case': (operand: unknown) => {
    const wanted = fold(textOf('equals-ignore-case', operand));
    return ofText((value) => fold(value) === wanted);
  },
  wildcard: (operand: unknown) => ofText(compileWildcard(textOf('wildcard', operand))),
  cidr: (operand: unknown) => ofText(compileRange(textOf('cidr', operand))),
  exists: (operand: unknown): Test => {
    if (typeof operand !== 'boolean') throw new PatternError('exists match pattern must be either true or false.');
    return (value) => (value !== undefined && !isObject(value)) === operand;
  },
  numeric: (operand: unknown): Test => {
    const holds = numeric(operand);
    return (value) => typeof value === 'number' && holds(value);
  },
  'anything-but': (operand: unknown) => anythingBut(operand),
});

const ofText =
  (holds: (text: string) => boolean): Test =>
  (value) =>
    typeof value === 'string' && holds(value);

function affix(name: 'prefix' | 'suffix', operand: unknown): (text: string) => boolean {
  const folded = isObject(operand);
  if (folded && (Object.keys(operand).length !== 1 || !('equals-ignore-case' in operand))) {
    throw new PatternError(`${name} match pattern must be a string or an object with "equals-ignore-case"`);
  }
  const wanted = textOf(name, folded ? operand['equals-ignore-case'] : operand);
  const meets = (text: string, part: string) => (name === 'prefix' ? text.startsWith(part) : text.endsWith(part));
  return folded ? (text) => meets(fold(text), fold(wanted)) : (text) => meets(text, wanted);
}

/** Of a member that is there and of a kind that can be compared: what isn't there meets nothing. */
function anythingBut(operand: unknown): Test {
  if (isObject(operand)) {
    const [[operator, inner] = ['', undefined], ...more] = Object.entries(operand);
    if (more.length > 0) throw new PatternError('Only one key allowed in match expression');
    if (!['prefix', 'suffix', 'equals-ignore-case', 'wildcard'].includes(operator)) {
      throw new PatternError(`Unsupported anything-but pattern: ${operator}`);
    }
    const list = Array.isArray(inner) ? inner : [inner];
    if (list.length === 0) throw new PatternError('Empty arrays are not allowed');
    const tests = list.map((one) => (operators[operator] as (operand: unknown) => Test)(one));
    return (value) => isThere(value) && !tests.some((test) => test(value));
  }
  const values: unknown[] = Array.isArray(operand) ? operand : [operand];
  if (values.length === 0) throw new PatternError('Empty arrays are not allowed');
  if (!values.every((value) => typeof value === 'string') && !values.every((value) => typeof value === 'number')) {
    throw new PatternError('Inside anything but list, either all values are number or string, mixed type is not supported');
  }
  const refused = new Set<unknown>(values);
  return (value) => isThere(value) && !refused.has(value);
}

const isThere = (value: JsonValue | undefined) => value !== undefined && !isObject(value);

const comparisons: Record<string, (value: number, bound: number) => boolean> = {
  '=': (value, bound) => value === bound,
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
};

/** One comparison, or a lower bound and then an upper one. */
function numeric(operand: unknown): (value: number) => boolean {
  if (!Array.isArray(operand) || operand.length === 0) throw new PatternError('Value of numeric must be an array.');
  if (operand.length !== 2 && operand.length !== 4) throw new PatternError('Too many or too few terms in numeric range expression');
  const terms = operand.length === 2 ? [operand] : [operand.slice(0, 2), operand.slice(2)];
  const read = terms.map(([operator, bound]) => {
    const compare = typeof operator === 'string' && Object.hasOwn(comparisons, operator) ? comparisons[operator] : undefined;
    if (compare === undefined) throw new PatternError(`Unrecognized numeric range operator: ${String(operator).slice(0, 20)}`);
    if (typeof bound !== 'number') throw new PatternError('Numeric value expected in numeric range expression');
    if (Math.abs(bound) > eventsBounds.patternNumber) {
      throw new PatternError(`Value must be between -${eventsBounds.patternNumber} and ${eventsBounds.patternNumber}, inclusive`);
    }
    return { operator: operator as string, bound, compare };
  });
  const [first, second] = read;
  if (first === undefined) throw new PatternError('Value of numeric must be an array.');
  if (second !== undefined) {
    if (!first.operator.startsWith('>') || !second.operator.startsWith('<')) throw new PatternError('Bad numeric range operator');
    if (first.bound >= second.bound) throw new PatternError('Bottom must be less than top');
  }
  return (value) => read.every(({ compare, bound }) => compare(value, bound));
}

function textOf(name: string, operand: unknown): string {
  if (typeof operand === 'string') return operand;
  throw new PatternError(`${name} match pattern must be a string`);
}

/** Letters alone: what upper and lower case are to Unicode, not to a language. */
const fold = (text: string) => text.toLowerCase();

/** A member of that name is a choice when it has two objects or more, none of which is a condition; else it is a member like any other. */
function isOr(value: unknown): value is Record<string, unknown>[] {
  if (!Array.isArray(value) || value.length < 2) return false;
  return value.every(
    (branch) => isObject(branch) && Object.keys(branch).length > 0 && !Object.keys(branch).every((name) => name in operators),
  );
}

function sourcesOf(pattern: Record<string, unknown>): ReadonlySet<string> | null {
  const { source } = pattern;
  if (!Array.isArray(source) || !source.every((one) => typeof one === 'string')) return null;
  return new Set(source);
}

const isScalar = (value: unknown): value is string | number | boolean | null =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

const isObject = (value: unknown): value is Record<string, JsonValue> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const asObject = (value: JsonValue | undefined): Record<string, JsonValue> | undefined => (isObject(value) ? value : undefined);

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
