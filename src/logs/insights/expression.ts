/**
 * Expressions of Logs Insights queries, by how they bind: or, and, not, comparisons (= != < > like in =~), + -, * / %, ^, signs, calls. In `stats` a call may
 * aggregate; its value is then found in the row under a name of its own.
 */
import { RE2JS } from 're2js';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { aggregates, type Accumulator, type Spend } from './aggregates.ts';
import { functions } from './functions.ts';
import { malformed, type Lexer } from './lexer.ts';
import type { Row } from './row.ts';
import { compareValues, isTrue, toNumber, toText, type Value } from './values.ts';

export type Expression = (row: Row) => Value;

/** An aggregate call of a `stats`: where its result is put, what it is shown. */
export type AggregateCall = { name: string; make: (spend: Spend) => Accumulator; of: Expression };

/** `calls`: gathers aggregate calls; absent where none may be. */
export type Scope = { lexer: Lexer; calls?: AggregateCall[]; depth: number };

export function readExpression(scope: Scope): Expression {
  if (scope.depth > limits.logPatternDepth) throw malformed('it nests too deep', scope.lexer.peek().at);
  const inner = { ...scope, depth: scope.depth + 1 };
  return readAny(inner, ['or'], (one) => readAny(one, ['and'], readNot, (a, b) => (row) => isTrue(a(row)) && isTrue(b(row))), (a, b) => (row) => isTrue(a(row)) || isTrue(b(row))); // prettier-ignore
}

/** Operators of one rank, from left to right. */
function readAny(
  scope: Scope,
  operators: string[],
  next: (scope: Scope) => Expression,
  join: (a: Expression, b: Expression, operator: string) => Expression,
): Expression {
  let left = next(scope);
  while (isWord(scope.lexer, ...operators)) {
    const operator = scope.lexer.next().text.toLowerCase();
    left = join(left, next(scope), operator);
  }
  return left;
}

function readNot(scope: Scope): Expression {
  if (scope.depth > limits.logPatternDepth) throw malformed('it nests too deep', scope.lexer.peek().at);
  if (!isWord(scope.lexer, 'not')) return readComparison(scope);
  scope.lexer.next();
  const of = readNot({ ...scope, depth: scope.depth + 1 });
  return (row) => !isTrue(of(row));
}

