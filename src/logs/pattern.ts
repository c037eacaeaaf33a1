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

/** `needles`: a message that matches has the bytes of at least one of them (absent: any message may match). */
export type Matcher = ((message: string) => boolean) & { needles?: Buffer[] | undefined };

/** Throws Fault('InvalidParameter') for a pattern that can't be read. */
export function compilePattern(pattern: string): Matcher {
  const text = pattern.trim();
  if (text.length > limits.logPatternChars) throw invalid(`The filter pattern has more than ${limits.logPatternChars} characters.`);
  if (text === '') return () => true;
  if (text.startsWith('{')) return compileJsonPattern(text);
  if (text.startsWith('[')) return compileFieldPattern(text);
  return compileTerms(text);
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
