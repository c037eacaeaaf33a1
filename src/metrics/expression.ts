/**
 * The value of a metric math expression. Source: CloudWatch user guide, "Metric math syntax and functions". Series meet where all of them have a
 * value; a scalar holds at all times. Of the functions those are served that alarms and autoscaling use; another is refused by name.
 */
import { Fault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { parseExpression } from './expression-parser.ts';
import type { Operator, Tree } from './expression-parser.ts';
import type { Dimensions } from './types.ts';

/** Values by the start of their period in ms, in order of time. */
export type TimeSeries = {
  label: string;
  periodS: number;
  values: Map<number, number>;
  /** Of a metric, not of what was computed. */
  about?: Scope & { namespace: string; name: string; dimensions: Dimensions; statistic: string };
};

export type Value = number | string | TimeSeries | TimeSeries[];

export type Names = {
  /** What an id of the same call stands for; undefined: there is none. May throw. */
  lookup(id: string): TimeSeries | TimeSeries[] | number | undefined;
  /** All metrics of the call that aren't expressions, and whose label has the text. */
  metrics(text: string): TimeSeries[];
  /** The series that a SEARCH finds. May throw. */
  search(text: string, statistic: string, periodS: number | undefined): TimeSeries[];
  /** Starts of the periods that were asked for, in ms, and their length. */
  times: readonly number[];
  periodS: number;
};

/** Throws Fault InvalidParameter for what isn't metric math, names what isn't there, or means nothing; Unsupported for a function that isn't served. */
export function evaluate(text: string, names: Names): Value {
  return valueOf(parseExpression(text), names);
}

/** Ids of other metrics and expressions that an expression reads. */
export function idsOf(text: string): string[] {
  const found: string[] = [];
  const visit = (tree: Tree): void => {
    if (tree.kind === 'name') found.push(tree.name);
    else if (tree.kind === 'list') tree.items.forEach(visit);
    else if (tree.kind === 'call') tree.args.forEach(visit);
    else if (tree.kind === 'minus') visit(tree.of);
    else if (tree.kind === 'operation') [tree.left, tree.right].forEach(visit);
  };
  visit(parseExpression(text));
  return found;
}

/** What FILL and SORT take beside series; ids begin with a small letter. */
const WORDS = new Set(['REPEAT', 'LINEAR', 'ASC', 'DESC', 'AVG', 'MIN', 'MAX', 'SUM']);

function valueOf(tree: Tree, names: Names): Value {
  switch (tree.kind) {
    case 'number':
    case 'text':
      return tree.value;
    case 'name': {
      if (WORDS.has(tree.name)) return tree.name;
      const value = names.lookup(tree.name);
      if (value === undefined)
        throw new Fault('InvalidParameter', `The expression reads '${clip(tree.name)}', which is no Id of this call.`);
      return value;
    }
    case 'list':
      return tree.items.flatMap((item) => asList(valueOf(item, names), 'a list'));
    case 'minus':
      return mapped(valueOf(tree.of, names), (value) => -value);
    case 'operation':
      return combined(valueOf(tree.left, names), valueOf(tree.right, names), operators[tree.operator], tree.operator);
    case 'call':
      return call(
        tree.name,
        tree.args.map((arg) => valueOf(arg, names)),
        names,
      );
  }
}

const truth = (value: boolean) => (value ? 1 : 0);
const operators: Record<Operator, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '^': (a, b) => a ** b,
  '==': (a, b) => truth(a === b),
  '!=': (a, b) => truth(a !== b),
  '<': (a, b) => truth(a < b),
  '>': (a, b) => truth(a > b),
  '<=': (a, b) => truth(a <= b),
  '>=': (a, b) => truth(a >= b),
  '&&': (a, b) => truth(a !== 0 && b !== 0),
  AND: (a, b) => truth(a !== 0 && b !== 0),
  '||': (a, b) => truth(a !== 0 || b !== 0),
  OR: (a, b) => truth(a !== 0 || b !== 0),
};

