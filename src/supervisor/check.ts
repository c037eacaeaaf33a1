/** Run-time checks of what a peer sent: each gives the value back with its type, or throws ProtocolError naming the place. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';

export type Check<T> = (value: unknown, at: string) => T;
export type Checked<C> = C extends Check<infer T> ? T : never;

function wrong(at: string, wanted: string, value: unknown): never {
  const seen = value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
  throw new Fault('ProtocolError', `${at || 'the message'} should be ${wanted}, but is ${seen}`);
}

export const text =
  (maxChars: number = limits.supervisorTextBytes): Check<string> =>
  (value, at) =>
    typeof value === 'string' && value.length <= maxChars ? value : wrong(at, `text of at most ${maxChars} characters`, value);

/** Text for people: control characters but newline and tab, which could steer a terminal, become blanks. */
export const words =
  (maxChars: number = limits.supervisorTextBytes): Check<string> =>
  (value, at) =>
    text(maxChars)(value, at).replace(/[^\P{Cc}\n\t]/gu, ' ');

/** A whole number in [min, max]; what JSON can't hold exactly is refused. */
export const whole =
  (min: number = 0, max: number = Number.MAX_SAFE_INTEGER): Check<number> =>
  (value, at) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? (value as number)
      : wrong(at, `a whole number from ${min} to ${max}`, value);

export const flag: Check<boolean> = (value, at) => (typeof value === 'boolean' ? value : wrong(at, 'true or false', value));

export const oneOf =
  <const T extends string>(...values: T[]): Check<T> =>
  (value, at) =>
    values.includes(value as T) ? (value as T) : wrong(at, `one of ${values.join(', ')}`, value);

export const orNull =
  <T>(inner: Check<T>): Check<T | null> =>
  (value, at) =>
    value === null ? null : inner(value, at);

/** For a member that an older peer doesn't send. */
export const orElse =
  <T>(inner: Check<T>, fallback: T): Check<T> =>
  (value, at) =>
    value === undefined ? fallback : inner(value, at);

/** For a member that need not be there. */
export const optional =
  <T>(inner: Check<T>): Check<T | undefined> =>
  (value, at) =>
    value === undefined ? undefined : inner(value, at);

/** An object of another program's, which is handed on as it is. */
export const anyRecord: Check<Record<string, unknown>> = (value, at) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : wrong(at, 'an object', value);

export const list =
  <T>(inner: Check<T>, max: number): Check<T[]> =>
  (value, at) => {
    if (!Array.isArray(value) || value.length > max) return wrong(at, `a list of at most ${max}`, value);
    return value.map((item, index) => inner(item, `${at}[${index}]`));
  };

export const textMap = (max: number): Check<Record<string, string>> => mapOf(text(), max);

export const mapOf =
  <T>(check: Check<T>, max: number): Check<Record<string, T>> =>
  (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(at, 'an object', value);
    const entries = Object.entries(value);
    if (entries.length > max) return wrong(at, `an object of at most ${max} members`, value);
    return Object.fromEntries(entries.map(([key, item]) => [key, check(item, `${at}.${key}`)]));
  };

/** Members that are not named here are dropped: a newer peer may say more. */
export const record =
  <S extends Record<string, Check<unknown>>>(shape: S): Check<{ [K in keyof S]: Checked<S[K]> }> =>
  (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(at, 'an object', value);
    const out: Record<string, unknown> = {};
    for (const [key, check] of Object.entries(shape)) {
      const item = check((value as Record<string, unknown>)[key], at === '' ? key : `${at}.${key}`);
      if (item !== undefined) out[key] = item;
    }
    return out as { [K in keyof S]: Checked<S[K]> };
  };
