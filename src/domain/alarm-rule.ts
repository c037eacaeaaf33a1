/**
 * Rules of composite alarms: read, and evaluated. Pure. Sources: CloudWatch API reference, PutCompositeAlarm (limits); user guide, "Composite alarms"
 * (functions, names, AT_LEAST); the texts of errors are CloudWatch's. NOT binds closer than AND, AND closer than OR.
 */
import { Fault } from '#base/fault.ts';
import { alarmName } from './alarm.ts';
import type { AlarmState } from './alarm.ts';
import type { Scope } from './scope.ts';

export type AlarmRule =
  | { kind: 'constant'; value: boolean }
  | { kind: 'not'; of: AlarmRule }
  | { kind: 'all' | 'any'; of: AlarmRule[] }
  | { kind: 'state'; name: string; state: AlarmState }
  | { kind: 'atLeast'; least: number; state: AlarmState; negated: boolean; names: string[] };

const RULE_LENGTH = 10_240;
const MOST_CHILDREN = 100;
/** Names of alarms, TRUE, FALSE and parentheses. */
const MOST_ELEMENTS = 500;
const STATES: readonly string[] = ['ALARM', 'OK', 'INSUFFICIENT_DATA'];
const FIRST = "'(', 'NOT', AT_LEAST, TRUE or FALSE, ALARM, OK, or INSUFFICIENT_DATA";

/** `quoted`: a name as it is meant, whatever it reads like. */
type Token = { text: string; at: number; quoted: boolean };
type Reader = { tokens: Token[]; place: number; scope: Scope; elements: number; children: Set<string> };

const refused = (message: string) => new Fault('ClientError', message);

/** `children`: the names of the alarms in it, each once. Throws ClientError. */
export function parseAlarmRule(text: string, scope: Scope): { rule: AlarmRule; children: string[] } {
  if (text.length > RULE_LENGTH) throw refused(`The parameter AlarmRule is longer than ${RULE_LENGTH} characters.`);
  const reader: Reader = { tokens: tokensOf(text), place: 0, scope, elements: 0, children: new Set() };
  const rule = anyOf(reader);
  if (reader.place < reader.tokens.length - 1) throw unsupported(peek(reader), "'AND', 'OR' or the end of the rule");
  if (reader.children.size > MOST_CHILDREN) {
    throw refused(`AlarmRule must not refer to more than ${MOST_CHILDREN} alarms; it refers to ${reader.children.size}.`);
  }
  return { rule, children: [...reader.children] };
}

/** An alarm that isn't there is in no state. */
export function holds(rule: AlarmRule, stateOf: (name: string) => AlarmState | undefined): boolean {
  switch (rule.kind) {
    case 'constant':
      return rule.value;
    case 'not':
      return !holds(rule.of, stateOf);
    case 'all':
      return rule.of.every((one) => holds(one, stateOf));
    case 'any':
      return rule.of.some((one) => holds(one, stateOf));
    case 'state':
      return stateOf(rule.name) === rule.state;
    case 'atLeast':
      return rule.names.filter((name) => (stateOf(name) === rule.state) !== rule.negated).length >= rule.least;
  }
}

/** The last one, of no text, is the end. */
function tokensOf(text: string): Token[] {
  const tokens = [...text.matchAll(/"((?:[^"\\]|\\.)*)"|[(),]|[^\s(),"]+|"/gs)].map(({ 0: whole, 1: inner, index }): Token => {
    if (whole === '"') throw refused(`Error in AlarmRule [Unsupported token '"' at char ${index}, must be closed by another]`);
    return inner === undefined
      ? { text: whole, at: index, quoted: false }
      : { text: inner.replaceAll(/\\(.)/gs, '$1'), at: index, quoted: true };
  });
  return [...tokens, { text: '', at: text.length, quoted: false }];
}

const peek = ({ tokens, place }: Reader): Token => tokens[place] ?? { text: '', at: 0, quoted: false };

/** A keyword or sign in capitals; empty for a quoted name and at the end. */
const word = (reader: Reader) => (peek(reader).quoted ? '' : peek(reader).text.toUpperCase());