function combined(left: Value, right: Value, operation: (a: number, b: number) => number, name: string): Value {
  if (typeof left === 'string' || typeof right === 'string') throw new Fault('InvalidParameter', `A text can't stand beside '${name}'.`);
  if (typeof left === 'number' && typeof right === 'number') return operation(left, right);
  if (Array.isArray(left) && Array.isArray(right)) {
    if (left.length !== right.length)
      throw new Fault('InvalidParameter', `Two lists beside '${name}' have ${left.length} and ${right.length} series.`);
    return left.map((one, index) => combined(one, right[index] as TimeSeries, operation, name) as TimeSeries);
  }
  if (Array.isArray(left)) return left.map((one) => combined(one, right, operation, name) as TimeSeries);
  if (Array.isArray(right)) return right.map((one) => combined(left, one, operation, name) as TimeSeries);
  return joined([left, right], ([a = 0, b = 0]) => operation(a, b));
}

/** At each time that all series of these have, `of` their values. */
function joined(operands: (number | TimeSeries)[], of: (values: number[]) => number): TimeSeries {
  const series = operands.filter((one) => typeof one !== 'number');
  const values = new Map<number, number>();
  for (const at of series[0]?.values.keys() ?? []) {
    const row = operands.map((one) => (typeof one === 'number' ? one : one.values.get(at)));
    if (row.some((value) => value === undefined)) continue;
    const value = of(row as number[]);
    // A division by nothing is no value.
    if (Number.isFinite(value)) values.set(at, value);
  }
  return { label: '', periodS: Math.max(...series.map(({ periodS }) => periodS)), values };
}

function mapped(value: Value, of: (value: number) => number): Value {
  if (typeof value === 'number') return of(value);
  if (typeof value === 'string') throw new Fault('InvalidParameter', `'${clip(value)}' is a text where a number is needed.`);
  if (Array.isArray(value)) return value.map((one) => mapped(one, of) as TimeSeries);
  return joined([value], ([one = 0]) => of(one));
}

function asList(value: Value, where: string): TimeSeries[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'object') return [value];
  throw new Fault('InvalidParameter', `Only series can stand in ${where}; '${clip(String(value))}' is none.`);
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
/** Of a list of series a series, of one series a scalar. */
const reducers: Record<string, (values: number[]) => number> = {
  SUM: sum,
  AVG: (values) => sum(values) / values.length,
  MIN: (values) => Math.min(...values),
  MAX: (values) => Math.max(...values),
  DATAPOINT_COUNT: (values) => values.length,
  STDDEV: (values) => Math.sqrt(sum(values.map((value) => (value - sum(values) / values.length) ** 2)) / values.length),
};
const mappers: Record<string, (value: number) => number> = {
  ABS: Math.abs,
  CEIL: Math.ceil,
  FLOOR: Math.floor,
  LOG: Math.log,
  LOG10: Math.log10,
};
/** Of the time of a value, in UTC. */
const clocks: Record<string, (at: Date) => number> = {
  MINUTE: (at) => at.getUTCMinutes(),
  HOUR: (at) => at.getUTCHours(),
  /** Monday is 1, Sunday 7. */
  DAY: (at) => at.getUTCDay() || 7,
  DATE: (at) => at.getUTCDate(),
  MONTH: (at) => at.getUTCMonth() + 1,
  YEAR: (at) => at.getUTCFullYear(),
  EPOCH: (at) => Math.floor(at.getTime() / 1000),
};
/** Of a value, the one before it, and the seconds between them; the first has no before. */
const steps: Record<string, (value: number, before: number, seconds: number) => number> = {
  DIFF: (value, before) => value - before,
  DIFF_TIME: (_value, _before, seconds) => seconds,
  RATE: (value, before, seconds) => (value - before) / seconds,
};