const comparisons: Record<string, (order: number) => boolean> = {
  '=': (order) => order === 0,
  '==': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

function readComparison(scope: Scope): Expression {
  const { lexer } = scope;
  const left = readSum(scope);
  const word = lexer.peek();
  const compare = word.kind === 'symbol' && Object.hasOwn(comparisons, word.text) ? comparisons[word.text] : undefined;
  if (compare !== undefined) {
    lexer.next();
    const right = readSum(scope);
    return (row) => {
      const [a, b] = [left(row), right(row)];
      return a !== undefined && b !== undefined && compare(compareValues(a, b));
    };
  }
  const isNegated = isWord(lexer, 'not');
  if (isNegated) lexer.next();
  const test = readMembership(scope);
  if (test === undefined) {
    if (isNegated) throw malformed("'like' or 'in' expected behind 'not'", lexer.peek().at);
    return left;
  }
  return (row) => test(left(row)) !== isNegated;
}

function readMembership({ lexer, ...scope }: Scope): ((value: Value) => boolean) | undefined {
  if (isWord(lexer, 'like', '=~')) {
    lexer.next();
    return readPattern(lexer);
  }
  if (!isWord(lexer, 'in')) return undefined;
  lexer.next();
  take(lexer, '[');
  const items = [readSum({ lexer, ...scope })];
  while (accept(lexer, ',')) items.push(readSum({ lexer, ...scope }));
  take(lexer, ']');
  const nothing = { get: () => undefined, set: () => {}, size: () => 0 };
  const values = items.map((item) => item(nothing));
  return (value) => value !== undefined && values.some((one) => one !== undefined && compareValues(value, one) === 0);
}

/** A text that is looked for, or an expression between slashes. */
function readPattern(lexer: Lexer): (value: Value) => boolean {
  const regex = lexer.regex();
  if (regex !== undefined) {
    const pattern = compileRegex(regex, lexer.peek().at);
    return (value) => value !== undefined && pattern.matcher(toText(value)).find();
  }
  const word = lexer.next();
  if (word.kind !== 'string') throw malformed(`a text or a /regular expression/ expected, not '${word.text}'`, word.at);
  return (value) => value !== undefined && toText(value).includes(word.text);
}

export function compileRegex(text: string, at: number): RE2JS {
  try {
    // RE2 takes linear time; its names of groups had a P in them.
    return RE2JS.compile(text.replace(/\(\?<(?=[A-Za-z_])/g, '(?P<').replace(/\\\//g, '/'));
  } catch (error) {
    throw malformed(`the regular expression can't be read: ${asFault(error).message}`, at);
  }
}

const arithmetic: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': (a, b) => a ** b,
};

function calculated(a: Expression, b: Expression, operator: string): Expression {
  const calculate = arithmetic[operator] ?? (() => NaN);
  return (row) => {
    const [x, y] = [toNumber(a(row)), toNumber(b(row))];
    const result = x === undefined || y === undefined ? NaN : calculate(x, y);
    return Number.isFinite(result) ? result : undefined;
  };
}

const readSum = (scope: Scope): Expression => readAny(scope, ['+', '-'], readProduct, calculated);
const readProduct = (scope: Scope): Expression => readAny(scope, ['*', '/', '%'], readPower, calculated);
const readPower = (scope: Scope): Expression => readAny(scope, ['^'], readSigned, calculated);

function readSigned(scope: Scope): Expression {
  if (scope.depth > limits.logPatternDepth) throw malformed('it nests too deep', scope.lexer.peek().at);
  if (!accept(scope.lexer, '-')) return readOne(scope);
  return calculated(() => 0, readSigned({ ...scope, depth: scope.depth + 1 }), '-');
}

function readOne(scope: Scope): Expression {
  const { lexer } = scope;
  const word = lexer.next();
  if (word.text === '(' && word.kind === 'symbol') {
    const inner = readExpression(scope);
    take(lexer, ')');
    return inner;
  }
  if (word.kind === 'string') return () => word.text;
  if (word.kind === 'number') return () => Number(word.text);
  if (word.kind === 'duration') return () => durationMs(word.text);
  if (word.kind !== 'name') throw malformed(`'${word.text || 'the end'}' where a field or a value belongs`, word.at);
  if (lexer.peek().text === '(' && lexer.peek().kind === 'symbol') return readCall(scope, word.text.toLowerCase(), word.at);
  if (/^(true|false)$/i.test(word.text)) return () => (word.text.toLowerCase() === 'true' ? 1 : 0);
  return (row) => row.get(word.text);
}

function readCall(scope: Scope, name: string, at: number): Expression {
  const { lexer } = scope;
  take(lexer, '(');
  const make = aggregates.get(name);
  if (make !== undefined && scope.calls !== undefined) return readAggregate(scope, make);
  const parameters: Expression[] = [];
  if (!accept(lexer, ')')) {
    do parameters.push(readExpression(scope));
    while (accept(lexer, ','));
    take(lexer, ')');
  }
  if (name === 'bin' && parameters.length === 1) {
    const floor = functions.get('datefloor')?.run ?? (() => undefined);
    return (row) => floor(row.get('@timestamp'), parameters[0]?.(row));
  }
  if (name === 'now' && parameters.length === 0) return (row) => row.get('@now');
  const found = functions.get(name);
  if (found === undefined) throw malformed(make === undefined ? `berth has no function '${name}'` : `${name}() stands in stats only`, at);
  if (parameters.length < found.least || parameters.length > found.most)
    throw malformed(`${name}() takes ${found.least === found.most ? found.least : `${found.least} to ${found.most}`} values`, at);
  return (row) => found.run(...parameters.map((one) => one(row)));
}

function readAggregate({ lexer, calls = [], depth }: Scope, make: (p: number | undefined, spend: Spend) => Accumulator): Expression {
  let of: Expression = () => 1;
  let parameter: number | undefined;
  if (!accept(lexer, '*')) {
    if (lexer.peek().text !== ')') of = readExpression({ lexer, depth });
    if (accept(lexer, ',')) parameter = Number(lexer.next().text);
  }
  take(lexer, ')');
  const call = { name: `stats ${calls.length}`, make: (spend: Spend) => make(parameter, spend), of };
  calls.push(call);
  return (row) => row.get(call.name);
}

const UNITS: [RegExp, number][] = [
  [/^(ms|mil|mse)/, 1],
  [/^s/, 1000],
  [/^m/, 60_000],
  [/^h/, 3600_000],
  [/^d/, 86_400_000],
  [/^w/, 7 * 86_400_000],
];

function durationMs(text: string): number {
  const unit = text.replace(/^\d+/, '');
  return Number.parseInt(text, 10) * (UNITS.find(([pattern]) => pattern.test(unit))?.[1] ?? 1);
}

/** Whether one of these words or signs comes next. */
export function isWord(lexer: Lexer, ...words: string[]): boolean {
  const { kind, text } = lexer.peek();
  return kind !== 'string' && words.includes(text.toLowerCase());
}

export function accept(lexer: Lexer, symbol: string): boolean {
  if (lexer.peek().kind !== 'symbol' || lexer.peek().text !== symbol) return false;
  lexer.next();
  return true;
}

export function take(lexer: Lexer, symbol: string): void {
  const word = lexer.next();
  if (word.kind !== 'symbol' || word.text !== symbol) throw malformed(`'${symbol}' expected, not '${word.text || 'the end'}'`, word.at);
}