function took(reader: Reader, expected: string): boolean {
  if (word(reader) !== expected) return false;
  reader.place++;
  if (expected === '(' || expected === ')') element(reader);
  return true;
}

/** Counted while they are read: rules nest no deeper than they have parentheses. */
function element(reader: Reader): void {
  reader.elements++;
  if (reader.elements > MOST_ELEMENTS)
    throw refused(`AlarmRule must not have more than ${MOST_ELEMENTS} elements: names of alarms, TRUE, FALSE and parentheses.`);
}

function take(reader: Reader, expected: string): void {
  if (!took(reader, expected)) throw unsupported(peek(reader), `'${expected}'`);
}

function unsupported({ text, at }: Token, expected: string): Fault {
  return refused(`Error in AlarmRule [Unsupported token '${text.slice(0, 255)}' at char ${at}, must be: ${expected}]`);
}

function anyOf(reader: Reader): AlarmRule {
  const of = [allOf(reader)];
  while (took(reader, 'OR')) of.push(allOf(reader));
  return of.length === 1 && of[0] !== undefined ? of[0] : { kind: 'any', of };
}

function allOf(reader: Reader): AlarmRule {
  const of = [oneOf(reader)];
  while (took(reader, 'AND')) of.push(oneOf(reader));
  return of.length === 1 && of[0] !== undefined ? of[0] : { kind: 'all', of };
}

function oneOf(reader: Reader): AlarmRule {
  let negated = false;
  while (took(reader, 'NOT')) negated = !negated;
  const rule = plain(reader);
  return negated ? { kind: 'not', of: rule } : rule;
}

function plain(reader: Reader): AlarmRule {
  const token = peek(reader);
  const what = word(reader);
  if (took(reader, '(')) {
    const rule = anyOf(reader);
    take(reader, ')');
    return rule;
  }
  reader.place++;
  if (what === 'TRUE' || what === 'FALSE') {
    element(reader);
    return { kind: 'constant', value: what === 'TRUE' };
  }
  if (what === 'AT_LEAST') return atLeast(reader);
  if (!isState(what)) throw unsupported(token, FIRST);
  take(reader, '(');
  const name = reference(reader);
  take(reader, ')');
  return { kind: 'state', name, state: what };
}

/** After its name: `(M, STATE_CONDITION, (alarm, ...))`. */
function atLeast(reader: Reader): AlarmRule {
  take(reader, '(');
  const amount = peek(reader);
  const [, digits, percent] = /^(\d{1,5})(%?)$/.exec(amount.text) ?? [];
  const count = Number(digits ?? 0);
  if (count < 1 || (percent === '%' && count > 100)) throw unsupported(amount, 'a number of alarms from 1 on or a percentage up to 100%');
  reader.place++;
  take(reader, ',');
  const negated = took(reader, 'NOT');
  const state = word(reader);
  if (!isState(state)) throw unsupported(peek(reader), 'ALARM, OK, INSUFFICIENT_DATA, or NOT and one of them');
  reader.place++;
  take(reader, ',');
  take(reader, '(');
  const names = [reference(reader)];
  while (took(reader, ',')) names.push(reference(reader));
  take(reader, ')');
  take(reader, ')');
  if (percent !== '%' && count > names.length) throw unsupported(amount, `a number of alarms up to ${names.length}, which follow`);
  return { kind: 'atLeast', least: percent === '%' ? Math.ceil((count * names.length) / 100) : count, state, negated, names };
}

/** An alarm by its name or ARN. An ARN of elsewhere stays what it is, and names no alarm. */
function reference(reader: Reader): string {
  const token = peek(reader);
  if (token.text === '' || (!token.quoted && /^[(),]$/.test(token.text))) throw unsupported(token, 'the name or ARN of an alarm');
  reader.place++;
  element(reader);
  const name = alarmName(token.text, reader.scope) ?? token.text;
  reader.children.add(name);
  return name;
}

const isState = (text: string): text is AlarmState => STATES.includes(text);
