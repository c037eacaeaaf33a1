/** Aligned tables: the columns that may shrink give way when the terminal is narrow. */
import { cut, printable } from './terminal.ts';
import type { Style, Terminal } from './terminal.ts';

export type Column<Row> = {
  title: string;
  value(row: Row): string;
  align?: 'left' | 'right';
  style?(row: Row): Style;
  /** Least width it may shrink to; without it the column keeps its width. */
  shrinkTo?: number;
  /** Left out, lowest first, when shrinking is not enough. */
  drop?: number;
  /** Left out when no row has a value. */
  optional?: boolean;
};

const GAP = 2;

/** Lines of a table, heading first, cut to `width` columns (Infinity: never cut). */
export function renderTable<Row>(columns: Column<Row>[], rows: Row[], width: number, style: Terminal['style']): string[] {
  const { shown, widths } = choose(
    columns.filter((column) => column.optional !== true || rows.some((row) => column.value(row) !== '')),
    rows,
    width,
  );
  const last = shown.length - 1;
  const cell = (text: string, index: number, look: Style): string => {
    const column = shown[index];
    const room = widths[index] ?? 0;
    const short = cut(text, room);
    const padding = ' '.repeat(Math.max(0, room - [...short].length));
    if (column?.align === 'right') return padding + style(look, short);
    return style(look, short) + (index === last ? '' : padding);
  };
  const join = (cells: string[]) => cells.join(' '.repeat(GAP)).trimEnd();
  const heading = join(shown.map((column, index) => cell(column.title, index, 'dim')));
  return [
    heading,
    ...rows.map((row) => join(shown.map((column, index) => cell(column.value(row), index, column.style?.(row) ?? 'plain')))),
  ];
}

/** The columns that fit: all of them shrunk, else without those that may be dropped, else shrunk without mercy. */
function choose<Row>(columns: Column<Row>[], rows: Row[], width: number): { shown: Column<Row>[]; widths: number[] } {
  let shown = columns;
  for (;;) {
    const natural = shown.map((column) => naturalWidth(column, rows));
    const widths = shrink(
      natural,
      shown.map((column) => column.shrinkTo ?? Infinity),
      width,
    );
    if (total(widths) <= width) return { shown, widths };
    const next = shown.filter((column) => column.drop !== undefined).sort((a, b) => (a.drop ?? 0) - (b.drop ?? 0))[0];
    if (next === undefined) {
      const least = shown.map(() => 1);
      return { shown, widths: shrink(widths, least, width) };
    }
    shown = shown.filter((column) => column !== next);
  }
}

function naturalWidth<Row>(column: Column<Row>, rows: Row[]): number {
  return rows.reduce((most, row) => Math.max(most, [...printable(column.value(row))].length), [...column.title].length);
}

const total = (widths: number[]) => widths.reduce((sum, w) => sum + w, 0) + GAP * Math.max(0, widths.length - 1);

/** The widest that is above its least width gives way, until the line fits or none can. */
function shrink(natural: number[], least: number[], width: number): number[] {
  const widths = [...natural];
  while (total(widths) > width) {
    let widest = -1;
    widths.forEach((w, index) => {
      if (w > (least[index] ?? Infinity) && w > (widths[widest] ?? 0)) widest = index;
    });
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 1) - 1;
  }
  return widths;
}

export function printTable<Row>(terminal: Terminal, columns: Column<Row>[], rows: Row[]): void {
  for (const line of renderTable(columns, rows, terminal.width(), terminal.style)) terminal.line(line);
}
