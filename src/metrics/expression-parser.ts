/** Metric math -> a tree. Source: CloudWatch user guide, "Metric math syntax and functions". */
import { Fault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';

export type Tree =
  | { kind: 'number'; value: number }
  | { kind: 'text'; value: string }
  | { kind: 'name'; name: string }
  | { kind: 'list'; items: Tree[] }
  | { kind: 'call'; name: string; args: Tree[] }
  | { kind: 'minus'; of: Tree }
  | { kind: 'operation'; operator: Operator; left: Tree; right: Tree };

/** By how tightly they bind, the loosest first. */
const LEVELS = [['||', 'OR'], ['&&', 'AND'], ['==', '!=', '<=', '>=', '<', '>'], ['+', '-'], ['*', '/'], ['^']] as const;
export type Operator = (typeof LEVELS)[number][number];

const TOKEN = /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_][A-Za-z0-9_]*)|("[^"]*"|'[^']*')|(==|!=|<=|>=|&&|\|\||[-+*/^<>()[\],]))/y;
const DEPTH = 50;

type Token = { kind: 'number' | 'word' | 'text' | 'sign'; text: string };

/** Throws Fault InvalidParameter that says where the expression stops making sense. */
export function parseExpression(text: string): Tree {
  const parser = { text, tokens: tokensOf(text), at: 0 };
  const tree = binary(parser, 0, 0);
  if (parser.at < parser.tokens.length) throw unexpected(parser);
  return tree;
}

type Parser = { text: string; tokens: Token[]; at: number };

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ''; at = TOKEN.lastIndex) {
    const [whole, number, word, quoted, sign] = TOKEN.exec(text) ?? [];
    if (whole === undefined) throw invalid(text, `'${text.slice(at).trim().slice(0, 20)}' is not part of metric math`);
    if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted.slice(1, -1) });
    else tokens.push({ kind: 'sign', text: sign ?? '' });
  }
  return tokens;
}

function binary(parser: Parser, level: number, depth: number): Tree {
  const operators: readonly string[] | undefined = LEVELS[level];
  if (operators === undefined) return unary(parser, depth);
  if (depth > DEPTH) throw invalid(parser.text, `it is nested more than ${DEPTH} deep`);
  let left = binary(parser, level + 1, depth);
  for (;;) {
    const token = parser.tokens[parser.at];
    const isOperator = token !== undefined && (token.kind === 'sign' || token.kind === 'word') && operators.includes(token.text);
    if (!isOperator) return left;
    parser.at++;
    // A power of a power is the power of the right one first.
    const right = token.text === '^' ? binary(parser, level, depth + 1) : binary(parser, level + 1, depth);
    left = { kind: 'operation', operator: token.text as Operator, left, right };
  }
}

function unary(parser: Parser, depth: number): Tree {
  if (!takeSign(parser, '-')) return primary(parser, depth);
  if (depth > DEPTH) throw invalid(parser.text, `it is nested more than ${DEPTH} deep`);
  return { kind: 'minus', of: unary(parser, depth + 1) };
}

function primary(parser: Parser, depth: number): Tree {
  if (takeSign(parser, '(')) {
    const inner = binary(parser, 0, depth + 1);
    if (!takeSign(parser, ')')) throw unexpected(parser);
    return inner;
  }
  if (takeSign(parser, '[')) return { kind: 'list', items: items(parser, ']', depth) };
  const token = parser.tokens[parser.at];
  if (token === undefined || token.kind === 'sign') throw unexpected(parser);
  parser.at++;
  if (token.kind === 'number') return { kind: 'number', value: Number(token.text) };
  if (token.kind === 'text') return { kind: 'text', value: token.text };
  return takeSign(parser, '(')
    ? { kind: 'call', name: token.text.toUpperCase(), args: items(parser, ')', depth) }
    : { kind: 'name', name: token.text };
}

function items(parser: Parser, end: string, depth: number): Tree[] {
  const found: Tree[] = [];
  if (takeSign(parser, end)) return found;
  for (;;) {
    found.push(binary(parser, 0, depth + 1));
    if (takeSign(parser, end)) return found;
    if (!takeSign(parser, ',')) throw unexpected(parser);
  }
}

function takeSign(parser: Parser, sign: string): boolean {
  const token = parser.tokens[parser.at];
  if (token?.kind !== 'sign' || token.text !== sign) return false;
  parser.at++;
  return true;
}

function unexpected({ text, tokens, at }: Parser): Fault {
  const token = tokens[at];
  return invalid(text, token === undefined ? 'it ends too early' : `'${clip(token.text)}' is not expected as part ${at + 1}`);
}

function invalid(text: string, why: string): Fault {
  return new Fault('InvalidParameter', `Error in expression '${text.slice(0, 200)}': ${why}.`);
}
