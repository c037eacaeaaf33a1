/** For property tests of an API: calls with one value of a good input replaced, and what must hold of every call, good or bad. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import type { ApiErrors } from '#gateway/types.ts';

type Path = (string | number)[];
export type Call = { name: string; input: unknown };
type GoodInputs = Record<string, unknown>;
export type Target = {
  call: (name: string, input: unknown) => Promise<unknown>;
  /** All that these operations may write, as text. */
  written: () => Promise<string>;
  errors: ApiErrors;
  /** Those of refusals: 400 alone unless told. */
  statuses?: readonly number[];
};

/** Texts that no member means. */
export const oddTexts = ['', ' ', '*', '?', '__proto__', 'constructor', '../x', 'é', '\u0000', '0', '-1', '65536', 'x'.repeat(2000)];
/** Numbers that few members mean. */
export const oddNumbers = [-1, 0, 1.5, 65_536, 2 ** 31];

/** The good input of one of these operations, with one value in the place of another; `long`: how long a list becomes. */
export function spoiledCalls(good: GoodInputs, names: string[], junk: fc.Arbitrary<unknown>, long: number): fc.Arbitrary<Call> {
  const withLeaves = names.filter((name) => leavesOf(good[name]).length > 0);
  return fc
    .record({ name: fc.constantFrom(...withLeaves), at: fc.nat(), other: fc.oneof(junk, fc.constant('undefined')) })
    .map(({ name, at, other }) => {
      const leaves = leavesOf(good[name]);
      return { name, input: replaced(good[name], leaves[at % leaves.length] ?? [], other, long) };
    });
}

/**
 * Either it is done (true), or it is refused as the caller's mistake, with a text that a person can use, and nothing is other than it was.
 * Fails the test otherwise.
 */
export async function isDoneOrRefused({ name, input }: Call, { call, written, errors, statuses = [400] }: Target): Promise<boolean> {
  const before = await written();
  try {
    await call(name, input);
    return true;
  } catch (error) {
    assert.ok(isFault(error), `${name}: ${String(error)} for ${show(input)}`);
    const { errorName } = error.details;
    const { status } = errors.name(error.code, typeof errorName === 'string' ? errorName : undefined);
    assert.ok(statuses.includes(status), `${name}: ${status} ${error.code} ${error.message}`);
    assert.ok(error.message.length > 0 && error.message.length < 1000, `${name}: ${error.message}`);
    assert.equal(await written(), before, `${name} was refused (${error.message}) and changed something, for ${show(input)}`);
    return false;
  }
}

/** Twenty missing members, each with its path. */
const TEXT_MAX = 5000;
const OURS =
  /\/(?:src|node_modules)\/|\.ts\b|\n\s+at |file:\/\/|node:|sqlite|undefined|\[object|TypeError|RangeError|is not a function|Cannot read|ENOENT|\/tmp\//i;

/** A refusal's text is one that a person can use, and has nothing of berth's own that the input hasn't. */
export function assertFit(operation: string, message: string, input: unknown): void {
  assert.ok(message.length > 0 && message.length < TEXT_MAX, `${operation}: a text of ${message.length} for ${show(input)}`);
  const leak = OURS.exec(message)?.[0];
  assert.ok(leak === undefined || JSON.stringify(input).includes(leak), `${operation}: ${message} for ${show(input)}`);
}

/** What the SDK's own documentation of the operation says that it throws. */
export function declaredErrors(sdkPackage: string, operation: string): string[] {
  const file = new URL(`../../node_modules/${sdkPackage}/dist-types/commands/${operation}Command.d.ts`, import.meta.url);
  return [...readFileSync(file, 'utf8').matchAll(/@throws \{@link (\w+)\} \(client fault\)/g)].map(([, name = '']) => name);
}

export const show = (input: unknown): string => JSON.stringify(input).slice(0, 2000);

function leavesOf(value: unknown, path: Path = []): Path[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((item, index) => leavesOf(item, [...path, index]))];
  if (typeof value === 'object' && value !== null) return Object.entries(value).flatMap(([key, item]) => leavesOf(item, [...path, key]));
  return [path];
}

/** The value at a path in place of another: of its own kind, since the gateway decodes by the shapes; a list becomes empty or long. */
function replaced(value: unknown, path: Path, other: unknown, long: number): unknown {
  const [at, ...rest] = path;
  if (at === undefined) {
    if (Array.isArray(value)) return other === '' || value.length === 0 ? [] : Array.from({ length: long }, () => value[0]);
    if (other === 'undefined') return undefined;
    if (typeof value === 'number') return typeof other === 'number' ? other : value + 1;
    if (typeof value === 'boolean') return !value;
    return String(other);
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => (index === at ? replaced(item, rest, other, long) : item)).filter((item) => item !== undefined);
  }
  const source = value as Record<string, unknown>;
  return { ...source, [at]: replaced(source[at], rest, other, long) };
}
