/**
 * The commands of a query, one behind the other: rows go in, a table comes out. What sorts holds as many rows as can be shown, what groups its groups; all of it
 * within `limits.logQueryBytes`. Without stats or sort the newest events come first, as on AWS.
 */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Accumulator } from './aggregates.ts';
import type { Column, Command } from './parser.ts';
import { createRow, type Row, type RowEvent } from './row.ts';
import { compareValues, toText, type Value } from './values.ts';

export type Table = { field: string; value: string }[][];
export type Pipeline = { push(event: RowEvent): void; end(): Table };

type Sink = { push(row: Row): void; end(): void };

export function createPipeline(commands: Command[], options: { limit: number; now: number }): Pipeline {
  const rows: Row[] = [];
  const spend = createBudget();
  let sink: Sink = { push: (row) => void (rows.length < options.limit && rows.push(row)), end: () => {} };
  const all = withOrder(commands);
  for (const [index, command] of [...all.entries()].toReversed()) {
    const next = all[index + 1];
    sink = stage(command, next?.kind === 'limit' ? next.count : options.limit, spend, sink);
  }
  return {
    push(event) {
      const row = createRow(event);
      row.set('@now', options.now);
      sink.push(row);
    },
    end() {
      sink.end();
      const names = columnsOf(commands);
      return rows.map((row) => names.flatMap((field) => shown(field, row.get(field))));
    },
  };
}

const shown = (field: string, value: Value): Table[number] => (value === undefined ? [] : [{ field, value: toText(value) }]);

/** Counts bytes, and refuses those that are too many. */
function createBudget(): (bytes: number) => void {
  let spent = 0;
  return (bytes) => {
    spent += bytes;
    if (spent > limits.logQueryBytes)
      throw new Fault('LimitExceeded', `The query holds more than ${limits.logQueryBytes} bytes: ask for less.`);
  };
}

/** Where nothing sorts or groups, the newest come first: before what depends on the order. */
function withOrder(commands: Command[]): Command[] {
  if (commands.some(({ kind }) => kind === 'sort' || kind === 'stats')) return commands;
  const place = commands.findIndex(({ kind }) => kind === 'limit' || kind === 'dedup');
  const newest: Command = { kind: 'sort', keys: [{ of: (row) => row.get('@timestamp'), descending: true }] };
  return commands.toSpliced(place < 0 ? commands.length : place, 0, newest);
}

function columnsOf(commands: Command[]): string[] {
  let names: string[] | undefined;
  const parsed: string[] = [];
  for (const command of commands) {
    const own = 'columns' in command ? command.columns.map(({ name }) => name) : [];
    if (command.kind === 'fields') names = [...(names ?? []), ...own];
    if (command.kind === 'display') names = own;
    if (command.kind === 'stats') names = [...command.by.map(({ name }) => name), ...own];
    if (command.kind === 'parse') (names ?? parsed).push(...command.names);
  }
  return [
    ...new Set([
      ...(names ?? ['@timestamp', '@message']),
      ...(commands.some(({ kind }) => kind === 'display' || kind === 'stats') ? [] : parsed),
    ]),
  ];
}

function stage(command: Command, most: number, spend: (bytes: number) => void, next: Sink): Sink {
  const { end } = next;
  switch (command.kind) {
    case 'fields':
    case 'display':
      return { push: (row) => (compute(command.columns, row), next.push(row)), end };
    case 'filter':
      return {
        push(row) {
          const value = command.test(row);
          if (value === true || (typeof value === 'number' && value !== 0)) next.push(row);
        },
        end,
      };
    case 'parse':
      return { push: (row) => (parse(command, row), next.push(row)), end };
    case 'limit': {
      let left = command.count;
      return { push: (row) => void (left-- > 0 && next.push(row)), end };
    }
    case 'dedup':
      return dedup(command.columns, spend, next);
    case 'sort':
      return sort(command.keys, most, spend, next);
    case 'stats':
      return stats(command, spend, next);
  }
}

/** A field that is shown as it is has nothing to compute. */
function compute(columns: Column[], row: Row): void {
  for (const { name, of } of columns) {
    const value = of(row);
    if (row.get(name) !== value) row.set(name, value);
  }
}

function parse({ of, names, read }: Command & { kind: 'parse' }, row: Row): void {
  const from = of(row);
  const found = from === undefined ? undefined : read(toText(from));
  for (const [index, name] of names.entries()) if (found?.[index] !== undefined) row.set(name, found[index]);
}

const keyOf = (columns: Column[], row: Row): string => JSON.stringify(columns.map(({ of }) => toText(of(row))));

function dedup(columns: Column[], spend: (bytes: number) => void, next: Sink): Sink {
  const seen = new Set<string>();
  return {
    push(row) {
      const key = keyOf(columns, row);
      if (seen.has(key)) return;
      seen.add(key);
      spend(key.length + 60);
      next.push(row);
    },
    end: next.end,
  };
}

/** Keeps the first `most` rows of the order, and up to twice as many until it looks. */
function sort(keys: (Command & { kind: 'sort' })['keys'], most: number, spend: (bytes: number) => void, next: Sink): Sink {
  type Held = { row: Row; by: Value[]; size: number };
  const order = (a: Held, b: Held) => {
    for (const [index, { descending }] of keys.entries()) {
      const sign = compareValues(a.by[index], b.by[index]);
      if (sign !== 0) return descending ? -sign : sign;
    }
    return 0;
  };
  let held: Held[] = [];
  let bound: Held | undefined;
  const prune = () => {
    held.sort(order);
    for (const { size } of held.splice(most)) spend(-size);
    bound = held.length === most ? held.at(-1) : undefined;
  };
  return {
    push(row) {
      const one = { row, by: keys.map(({ of }) => of(row)), size: row.size() };
      if (bound !== undefined && order(one, bound) >= 0) return;
      held.push(one);
      spend(one.size);
      if (held.length >= 2 * most) prune();
    },
    end() {
      prune();
      for (const { row } of held) next.push(row);
      held = [];
      next.end();
    },
  };
}

function stats({ columns, calls, by }: Command & { kind: 'stats' }, spend: (bytes: number) => void, next: Sink): Sink {
  const groups = new Map<string, { values: Value[]; accumulators: Accumulator[] }>();
  const groupOf = (row: Row) => {
    const key = keyOf(by, row);
    const known = groups.get(key);
    if (known !== undefined) return known;
    const made = { values: by.map(({ of }) => of(row)), accumulators: calls.map(({ make }) => make(spend)) };
    spend(key.length * 2 + 200 + 100 * calls.length);
    groups.set(key, made);
    return made;
  };
  return {
    push(row) {
      const { accumulators } = groupOf(row);
      const at = row.get('@timestamp');
      const ms = typeof at === 'object' ? at.at : 0;
      for (const [index, { of }] of calls.entries()) accumulators[index]?.add(of(row), ms);
    },
    end() {
      // Without groups there is always one line, also of nothing.
      if (by.length === 0 && groups.size === 0) groupOf(createRow(undefined));
      for (const { values, accumulators } of groups.values()) {
        const row = createRow(undefined);
        for (const [index, { name }] of by.entries()) row.set(name, values[index]);
        for (const [index, { name }] of calls.entries()) row.set(name, accumulators[index]?.result());
        for (const { name, of } of columns) row.set(name, of(row));
        next.push(row);
      }
      groups.clear();
      next.end();
    },
  };
}
