/**
 * The second, slow and obvious reading of patterns, which the first is tested against: the pattern is written out as a choice of flat lists of conditions, the
 * event as all the ways to take one item of each of its arrays, and every one of the first is tried on every one of the second. Takes patterns that were checked.
 */
import type { JsonValue } from './types.ts';

type Condition = { path: string[]; anyOf: JsonValue[] };
type Plain = { [key: string]: JsonValue };

export function matchesPlainly(pattern: Plain, event: JsonValue): boolean {
  const lists = choicesOf(pattern, []);
  return picksOf(event).some((flat) => lists.some((conditions) => conditions.every((condition) => isMet(condition, flat))));
}

function choicesOf(pattern: Plain, path: string[]): Condition[][] {
  let lists: Condition[][] = [[]];
  for (const [name, value] of Object.entries(pattern)) {
    const isChoice = name === '$or' && Array.isArray(value) && value.length > 1 && value.every(isPlain);
    const mine = isChoice
      ? (value as Plain[]).flatMap((branch) => choicesOf(branch, path))
      : isPlain(value)
        ? choicesOf(value, [...path, name])
        : [[{ path: [...path, name], anyOf: value as JsonValue[] }]];
    lists = lists.flatMap((list) => mine.map((more) => [...list, ...more]));
  }
  return lists;
}

/** The value without arrays, in each way that there is; undefined where an empty array was taken. */
function picksOf(value: JsonValue): (JsonValue | undefined)[] {
  if (Array.isArray(value)) return value.length === 0 ? [undefined] : value.flatMap(picksOf);
  if (!isPlain(value)) return [value];
  let picks: [string, JsonValue | undefined][][] = [[]];
  for (const [name, member] of Object.entries(value)) {
    picks = picks.flatMap((pick) => picksOf(member).map((one): [string, JsonValue | undefined][] => [...pick, [name, one]]));
  }
  return picks.map((pick) => Object.fromEntries(pick.filter(([, one]) => one !== undefined)) as Plain);
}

function isMet({ path, anyOf }: Condition, event: JsonValue | undefined): boolean {
  let value = event;
  for (const name of path) value = isPlain(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return anyOf.some((one) => meets(value, one));
}

function meets(value: JsonValue | undefined, condition: JsonValue): boolean {
  if (!isPlain(condition)) return value === condition;
  const [[operator = '', operand = null] = []] = Object.entries(condition);
  const text = typeof value === 'string' ? value : null;
  switch (operator) {
    case 'exists':
      return operand === (value !== undefined && !isPlain(value));
    case 'prefix':
    case 'suffix': {
      if (text === null) return false;
      const same = isPlain(operand) ? (a: string, b: string) => a.toLowerCase() === b.toLowerCase() : (a: string, b: string) => a === b;
      const part = String(isPlain(operand) ? operand['equals-ignore-case'] : operand);
      if (part.length > text.length) return false;
      return same(operator === 'prefix' ? text.slice(0, part.length) : text.slice(text.length - part.length), part);
    }
    case 'equals-ignore-case':
      return text !== null && text.toLowerCase() === String(operand).toLowerCase();
    case 'wildcard':
      return text !== null && wild(String(operand), text);
    case 'numeric': {
      const [op, bound, op2, bound2] = operand as [string, number, string?, number?];
      return typeof value === 'number' && compare(value, op, bound) && (op2 === undefined || compare(value, op2, bound2 ?? 0));
    }
    case 'anything-but': {
      if (value === undefined || isPlain(value)) return false;
      if (!isPlain(operand)) return !(Array.isArray(operand) ? operand : [operand]).includes(value);
      const [[inner = '', list = null] = []] = Object.entries(operand);
      return !(Array.isArray(list) ? list : [list]).some((one) => meets(value, { [inner]: one }));
    }
    default:
      throw new Error(`no condition ${operator}`);
  }
}

/** By trying every length for every star. */
function wild(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern[0] === '*')
    return Array.from({ length: text.length + 1 }, (_, n) => text.slice(n)).some((rest) => wild(pattern.slice(1), rest));
  const escaped = pattern[0] === '\\';
  return text[0] === pattern[escaped ? 1 : 0] && wild(pattern.slice(escaped ? 2 : 1), text.slice(1));
}

function compare(value: number, operator: string, bound: number): boolean {
  if (operator === '=') return value === bound;
  if (operator.startsWith('<')) return value < bound || (operator === '<=' && value === bound);
  return value > bound || (operator === '>=' && value === bound);
}

function isPlain(value: JsonValue | undefined): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
