/** Patterns of space-delimited fields: `[ip, user, ..., status = 4* || status = 5*, bytes > 1000]`. */
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

type Test = (value: string) => boolean;
/** A field, or `...`: any number of fields. */
type Field = { name: string; test: Test } | 'ellipsis';

export function compileFieldPattern(text: string): Matcher {
  const cursor = cursorOver(tokenize(text));
  cursor.expect('[');
  const fields: Field[] = [];
  do fields.push(parseField(cursor));
  while (cursor.accept(','));
  cursor.expect(']');
  if (!cursor.done()) throw invalid('Invalid filter pattern: there is something after its closing bracket');
  if (fields.filter((field) => field === 'ellipsis').length > 1) throw invalid("Invalid filter pattern: '...' may stand only once");
  const names = fields.map((field, i) => (field === 'ellipsis' ? '...' : field.name || String(i + 1)));
  return Object.assign((message: string) => matchFields(fields, splitFields(message)), {
    read: (selector: string) => readField(names, selector),
    selectors: names.filter((name) => name !== '...').map((name) => `$${name}`),
  });
}

/** `$name`; those behind `...` are counted from the end. A field without a name is named by its place. */
function readField(names: string[], selector: string): ReadValue {
  const place = names.indexOf(selector.slice(1));
  if (!selector.startsWith('$') || place < 0) throw invalid(`Invalid filter pattern: it has no field '${selector}'`);
  const cut = names.indexOf('...');
  const fromEnd = cut >= 0 && place > cut ? names.length - place : 0;
  return (message) => {
    const values = splitFields(message);
    return fromEnd > 0 ? values.at(-fromEnd) : values[place];
  };
}

function parseField(cursor: Cursor): Field {
  // Nothing between two commas is a field that may be anything.
  if ([',', ']'].includes(cursor.peek()?.text ?? '')) return { name: '', test: () => true };
  const name = cursor.next();
  if (name.kind !== 'word') throw invalid(`Invalid filter pattern: '${name.text}' where a field's name belongs`);
  if (name.text === '...') return 'ellipsis';
  const tests: { or: boolean; test: Test }[] = [];
  let or = false;
  for (let first = true; first || cursor.peek()?.text === '&&' || cursor.peek()?.text === '||'; first = false) {
    if (!first) {
      or = cursor.next().text === '||';
      const again = cursor.next();
      if (again.text !== name.text) throw invalid(`Invalid filter pattern: a condition of field '${name.text}' names '${again.text}'`);
    } else if (cursor.peek()?.text === ',' || cursor.peek()?.text === ']') {
      break;
    }
    tests.push({ or, test: condition(readComparison(cursor), cursor.next()) });
  }
  // && binds tighter: a list of alternatives, each of which must hold whole.
  const groups = tests.reduce<Test[][]>((all, { or, test }) => {
    if (or || all.length === 0) all.push([test]);
    else all.at(-1)?.push(test);
    return all;
  }, []);
  return { name: name.text, test: (value) => groups.length === 0 || groups.some((group) => group.every((test) => test(value))) };
}

function condition(comparison: Comparison, { kind, text: wanted }: Token): Test {
  const fits = kind === 'regex' ? compileRegex(wanted) : (value: string) => matchesWildcard(wanted, value);
  const number = kind !== 'regex' && /^[+-]?\d+(\.\d+)?$/.test(wanted) ? Number(wanted) : undefined;
  return (value) => {
    if (number !== undefined && value.trim() !== '' && !Number.isNaN(Number(value)))
      return compareNumbers(Number(value), comparison, number);
    const same = fits(value);
    if (comparison === '=') return same;
    return comparison === '!=' && !same;
  };
}

/** Words; what is in quotes or brackets is one. */
function splitFields(message: string): string[] {
  return [...message.matchAll(/"([^"]*)"|\[([^\]]*)\]|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

function matchFields(fields: Field[], values: string[]): boolean {
  const cut = fields.indexOf('ellipsis');
  const fits = (list: Field[], from: number) => list.every((field, i) => field === 'ellipsis' || field.test(values[from + i] ?? ''));
  if (cut < 0) return values.length === fields.length && fits(fields, 0);
  const tail = fields.slice(cut + 1);
  return values.length >= fields.length - 1 && fits(fields.slice(0, cut), 0) && fits(tail, values.length - tail.length);
}
