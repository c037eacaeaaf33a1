/**
 * Filter patterns of CloudWatch Logs ("Filter pattern syntax" in its user guide): terms, quoted terms, `-term`, `?term`, JSON patterns
 * (`{ $.level = "ERROR" && $.ms > 5 }`) and patterns of space-delimited fields (`[ip, user, ..., status = 4*]`). Regular expressions
 * (`%...%`) are refused: they could hold up the whole process.
 */
import { limits } from '#base/limits.ts';
import { invalid } from './checks.ts';
import { compileFieldPattern } from './pattern-fields.ts';
import { compileJsonPattern } from './pattern-json.ts';

/** `needles`: a message that matches has the bytes of at least one of them (absent: any message may match). */
export type Matcher = ((message: string) => boolean) & { needles?: Buffer[] | undefined };

/** Throws Fault('InvalidParameter') for a pattern that can't be read. */
export function compilePattern(pattern: string): Matcher {
  const text = pattern.trim();
  if (text.length > limits.logPatternChars) throw invalid(`The filter pattern has more than ${limits.logPatternChars} characters.`);
  if (text === '') return () => true;
  if (text.startsWith('{')) return compileJsonPattern(text);
  if (text.startsWith('[')) return compileFieldPattern(text);
  if (/^[-?]?%/.test(text)) throw invalid('Filter patterns with regular expressions (%...%) are not supported yet.');
  return compileTerms(text);
}

function compileTerms(text: string): Matcher {
  const wanted: string[] = [];
  const unwanted: string[] = [];
  const oneOf: string[] = [];
  for (const [whole, sign = '', quoted, bare = ''] of text.matchAll(/([-?]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))\s*/g)) {
    const term = quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1');
    if (quoted === undefined && bare.startsWith('"')) throw invalid(`Invalid filter pattern: a quote is not closed in '${whole}'`);
    if (term === '') continue;
    (sign === '-' ? unwanted : sign === '?' ? oneOf : wanted).push(term);
  }
  // Beside other terms, AWS ignores those with a question mark.
  const any = wanted.length + unwanted.length > 0 ? [] : oneOf;
  const matches = (message: string) =>
    wanted.every((term) => message.includes(term)) &&
    !unwanted.some((term) => message.includes(term)) &&
    (any.length === 0 || any.some((term) => message.includes(term)));
  const longest = wanted.reduce<string[]>((best, term) => (term.length > (best[0]?.length ?? 0) ? [term] : best), []);
  return Object.assign(matches, { needles: needlesOf(longest.length > 0 ? longest : any) });
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
