/** Reads a command line by the command's own description. Throws Fault('InvalidParameter') with what to do. */
import { Fault } from '#base/fault.ts';
import { commonOptions } from './command.ts';
import type { Command, Option } from './command.ts';

export type Arguments = {
  /** A positional by name; undefined when it was not given. */
  positional(name: string): string | undefined;
  /** Everything from a repeated positional on. */
  positionals: string[];
  /** What stood behind `--`. */
  rest: string[];
  has(option: string): boolean;
  text(option: string): string | undefined;
  list(option: string): string[];
  /** One of the values. */
  oneOf<const T extends string>(option: string, values: readonly T[]): T | undefined;
  /** A whole number within the bounds. */
  integer(option: string, bounds: { min: number; max: number }): number | undefined;
};

const bad = (message: string): Fault => new Fault('InvalidParameter', message, { details: { usage: true } });

/** `given` is what follows the command's own name. */
export function parseArguments(command: Command, given: string[]): Arguments {
  const options = [...command.options, ...commonOptions];
  const words = apart(options, given);
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  let rest: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '--') {
      rest = words.slice(index + 1);
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      positionals.push(word);
      continue;
    }
    const { option, inline } = matchOption(command, options, word);
    if (option.value !== undefined && inline === undefined) index++;
    const value = option.value === undefined ? switchValue(option, inline) : (inline ?? words[index]);
    if (value === undefined) throw bad(`--${option.name} needs a value: --${option.name} ${option.value}`);
    const before = values.get(option.name) ?? [];
    if (before.length > 0 && option.value !== undefined && option.repeat !== true)
      throw bad(`--${option.name} was given twice; it takes one value`);
    values.set(option.name, [...before, value]);
  }
  checkPositionals(command, positionals, rest);
  return reader(command, values, positionals, rest);
}

/** `-it` is `-i -t`: switches of one letter may stand together. */
function apart(options: Option[], words: string[]): string[] {
  const end = words.indexOf('--');
  const isSwitch = (letter: string) => options.some((option) => option.short === letter && option.value === undefined);
  return words.flatMap((word, index) => {
    const letters = word.slice(1).split('');
    const together = /^-[a-z]{2,}$/.test(word) && (end < 0 || index < end) && letters.every(isSwitch);
    return together ? letters.map((letter) => `-${letter}`) : [word];
  });
}

function switchValue(option: Option, inline: string | undefined): string {
  if (inline !== undefined) throw bad(`--${option.name} takes no value, but got '${inline}'`);
  return 'true';
}

function matchOption(command: Command, options: Option[], word: string): { option: Option; inline: string | undefined } {
  const equals = word.indexOf('=');
  const head = equals > 0 ? word.slice(0, equals) : word;
  const inline = equals > 0 ? word.slice(equals + 1) : undefined;
  const option = head.startsWith('--')
    ? options.find((candidate) => candidate.name === head.slice(2))
    : options.find((candidate) => candidate.short === head.slice(1));
  if (option !== undefined) return { option, inline };
  const near = nearest(
    head.replace(/^-+/, ''),
    options.map((candidate) => candidate.name),
  );
  const hint = near === undefined ? `see: berth ${command.name} --help` : `did you mean --${near}?`;
  throw bad(`berth ${command.name} has no option '${head}'; ${hint}`);
}

function checkPositionals(command: Command, positionals: string[], rest: string[]): void {
  const expected = command.positionals ?? [];
  const missing = expected.find((positional, index) => positional.required && positionals[index] === undefined);
  if (missing !== undefined) throw bad(`berth ${command.name} needs ${missing.name}: ${missing.summary}`);
  const extra = positionals[expected.length];
  if (extra !== undefined && expected.at(-1)?.repeat !== true) {
    throw bad(`berth ${command.name} doesn't know what to do with '${extra}'; see: berth ${command.name} --help`);
  }
  if (rest.length > 0 && command.rest === undefined) throw bad(`berth ${command.name} takes nothing after '--'`);
}

function reader(command: Command, values: Map<string, string[]>, positionals: string[], rest: string[]): Arguments {
  const text = (option: string) => values.get(option)?.at(-1);
  return {
    positional: (name) => positionals[(command.positionals ?? []).findIndex((positional) => positional.name === name)],
    positionals,
    rest,
    has: (option) => values.has(option),
    text,
    list: (option) => values.get(option) ?? [],
    oneOf(option, allowed) {
      const given = text(option);
      const value = allowed.find((candidate) => candidate === given);
      if (given === undefined || value !== undefined) return value;
      throw bad(`--${option} must be one of ${allowed.join(', ')}, not '${given}'`);
    },
    integer(option, { min, max }) {
      const given = text(option);
      if (given === undefined) return undefined;
      const number = Number(given);
      if (!/^-?\d+$/.test(given) || number < min || number > max) {
        throw bad(`--${option} must be a whole number from ${min} to ${max}, not '${given}'`);
      }
      return number;
    },
  };
}

/** The word that was probably meant; undefined when none is close. Words that begin alike win. */
export function nearest(word: string, candidates: string[]): string | undefined {
  const score = (candidate: string) => distance(candidate, word) - (candidate[0] === word[0] ? 0.5 : 0);
  return candidates
    .filter((candidate) => distance(candidate, word) <= Math.min(2, word.length - 1))
    .sort((a, b) => score(a) - score(b))
    .at(0);
}

/** Edit distance (Levenshtein), for "did you mean". */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Splits a command line as a POSIX shell would split words: quotes and backslashes, no expansion. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let index = 0; index < line.length; index++) {
    const c = line[index] ?? '';
    if (c === '\\' && quote !== "'" && index + 1 < line.length) word = (word ?? '') + line[++index];
    else if (quote !== '') {
      if (c === quote) quote = '';
      else word = (word ?? '') + c;
    } else if (c === '"' || c === "'") {
      quote = c;
      word ??= '';
    } else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + c;
  }
  if (quote !== '') throw bad(`the quote ${quote} in '${line}' is never closed`);
  if (word !== undefined) words.push(word);
  return words;
}
