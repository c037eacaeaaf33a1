/** A Logs Insights query -> its commands. Throws Fault('InvalidParameter') with AWS's MalformedQueryException. Source: CloudWatch Logs user guide, "CloudWatch Logs Insights query syntax". */
import { limits } from '#base/limits.ts';
import { accept, compileRegex, isWord, readExpression, type AggregateCall, type Expression } from './expression.ts';
import { createLexer, malformed, type Lexer } from './lexer.ts';

export type Column = { name: string; of: Expression };
export type Command =
  | { kind: 'fields' | 'display'; columns: Column[] }
  | { kind: 'filter'; test: Expression }
  | { kind: 'stats'; columns: Column[]; calls: AggregateCall[]; by: Column[] }
  | { kind: 'sort'; keys: { of: Expression; descending: boolean }[] }
  | { kind: 'limit'; count: number }
  | { kind: 'dedup'; columns: Column[] }
  | { kind: 'parse'; of: Expression; names: string[]; read: (text: string) => (string | undefined)[] | undefined };

const LONGEST = 10_000;

export function parseQuery(query: string): Command[] {
  if (query.length > LONGEST) throw malformed(`a query has at most ${LONGEST} characters`, LONGEST);
  const lexer = createLexer(query);
  const commands: Command[] = [];
  do {
    if (lexer.peek().kind === 'end' && commands.length > 0) break;
    commands.push(readCommand(lexer));
    if (commands.length > limits.logQueryCommands)
      throw malformed(`a query has at most ${limits.logQueryCommands} commands`, lexer.peek().at);
  } while (accept(lexer, '|'));
  const rest = lexer.peek();
  if (rest.kind !== 'end') throw malformed(`unexpected '${rest.text}'`, rest.at);
  return commands;
}

function readCommand(lexer: Lexer): Command {
  const word = lexer.next();
  const kind = word.text.toLowerCase();
  switch (kind) {
    case 'fields':
    case 'display':
    case 'dedup':
      return { kind, columns: readList(lexer, () => readColumn(lexer)) };
    case 'filter':
      return { kind, test: readExpression({ lexer, depth: 0 }) };
    case 'stats':
      return readStats(lexer);
    case 'sort':
      return { kind, keys: readList(lexer, () => readKey(lexer)) };
    case 'limit':
      return { kind, count: readCount(lexer) };
    case 'parse':
      return readParse(lexer);
  }
  throw malformed(word.kind === 'end' ? 'a command is missing' : `berth has no command '${word.text.slice(0, 50)}'; it has fields, display, filter, stats, sort, limit, dedup and parse`, word.at); // prettier-ignore
}

function readList<T>(lexer: Lexer, read: () => T): T[] {
  const list = [read()];
  while (accept(lexer, ',')) list.push(read());
  return list;
}

/** `calls`: where aggregates may stand. A column without a name has that of its text. */
function readColumn(lexer: Lexer, calls?: AggregateCall[]): Column {
  const first = lexer.peek();
  const of = readExpression({ lexer, depth: 0, ...(calls === undefined ? {} : { calls }) });
  const text = lexer.since(first.at);
  const name = /^`[^`]+`$/.test(text) ? text.slice(1, -1) : text;
  if (!isWord(lexer, 'as')) return { name, of };
  lexer.next();
  return { name: readName(lexer), of };
}

function readName(lexer: Lexer): string {
  const { kind, text, at } = lexer.next();
  if (kind !== 'name') throw malformed(`'${text || 'the end'}' where a name belongs`, at);
  return text;
}

function readStats(lexer: Lexer): Command {
  const calls: AggregateCall[] = [];
  const columns = readList(lexer, () => readColumn(lexer, calls));
  if (calls.length === 0) throw malformed('stats has no aggregate function', lexer.peek().at);
  if (!isWord(lexer, 'by')) return { kind: 'stats', columns, calls, by: [] };
  lexer.next();
  return { kind: 'stats', columns, calls, by: readList(lexer, () => readColumn(lexer)) };
}

function readKey(lexer: Lexer): { of: Expression; descending: boolean } {
  const first = lexer.peek();
  const of = readExpression({ lexer, depth: 0 });
  const text = lexer.since(first.at);
  const descending = isWord(lexer, 'desc');
  if (descending || isWord(lexer, 'asc')) lexer.next();
  // What a stats command has named by its text is sorted by that: sort count(*) is written too.
  return { of: (row) => row.get(text) ?? of(row), descending };
}

function readCount(lexer: Lexer): number {
  const { kind, text, at } = lexer.next();
  const count = Number(text);
  if (kind !== 'number' || !Number.isInteger(count) || count < 1 || count > limits.logQueryRows)
    throw malformed(`limit takes a number from 1 to ${limits.logQueryRows}`, at);
  return count;
}

/** `parse FIELD "a * b *" as x, y`, or an expression with named groups. */
function readParse(lexer: Lexer): Command {
  let of: Expression = (row) => row.get('@message');
  const { at } = lexer.peek();
  let regex = lexer.regex();
  if (regex === undefined && lexer.peek().kind !== 'string') {
    const name = readName(lexer);
    of = (row) => row.get(name);
    regex = lexer.regex();
  }
  if (regex !== undefined) {
    const pattern = compileRegex(regex, at);
    const groups = Object.entries(pattern.namedGroups() as Record<string, number>);
    if (groups.length === 0) throw malformed('the regular expression of parse has no named group, such as (?<user>\\w+)', at);
    const read = (text: string) => {
      const matcher = pattern.matcher(text);
      return matcher.find() ? groups.map(([, index]) => matcher.group(index) ?? undefined) : undefined;
    };
    return { kind: 'parse', of, names: groups.map(([name]) => name), read };
  }
  const glob = lexer.next();
  if (glob.kind !== 'string') throw malformed('a text with stars or a /regular expression/ expected', glob.at);
  if (!isWord(lexer, 'as')) throw malformed("'as' and names expected", lexer.peek().at);
  lexer.next();
  const names = readList(lexer, () => readName(lexer));
  const parts = glob.text.split('*');
  if (parts.length - 1 !== names.length)
    throw malformed(`the text has ${parts.length - 1} stars, and there are ${names.length} names`, glob.at);
  return { kind: 'parse', of, names, read: (text) => readGlob(parts, text) };
}

/** What stands at each star; undefined where the text doesn't fit. The last star takes the rest when nothing follows it. */
function readGlob(parts: string[], text: string): string[] | undefined {
  const [first = '', ...rest] = parts;
  const begin = text.indexOf(first);
  if (begin < 0) return undefined;
  const found: string[] = [];
  let at = begin + first.length;
  for (const [index, part] of rest.entries()) {
    const end = part === '' && index === rest.length - 1 ? text.length : text.indexOf(part, at);
    if (end < 0) return undefined;
    found.push(text.slice(at, end));
    at = end + part.length;
  }
  return found;
}