function call(name: string, args: Value[], names: Names): Value {
  const [first, ...rest] = args;
  if (name === 'METRICS') return names.metrics(typeof first === 'string' ? first : '');
  if (name === 'SEARCH') return searched(first, rest, names);
  if (first === undefined) throw new Fault('InvalidParameter', `${name} needs something to work on.`);
  const reducer = reducers[name];
  if (reducer !== undefined) return reduced(first, reducer);
  const mapper = mappers[name];
  if (mapper !== undefined) return mapped(first, mapper);
  const clock = clocks[name];
  if (clock !== undefined)
    return eachOf(first, (series) => ({ ...series, values: new Map([...series.values.keys()].map((at) => [at, clock(new Date(at))])) }));
  const step = steps[name];
  if (step !== undefined) return eachOf(first, (series) => stepped(series, step));
  switch (name) {
    case 'FILL':
      return eachOf(first, (series) => filled(series, rest[0], names));
    case 'IF':
      return chosen(first, rest);
    case 'FIRST':
    case 'LAST':
      return ofOne(asList(first, name).at(name === 'FIRST' ? 0 : -1));
    case 'METRIC_COUNT':
      return asList(first, name).length;
    case 'PERIOD':
      return asList(first, name)[0]?.periodS ?? names.periodS;
    case 'REMOVE_EMPTY':
      return asList(first, name).filter(({ values }) => values.size > 0);
    case 'RUNNING_SUM':
      return eachOf(first, running);
    case 'SORT':
      return sorted(asList(first, name), rest);
    case 'SLICE':
      return sliced(asList(first, name), rest);
    case 'TIME_SERIES':
      if (typeof first !== 'number') throw new Fault('InvalidParameter', 'TIME_SERIES makes a series of one number.');
      return { label: '', periodS: names.periodS, values: new Map(names.times.map((at) => [at, first])) };
    default:
      throw new Fault('Unsupported', `berth does not implement metric math's ${clip(name)} yet.`);
  }
}

function searched(text: Value | undefined, [statistic, period]: Value[], names: Names): TimeSeries[] {
  if (typeof text !== 'string' || typeof statistic !== 'string' || (period !== undefined && typeof period !== 'number')) {
    throw new Fault(
      'InvalidParameter',
      "SEARCH takes what to look for, a statistic and, if you like, a period: SEARCH('{Namespace,Dimension} Term', 'Average', 300).",
    );
  }
  return names.search(text, statistic, period);
}

/** SORT(series, function, order[, how many]). Those without a value stand last. */
function sorted(series: readonly TimeSeries[], [by, order, most = Infinity]: Value[]): TimeSeries[] {
  const reducer = typeof by === 'string' ? reducers[by] : undefined;
  if (reducer === undefined || (order !== 'ASC' && order !== 'DESC') || typeof most !== 'number')
    throw new Fault('InvalidParameter', 'SORT takes series, one of AVG, MIN, MAX and SUM, ASC or DESC and, if you like, how many: SORT(METRICS(), MAX, DESC, 10).');
  const [empty, full] = [series.filter(({ values }) => values.size === 0), series.filter(({ values }) => values.size > 0)];
  const ranked = full.map((one) => ({ one, rank: reducer([...one.values.values()]) * (order === 'ASC' ? 1 : -1) }));
  return [...ranked.sort((a, b) => a.rank - b.rank).map(({ one }) => one), ...empty].slice(0, Math.max(0, most));
} // prettier-ignore

/** SLICE(series, n): the nth of them, from 0; SLICE(series, from, to): those before `to`. */
function sliced(series: readonly TimeSeries[], [from, to]: Value[]): Value {
  if (typeof from !== 'number' || (to !== undefined && typeof to !== 'number'))
    throw new Fault('InvalidParameter', 'SLICE takes series and one or two numbers: SLICE(METRICS(), 0, 10).');
  return to === undefined ? ofOne(series[from]) : series.slice(Math.max(0, from), Math.max(0, to));
}

