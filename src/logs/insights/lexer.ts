/** Words of a Logs Insights query. A slash begins a regular expression only where the parser expects one: elsewhere it divides. */
import { Fault } from '#base/fault.ts';

export type Word = { kind: 'name' | 'string' | 'number' | 'duration' | 'symbol' | 'end'; text: string; at: number };

/** Whitespace and comments, then one word. */
const BLANK = /(?:\s|#[^\n]*)*/y;
const WORDS: [Exclude<Word['kind'], 'end'>, RegExp][] = [
  ['duration', /\d+(?:ms|milliseconds?|msec|s|seconds?|sec|m|minutes?|mins?|h|hours?|hrs?|hr|d|days?|w|weeks?)(?![\w.])/y],
  ['number', /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?!\w)/y],
  ['name', /[A-Za-z_@$][\w.@$]*|`[^`]+`/y],
  ['string', /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/y],
  ['symbol', /=~|!=|<=|>=|==|[=<>()[\],|+\-*/%^]/y],
];
const REGEX = /\/((?:[^/\\]|\\.)+)\//y;

export type Lexer = {
  peek(): Word;
  next(): Word;
  /** What stands between two slashes, where they come next. */
  regex(): string | undefined;
  /** Text of the query from one place on up to the word that comes next, without blanks at its ends. */
  since(at: number): string;
};

export function createLexer(query: string): Lexer {
  let place = 0;
  let ahead: Word | undefined;

  function read(): Word {
    BLANK.lastIndex = place;
    BLANK.exec(query);
    const at = BLANK.lastIndex;
    if (at >= query.length) return { kind: 'end', text: '', at };
    for (const [kind, pattern] of WORDS) {
      pattern.lastIndex = at;
      const text = pattern.exec(query)?.[0];
      if (text !== undefined) return { kind, text: plain(kind, text), at };
    }
    throw malformed(`unexpected '${query.slice(at, at + 20)}'`, at);
  }

  const lexer: Lexer = {
    peek: () => (ahead ??= read()),
    next() {
      const word = lexer.peek();
      ahead = undefined;
      place = word.kind === 'end' ? word.at : endOf(query, word);
      return word;
    },
    regex() {
      BLANK.lastIndex = place;
      BLANK.exec(query);
      REGEX.lastIndex = BLANK.lastIndex;
      const found = REGEX.exec(query);
      if (found === null) return undefined;
      ahead = undefined;
      place = REGEX.lastIndex;
      return found[1];
    },
    since: (at) => query.slice(at, place).trim(),
  };
  return lexer;
}

function endOf(query: string, { kind, at }: Word): number {
  const pattern = WORDS.find(([one]) => one === kind)?.[1];
  if (pattern === undefined) return at;
  pattern.lastIndex = at;
  pattern.exec(query);
  return pattern.lastIndex;
}

function plain(kind: Word['kind'], text: string): string {
  if (kind === 'name' && text.startsWith('`')) return text.slice(1, -1);
  return kind === 'string' ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
}

/** `at`: where in the query it stands. */
export function malformed(message: string, at: number): Fault {
  const queryCompileError = { location: { startCharOffset: at, endCharOffset: at + 1 }, message };
  return new Fault('InvalidParameter', `Malformed query: ${message} (at character ${at})`, {
    details: { errorName: 'MalformedQueryException', errorMembers: { queryCompileError } },
  });
}
