/** Values of Logs Insights and how they are compared, counted with and shown. Source: CloudWatch Logs user guide, "CloudWatch Logs Insights query syntax". */

/** A time in ms since the epoch, which is shown as one. */
export class Instant {
  readonly at: number;
  constructor(at: number) {
    this.at = at;
  }
}

/** undefined: the field isn't there. */
export type Value = string | number | boolean | Instant | undefined;

/** undefined: no number. */
export function toNumber(value: Value): number | undefined {
  if (value instanceof Instant) return value.at;
  if (typeof value === 'string' && value.trim() === '') return undefined;
  const number = value === undefined ? NaN : Number(value);
  return Number.isNaN(number) ? undefined : number;
}

export function toText(value: Value): string {
  if (value === undefined) return '';
  if (value instanceof Instant) return new Date(value.at).toISOString().replace('T', ' ').replace('Z', '');
  if (typeof value === 'boolean') return value ? '1' : '0';
  return typeof value === 'number' ? String(Number.isInteger(value) ? value : Number(value.toFixed(4))) : value;
}

export const isTrue = (value: Value): boolean => value === true || (typeof value === 'number' && value !== 0);

/** By number where both are numbers, else by text; what isn't there comes first. */
export function compareValues(a: Value, b: Value): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  const [x, y] = [toNumber(a), toNumber(b)];
  if (x !== undefined && y !== undefined) return x - y;
  const [s, t] = [toText(a), toText(b)];
  return s < t ? -1 : Number(s > t);
}
