/**
 * Patterns of policies: `*` and `?`, and variables `${aws:username}`. A variable's value is never itself a pattern, so that nobody's name or tag
 * widens what a policy allows. Matching takes time in the product of both lengths at most, whatever is written.
 */
import type { ArnParts, Facts } from './types.ts';

/** Stand for wildcards in a pattern that is ready; never part of a value (`expand`). */
const ANY = '\u0000';
const ONE = '\u0001';

/** Undefined when a variable has no value: then the statement doesn't match. */
export type Pattern = (facts: Facts) => string | undefined;

type Piece = string | { key: string; fallback: string | undefined };

/** `variables`: false in policies of version 2008-10-17, which have none. `wildcards`: false where `*` means itself (StringEquals). */
export function compilePattern(text: string, options: { variables: boolean; wildcards: boolean }): Pattern {
  const pieces = piecesOf(text, options);
  if (pieces.every((piece) => typeof piece === 'string')) {
    const fixed = pieces.join('');
    return () => fixed;
  }
  return (facts) => expand(pieces, facts);
}

function piecesOf(text: string, { variables, wildcards }: { variables: boolean; wildcards: boolean }): Piece[] {
  const literal = (part: string) => (wildcards ? part.replaceAll('*', ANY).replaceAll('?', ONE) : part);
  if (!variables) return [literal(text)];
  const pieces: Piece[] = [];
  let at = 0;
  for (const found of text.matchAll(/\$\{([^{}]*)\}/g)) {
    pieces.push(literal(text.slice(at, found.index)), pieceOf(found[1] ?? ''));
    at = found.index + found[0].length;
  }
  pieces.push(literal(text.slice(at)));
  return pieces.filter((piece) => piece !== '');
}

/** `${*}`, `${?}` and `${$}` are the characters themselves; `${key, 'value'}` has a default. */
function pieceOf(inner: string): Piece {
  if (inner === '*' || inner === '?' || inner === '$') return inner;
  const [, key = inner, fallback] = /^([^,]+),\s*'([^']*)'\s*$/.exec(inner) ?? [];
  return { key: key.trim().toLowerCase(), fallback };
}

/** The keys of a text's variables, in lower case. */
export function variablesOf(text: string): string[] {
  return piecesOf(text, { variables: true, wildcards: true }).flatMap((piece) => (typeof piece === 'string' ? [] : [piece.key]));
}

function expand(pieces: readonly Piece[], facts: Facts): string | undefined {
  let text = '';
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      text += piece;
      continue;
    }
    const value = facts.get(piece.key) ?? piece.fallback;
    // Keys with several values can't be variables (user guide, "IAM policy elements: Variables and tags").
    if (typeof value !== 'string' || value.includes(ANY) || value.includes(ONE)) return undefined;
    text += value;
  }
  return text;
}

/** Whether a ready pattern covers the text: greedy, with one place to come back to. */
export function matches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let from = 0;
  while (t < text.length) {
    const c = pattern[p];
    if (c === ANY) {
      star = p++;
      from = t;
    } else if (c === ONE || (c !== undefined && c === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  while (pattern[p] === ANY) p++;
  return p === pattern.length;
}

const isFixed = (pattern: string) => !pattern.includes(ANY) && !pattern.includes(ONE);

/** A test of actions, which know no variables and no case. */
export function compileAction(text: string): (action: string) => boolean {
  const test = compilePart(text.toLowerCase(), false);
  return (action) => test(action, NO_FACTS);
}

const NO_FACTS: Facts = new Map();

/** An ARN cut at its first five colons. */
export function arnParts(arn: string): ArnParts {
  if (!arn.startsWith('arn:')) return [arn];
  const parts: string[] = [];
  let from = 0;
  while (parts.length < 5) {
    const colon = arn.indexOf(':', from);
    if (colon < 0) break;
    parts.push(arn.slice(from, colon));
    from = colon + 1;
  }
  parts.push(arn.slice(from));
  return parts;
}

/**
 * A test of ARNs: each of the six parts by itself, so that a wildcard never reaches over a colon of another part. Parts that are missing at the
 * end are wildcards (user guide, "IAM JSON policy elements: Resource").
 */
export function compileArn(text: string, variables: boolean): (arn: ArnParts, facts: Facts) => boolean {
  if (text === '*') return () => true;
  const tests = partsOutsideVariables(text).map((part) => compilePart(part, variables));
  const last = tests.length - 1;
  return (arn, facts) => {
    if (arn.length !== 6) return false;
    // What differs most stands last.
    for (let i = last; i >= 0; i--) if (tests[i]?.(arn[i] ?? '', facts) === false) return false;
    return true;
  };
}

/** A test of a text that stands by itself: one part of an ARN, an action. */
function compilePart(text: string, variables: boolean): (part: string, facts: Facts) => boolean {
  const pieces = piecesOf(text, { variables, wildcards: true });
  const [first = ''] = pieces;
  // Most parts differ from most patterns before the first wildcard or variable.
  const head = typeof first === 'string' ? literalHead(first) : '';
  if (pieces.some((piece) => typeof piece !== 'string')) {
    return (part, facts) => {
      if (!part.startsWith(head)) return false;
      const pattern = expand(pieces, facts);
      return pattern !== undefined && matches(pattern, part);
    };
  }
  const pattern = pieces.join('');
  if (isFixed(pattern)) return (part) => part === pattern;
  if (pattern === `${head}${ANY}`) return (part) => part.startsWith(head);
  return (part) => part.startsWith(head) && matches(pattern, part);
}

/** What stands before the first wildcard. */
function literalHead(pattern: string): string {
  const wildcards = [pattern.indexOf(ANY), pattern.indexOf(ONE)].filter((at) => at >= 0);
  return pattern.slice(0, Math.min(pattern.length, ...wildcards));
}

/** Cut at five colons at most, not at those of `${aws:username}`. */
function partsOutsideVariables(text: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let inside = false;
  for (let i = 0; i < text.length && parts.length < 5; i++) {
    if (text.startsWith('${', i)) inside = true;
    else if (text[i] === '}') inside = false;
    else if (text[i] === ':' && !inside) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}
