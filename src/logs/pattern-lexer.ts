/** The words of JSON and field patterns. */
import { RE2JS } from 're2js';
import { asFault } from '#base/fault.ts';
import { invalid } from './checks.ts';

export type Token = { kind: 'symbol' | 'word' | 'string' | 'regex'; text: string };

const TOKEN =
  /\s*(?:(&&|\|\||!=|<=|>=|[=<>(){},[\]])|"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)+)%|(\$(?:\.(?:[\w@#-]+|\*)|\[(?:\d+|\*|'[^']*'|"[^"]*")\])+)|([^\s"=<>!(){},[\]&|]+))\s*/y;

/** Throws Fault('InvalidParameter') at what is no token. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw invalid(`Invalid character(s) in term '${text.slice(at, at + 20)}' of the filter pattern`);
    const [, symbol, quoted, regex, selector, word] = match;
    if (symbol !== undefined) tokens.push({ kind: 'symbol', text: symbol });
    else if (quoted !== undefined) tokens.push({ kind: 'string', text: quoted.replace(/\\(.)/g, '$1') });
    else if (regex !== undefined) tokens.push({ kind: 'regex', text: regex });
    else tokens.push({ kind: 'word', text: selector ?? word ?? '' });
  }
  return tokens;
}

export type Cursor = {
  peek(): Token | undefined;
  next(): Token;
  /** Takes the next token when it is this symbol or word. */
  accept(text: string): boolean;
  expect(text: string): void;
  done(): boolean;
};

export function cursorOver(tokens: Token[]): Cursor {
  let at = 0;
  const is = (text: string) => ['symbol', 'word'].includes(tokens[at]?.kind ?? '') && tokens[at]?.text.toUpperCase() === text.toUpperCase();
  const cursor: Cursor = {
    peek: () => tokens[at],
    next() {
      const token = tokens[at++];
      if (token === undefined) throw invalid('Invalid filter pattern: it ends too early');
      return token;
    },
    accept(text) {
      const hit = is(text);
      if (hit) at++;
      return hit;
    },
    expect(text) {
      if (!cursor.accept(text)) throw invalid(`Invalid filter pattern: '${text}' expected, not '${tokens[at]?.text ?? 'its end'}'`);
    },
    done: () => at >= tokens.length,
  };
  return cursor;
}

/** What stands between percent signs: RE2 takes linear time, and more than the few signs that AWS takes. Throws Fault('InvalidParameter'). */
export function compileRegex(text: string): (value: string) => boolean {
  try {
    const regex = RE2JS.compile(text);
    return (value) => regex.matcher(value).find();
  } catch (error) {
    throw invalid(`Invalid filter pattern: the regular expression '${text}' can't be read: ${asFault(error).message}`);
  }
}

export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=';

export function readComparison(cursor: Cursor): Comparison {
  const { text } = cursor.next();
  if (!['=', '!=', '<', '<=', '>', '>='].includes(text)) throw invalid(`Invalid filter pattern: '${text}' where a comparison belongs`);
  return text as Comparison;
}

export function compareNumbers(a: number, comparison: Comparison, b: number): boolean {
  switch (comparison) {
    case '=':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
  }
}