function reduced(value: Value, of: (values: number[]) => number): Value {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') throw new Fault('InvalidParameter', `'${clip(value)}' is a text where series are needed.`);
  if (!Array.isArray(value)) return value.values.size === 0 ? NaN : of([...value.values.values()]);
  // Series that are missing somewhere count where they are there.
  const rows = new Map<number, number[]>();
  for (const { values } of value) for (const [at, one] of values) rows.set(at, [...(rows.get(at) ?? []), one]);
  const values = new Map([...rows].sort(([a], [b]) => a - b).map(([at, row]) => [at, of(row)]));
  return { label: '', periodS: Math.max(...value.map(({ periodS }) => periodS)), values };
}

function eachOf(value: Value, of: (series: TimeSeries) => TimeSeries): Value {
  return Array.isArray(value) ? value.map(of) : ofOne(asList(value, 'such a function').map(of)[0]);
}

function ofOne(series: TimeSeries | undefined): TimeSeries {
  if (series === undefined) throw new Fault('InvalidParameter', 'There is no series to choose one of.');
  return series;
}

function stepped(series: TimeSeries, of: (value: number, before: number, seconds: number) => number): TimeSeries {
  const points = [...series.values];
  const later = points.slice(1).map(([at, value], index): [number, number] => {
    const [atBefore, before] = points[index] as [number, number];
    return [at, of(value, before, (at - atBefore) / 1000)];
  });
  return { ...series, values: new Map(later) };
}

function running(series: TimeSeries): TimeSeries {
  let total = 0;
  return { ...series, values: new Map([...series.values].map(([at, value]) => [at, (total += value)])) };
}

/** FILL(m, number), FILL(m, REPEAT), FILL(m, LINEAR), FILL(m, other series). */
function filled(series: TimeSeries, by: Value | undefined, { times }: Names): TimeSeries {
  const values = new Map<number, number>();
  const known = [...series.values.keys()];
  for (const at of times) {
    const value = series.values.get(at) ?? filling(series, known, at, by);
    if (value !== undefined) values.set(at, value);
  }
  return { ...series, values };
}

function filling({ values }: TimeSeries, known: number[], at: number, by: Value | undefined): number | undefined {
  if (typeof by === 'number') return by;
  if (typeof by === 'object' && !Array.isArray(by)) return by.values.get(at);
  const before = known.findLast((one) => one < at);
  if (by === 'REPEAT') return before === undefined ? undefined : values.get(before);
  if (by !== 'LINEAR') throw new Fault('InvalidParameter', 'FILL needs a number, a series, REPEAT or LINEAR.');
  const next = known.find((one) => one > at);
  if (before === undefined || next === undefined) return undefined;
  const [low = 0, high = 0] = [values.get(before), values.get(next)];
  return low + ((high - low) * (at - before)) / (next - before);
}

/** IF(condition, then[, else]): without an else no value where the condition is 0. */
function chosen(condition: Value, [then, otherwise]: Value[]): Value {
  const isOperand = (value: Value | undefined): value is number | TimeSeries =>
    typeof value === 'number' || (typeof value === 'object' && !Array.isArray(value));
  if (!isOperand(condition) || !isOperand(then) || (otherwise !== undefined && !isOperand(otherwise))) {
    throw new Fault('InvalidParameter', 'IF takes a condition, a value and another one, each a number or one series.');
  }
  if (typeof condition === 'number') return condition !== 0 ? then : (otherwise ?? NaN);
  const valueAt = (one: number | TimeSeries | undefined, at: number) => (typeof one === 'object' ? one.values.get(at) : one);
  const values = [...condition.values].flatMap(([at, holds]): [number, number][] => {
    const value = valueAt(holds !== 0 ? then : otherwise, at);
    return value === undefined ? [] : [[at, value]];
  });
  return { ...condition, values: new Map(values) };
}
