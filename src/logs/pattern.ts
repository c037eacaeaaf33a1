/**
 * Filter patterns of CloudWatch Logs ("Filter pattern syntax" in its user guide): terms, quoted terms, `-term`, `?term`, JSON patterns
 * (`{ $.level = "ERROR" && $.ms > 5 }`) and patterns of space-delimited fields (`[ip, user, ..., status = 4*]`); in each of them
 * regular expressions (`%...%`).
 */
import { limits } from '#base/limits.ts';
import { invalid } from './checks.ts';
import { compileFieldPattern } from './pattern-fields.ts';
import { compileJsonPattern } from './pattern-json.ts';
import { compileRegex } from './pattern-lexer.ts';

/** The text of what a selector names in a message (`$.latency`, `$bytes`); undefined where it has none. */
export type ReadValue = (message: string) => string | undefined;

export type Matcher = ((message: string) => boolean) & {
  /** A message that matches has the bytes of at least one of them (absent: any message may match). */
  needles?: Buffer[] | undefined;
  /** Of patterns of JSON and of fields. Throws Fault('InvalidParameter') for what is no selector of such a pattern. */
  read?: (selector: string) => ReadValue;
  /** What of a message TestMetricFilter tells: the pattern's own selectors. */
  selectors?: string[];
};

/** Throws Fault('InvalidParameter') for a pattern that can't be read. */
export function compilePattern(pattern: string): Matcher {
  const text = pattern.trim();
  if (text.length > limits.logPatternChars) throw invalid(`The filter pattern has more than ${limits.logPatternChars} characters.`);
  if (text === '') return () => true;
  if (text.startsWith('{')) return compileJsonPattern(text);
  if (text.startsWith('[')) return compileFieldPattern(text);
  return compileTerms(text);
}

/** Of each message what the pattern's own selectors name in it, where it matches; undefined where not. Throws as compilePattern does. */
export function testPattern(pattern: string, messages: string[]): (Record<string, string> | undefined)[] {
  const match = compilePattern(pattern);
  const readers = (match.selectors ?? []).map((selector) => [selector, match.read?.(selector)] as const);
  const valuesIn = (message: string) =>
    readers.flatMap(([selector, read]): [string, string][] => {
      const value = read?.(message);
      return value === undefined ? [] : [[selector, value]];
    });
  return messages.map((message) => (match(message) ? Object.fromEntries(valuesIn(message)) : undefined));
}

const TERM = /([-?]?)(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)+)%|(\S+))\s*/g;
/** `text`: what is looked for, null for a regular expression. */
type Term = { test: (message: string) => boolean; text: string | null };

function compileTerms(text: string): Matcher {
  const wanted: Term[] = [];
  const unwanted: Term[] = [];
  const oneOf: Term[] = [];
  for (const [whole, sign = '', quoted, regex, bare = ''] of text.matchAll(TERM)) {
    const term = quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1');
    if (quoted === undefined && bare.startsWith('"')) throw invalid(`Invalid filter pattern: a quote is not closed in '${whole}'`);
    if (term === '' && regex === undefined) continue;
    const made =
      regex === undefined ? { test: (message: string) => message.includes(term), text: term } : { test: compileRegex(regex), text: null };
    (sign === '-' ? unwanted : sign === '?' ? oneOf : wanted).push(made);
  }
  // Beside other terms, AWS ignores those with a question mark.
  const any = wanted.length + unwanted.length > 0 ? [] : oneOf;
  const matches = (message: string) =>
    wanted.every(({ test }) => test(message)) &&
    !unwanted.some(({ test }) => test(message)) &&
    (any.length === 0 || any.some(({ test }) => test(message)));
  const longest = wanted.reduce<string[]>((best, { text: one }) => ((one?.length ?? 0) > (best[0]?.length ?? 0) ? [one ?? ''] : best), []);
  const others = any.every((term) => term.text !== null) ? any.map((term) => term.text ?? '') : [];
  return Object.assign(matches, { needles: needlesOf(longest.length > 0 ? longest : others) });
}

/** A character that stands for bytes which are no UTF-8 has none of its own to look for. */
function needlesOf(terms: string[]): Buffer[] | undefined {
  return terms.length === 0 || terms.some((term) => !term.isWellFormed() || term.includes('\uFFFD'))
    ? undefined
    : terms.map((term) => Buffer.from(term));
}

/** `*` stands for any text; compared without backtracking over more than one star at a time. */
export function matchesWildcard(pattern: string, text: string): boolean {
  const parts = pattern.split('*');
  const [first = '', ...rest] = parts;
  if (rest.length === 0) return pattern === text;
  const last = rest.pop() ?? '';
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
