/** JSON patterns: `{ ($.a.b[0] = "x*" || $.n >= 5) && $.gone NOT EXISTS }`. */
import { limits } from '#base/limits.ts';
import { invalid } from './checks.ts';
import { matchesWildcard, type Matcher, type ReadValue } from './pattern.ts';
import {
  compareNumbers,
  compileRegex,
  cursorOver,
  readComparison,
  tokenize,
  type Comparison,
  type Cursor,
  type Token,
} from './pattern-lexer.ts';

type Test = (value: unknown) => boolean;

export function compileJsonPattern(text: string): Matcher {
  const cursor = cursorOver(tokenize(text));
  cursor.expect('{');
  const test = readOr(cursor, 0);
  cursor.expect('}');
  if (!cursor.done()) throw invalid('Invalid filter pattern: there is something after its closing brace');
  const matches = (message: string) => {
    const value = parsed(message);
    return value !== undefined && test(value);
  };
  return Object.assign(matches, {
    read: compileSelector,
    selectors: [...new Set(text.match(/\$(?:\.(?:[\w@#-]+|\*)|\[[^\]]*\])+/g) ?? [])],
  });
}

/** Undefined where it is no JSON. */
function parsed(message: string): unknown {
  if (!/^\s*[{[]/.test(message)) return undefined;
  try {
    return JSON.parse(message) as unknown;
  } catch {
    return undefined;
  }
}

/** The first that the selector names, as text; what has parts of its own as JSON. */
function compileSelector(text: string): ReadValue {
  const [token, ...more] = tokenize(text);
  if (token === undefined || more.length > 0) throw invalid(`Invalid filter pattern: '${text}' is no selector such as $.name`);
  const select = selector(token);
  return (message) => {
    const [found] = select(parsed(message));
    if (found === undefined || found === null) return undefined;
    return typeof found === 'object' ? JSON.stringify(found) : String(found);
  };
}

function readOr(cursor: Cursor, depth: number): Test {
  if (depth > limits.logPatternDepth) throw invalid('Invalid filter pattern: its parentheses nest too deep');
  const parts = [readAnd(cursor, depth)];
  while (cursor.accept('||')) parts.push(readAnd(cursor, depth));
  return (value) => parts.some((part) => part(value));
}

function readAnd(cursor: Cursor, depth: number): Test {
  const parts = [readOne(cursor, depth)];
  while (cursor.accept('&&')) parts.push(readOne(cursor, depth));
  return (value) => parts.every((part) => part(value));
}

function readOne(cursor: Cursor, depth: number): Test {
  if (cursor.accept('(')) {
    const inner = readOr(cursor, depth + 1);
    cursor.expect(')');
    return inner;
  }
  const select = selector(cursor.next());
  if (cursor.accept('IS')) return readIs(cursor, select);
  if (cursor.accept('NOT')) {
    cursor.expect('EXISTS');
    return (value) => select(value).length === 0;
  }
  if (cursor.accept('EXISTS')) return (value) => select(value).length > 0;
  const comparison = readComparison(cursor);
  const wanted = literal(cursor.next());
  return (value) => select(value).some((found) => compare(found, comparison, wanted));
}

function readIs(cursor: Cursor, select: (value: unknown) => unknown[]): Test {
  const word = cursor.next().text.toUpperCase();
  const values = new Map<string, unknown>([
    ['TRUE', true],
    ['FALSE', false],
    ['NULL', null],
  ]);
  if (!values.has(word)) throw invalid(`Invalid filter pattern: IS takes TRUE, FALSE or NULL, not '${word}'`);
  return (value) => select(value).some((found) => found === values.get(word));
}

/** `$.a['b'].c[0]`; `[*]` and `.*` are every one. */
function selector(token: Token): (value: unknown) => unknown[] {
  if (token.kind !== 'word' || !token.text.startsWith('$')) throw invalid(`Invalid filter pattern: '${token.text}' where a selector such as $.name belongs`); // prettier-ignore
  const steps = [...token.text.matchAll(/\.([\w@#-]+|\*)|\[(?:'([^']*)'|"([^"]*)"|(\d+|\*))\]/g)].map((step) => step[1] ?? step[2] ?? step[3] ?? step[4] ?? ''); // prettier-ignore
  if (steps.length === 0) throw invalid(`Invalid filter pattern: the selector '${token.text}' names nothing`);
  return (value) =>
    steps.reduce<unknown[]>(
      (found, step) =>
        found.flatMap((one) => {
          if (typeof one !== 'object' || one === null) return [];
          if (step === '*') return Object.values(one);
          return Object.hasOwn(one, step) ? [(one as Record<string, unknown>)[step]] : [];
        }),
      [value],
    );
}

type Literal = { test: (found: string) => boolean; number: number | undefined };

function literal({ kind, text }: Token): Literal {
  if (kind === 'symbol') throw invalid(`Invalid filter pattern: '${text}' where a value belongs`);
  const isNumber = kind === 'word' && /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text);
  const test = kind === 'regex' ? compileRegex(text) : (found: string) => matchesWildcard(text, found);
  return { test, number: isNumber ? Number(text) : undefined };
}

function compare(found: unknown, comparison: Comparison, { test, number }: Literal): boolean {
  if (number !== undefined) {
    const value = typeof found === 'string' && found.trim() !== '' ? Number(found) : found;
    return typeof value === 'number' && compareNumbers(value, comparison, number);
  }
  if (typeof found === 'object') return false;
  const same = test(String(found));
  if (comparison === '=') return same;
  return comparison === '!=' && !same;
}
