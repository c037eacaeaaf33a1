/**
 * What SEARCH looks for -> whether a series is meant. Source: CloudWatch user guide, "CloudWatch search expression syntax": a schema `{Namespace,Dimension,...}`, terms,
 * `Property=value`, `Property=(a OR b)`, AND, OR, NOT and parentheses. Exact in quotation marks, else by parts of words.
 */
import { Fault } from '#base/fault.ts';
import type { Series } from './types.ts';

type Test = (series: Series) => boolean;
type Token = { kind: 'sign' | 'word' | 'text'; text: string };
type Reader = { tokens: Token[]; at: number; text: string };

const TOKEN = /\s*(?:(\{[^}]*\})|([()=])|"((?:[^"\\]|\\.)*)"|([^\s(){}="]+))/y;
const MOST_CHARS = 1024;
const DEPTH = 20;

/** Throws Fault InvalidParameter. */
export function parseSearch(text: string): Test {
  if (text.length > MOST_CHARS) throw bad(text, `it is longer than ${MOST_CHARS} characters`);
  const reader: Reader = { tokens: [], at: 0, text };
  const tests: Test[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ''; at = TOKEN.lastIndex) {
    const [whole, schema, sign, quoted, word] = TOKEN.exec(text) ?? [];
    if (whole === undefined) throw bad(text, `'${text.slice(at).trim().slice(0, 20)}' is no term`);
    if (schema !== undefined) tests.push(schemaTest(schema, text));
    else if (sign !== undefined) reader.tokens.push({ kind: 'sign', text: sign });
    else if (quoted !== undefined) reader.tokens.push({ kind: 'text', text: quoted.replaceAll(/\\(.)/g, '$1') });
    else reader.tokens.push({ kind: 'word', text: word ?? '' });
  }
  if (reader.tokens.length > 0) tests.push(anyOf(reader, 0));
  if (reader.at < reader.tokens.length) throw bad(text, `'${reader.tokens[reader.at]?.text}' is not expected`);
  if (tests.length === 0) throw bad(text, 'it names nothing');
  return (series) => tests.every((test) => test(series));
}

const bad = (text: string, why: string) => new Fault('InvalidParameter', `Error in search '${text.slice(0, 200)}': ${why}.`);

/** The namespace, and the names of all dimensions that a series has. */
function schemaTest(schema: string, text: string): Test {
  const [namespace = '', ...names] = schema
    .slice(1, -1)
    .split(',')
    .map((part) => part.trim().replace(/^"(.*)"$/, '$1'));
  if (namespace === '') throw bad(text, 'its schema has no namespace');
  const wanted = names.filter((name) => name !== '').toSorted().join('\n'); // prettier-ignore
  return (series) => series.namespace === namespace && Object.keys(series.dimensions).toSorted().join('\n') === wanted;
}

const isWord = (token: Token | undefined, word: string) => token?.kind === 'word' && token.text === word;

function anyOf(reader: Reader, depth: number): Test {
  const tests = [allOf(reader, depth)];
  while (isWord(reader.tokens[reader.at], 'OR')) {
    reader.at++;
    tests.push(allOf(reader, depth));
  }
  return (series) => tests.some((test) => test(series));
}

/** Terms beside each other are AND. */
function allOf(reader: Reader, depth: number): Test {
  const tests = [one(reader, depth)];
  for (;;) {
    const next = reader.tokens[reader.at];
    if (next === undefined || isWord(next, 'OR') || (next.kind === 'sign' && next.text === ')')) break;
    if (isWord(next, 'AND')) reader.at++;
    tests.push(one(reader, depth));
  }
  return (series) => tests.every((test) => test(series));
}

function one(reader: Reader, depth: number): Test {
  if (depth > DEPTH) throw bad(reader.text, `it is nested more than ${DEPTH} deep`);
  const token = reader.tokens[reader.at++];
  if (token === undefined) throw bad(reader.text, 'it ends too early');
  if (isWord(token, 'NOT')) {
    const not = one(reader, depth + 1);
    return (series) => !not(series);
  }
  if (token.kind === 'sign') {
    if (token.text !== '(') throw bad(reader.text, `'${token.text}' is not expected`);
    return closed(reader, anyOf(reader, depth + 1));
  }
  const equals = reader.tokens[reader.at];
  if (equals?.kind !== 'sign' || equals.text !== '=') return (series) => wordsOf(series).some(matches(token));
  reader.at++;
  const match = values(reader, depth);
  return (series) => propertyOf(series, token.text).some(match);
}

/** A value, or several in parentheses. */
function values(reader: Reader, depth: number): (value: string) => boolean {
  const token = reader.tokens[reader.at++];
  if (token === undefined) throw bad(reader.text, 'it ends too early');
  if (token.kind !== 'sign') return matches(token);
  if (token.text !== '(' || depth > DEPTH) throw bad(reader.text, `'${token.text}' is not expected`);
  const all = [values(reader, depth + 1)];
  while (isWord(reader.tokens[reader.at], 'OR')) {
    reader.at++;
    all.push(values(reader, depth + 1));
  }
  return closed(reader, (value: string) => all.some((match) => match(value)));
}

function closed<T>(reader: Reader, inner: T): T {
  const token = reader.tokens[reader.at++];
  if (token?.kind !== 'sign' || token.text !== ')') throw bad(reader.text, 'a parenthesis is not closed');
  return inner;
}

function propertyOf(series: Series, name: string): string[] {
  if (name === 'Namespace') return [series.namespace];
  if (name === 'MetricName') return [series.name];
  if (name === ':aws.AccountId') return [series.account];
  const value = series.dimensions[name];
  return value === undefined ? [] : [value];
}

const wordsOf = (series: Series) => [series.namespace, series.name, ...Object.entries(series.dimensions).flat()];

function matches({ kind, text }: Token): (value: string) => boolean {
  if (kind === 'text') return (value) => value === text;
  const wanted = partsOf(text);
  return (value) => {
    const parts = partsOf(value);
    return wanted.every((part) => parts.includes(part));
  };
}

/** `CPUUtilization` is CPU and Utilization, and the whole. */
function partsOf(text: string): string[] {
  const words = text.split(/[^A-Za-z0-9]+/);
  const inner = words.flatMap((word) => word.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g) ?? []);
  return [...words, ...inner].filter((part) => part !== '').map((part) => part.toLowerCase());
}
