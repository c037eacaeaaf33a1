/** A command line into words, as the agent of Session Manager does it in a container (Go's shlex): quotes and backslashes, nothing is expanded. */
import { Fault } from '#base/fault.ts';

/** Throws InvalidParameter where a quote isn't closed, or nothing is there. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote: '"' | "'" | null = null;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? '';
    if (quote !== "'" && char === '\\' && at + 1 < line.length) word = (word ?? '') + (line[++at] ?? '');
    else if (char === quote) quote = null;
    else if (quote !== null) word = (word ?? '') + char;
    else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (!/\s/.test(char)) word = (word ?? '') + char;
    else if (word !== null) {
      words.push(word);
      word = null;
    }
  }
  if (quote !== null) throw new Fault('InvalidParameter', `The command has a ${quote} that is not closed.`);
  if (word !== null) words.push(word);
  if (words.length === 0 || words[0] === '') throw new Fault('InvalidParameter', 'The command should not be empty.');
  return words;
}
