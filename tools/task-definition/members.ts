/** The members of the two operations, nested, to the leaves, as the SDK's schemas have them; and which of them a value has. */
import * as ecsPackage from '@aws-sdk/client-ecs';
import { extractShapes, linkShapes } from '#gateway/shapes.ts';
import type { Shape } from '#gateway/shapes.ts';
import { containerMembers } from './container-members.ts';
import { taskMembers, volumeMembers } from './register-members.ts';
import { runMembers } from './run-members.ts';
import type { Entry, Operation } from './status.ts';

export const entries: Record<Operation, Entry[]> = {
  RegisterTaskDefinition: [...taskMembers, ...containerMembers, ...volumeMembers],
  RunTask: runMembers,
};
export const operations = Object.keys(entries) as Operation[];

const shapes = linkShapes(extractShapes(ecsPackage, operations));

export function inputShape(operation: Operation): Shape {
  const found = shapes.operations.get(operation);
  if (found === undefined) throw new Error(`the SDK has no operation ${operation}`);
  return found.input;
}

/** `containerDefinitions[].healthCheck.command[]`, ...; in the SDK's order. */
export function leavesOf(shape: Shape, path = ''): string[] {
  switch (shape.kind) {
    case 'structure':
      return [...shape.members].flatMap(([name, member]) => leavesOf(member.shape, path === '' ? name : `${path}.${name}`));
    case 'list':
      return leavesOf(shape.item.shape, `${path}[]`);
    case 'map':
      return leavesOf(shape.value.shape, `${path}{}`);
    default:
      return [path];
  }
}

export const pathsOf = (entry: Entry): string[] => entry.leaves.map((leaf) => (entry.at === '' ? leaf : `${entry.at}.${leaf}`));

type Step = { name: string; each: 'none' | 'items' | 'values' };
const stepsOf = (path: string): Step[] =>
  path.split('.').map((part) => {
    const name = part.replace(/(?:\[\]|\{\})$/, '');
    return { name, each: part.endsWith('[]') ? 'items' : part.endsWith('{}') ? 'values' : 'none' };
  });

/** Whether anything stands at the path. */
export function hasLeaf(value: unknown, path: string): boolean {
  return without(value, stepsOf(path)).found;
}

/** The value without what stands at the path: a list or a map of simple values goes whole. */
export function dropLeaf<T>(value: T, path: string): T {
  return without(value, stepsOf(path)).value as T;
}

function without(value: unknown, [step, ...rest]: Step[]): { value: unknown; found: boolean } {
  if (step === undefined || typeof value !== 'object' || value === null) return { value, found: false };
  const { [step.name]: member, ...others } = value as Record<string, unknown>;
  if (member === undefined) return { value, found: false };
  if (rest.length === 0) return { value: others, found: true };
  if (step.each !== 'items') {
    const inner = without(member, rest);
    return { value: { ...others, [step.name]: inner.value }, found: inner.found };
  }
  const inner = (member as unknown[]).map((item) => without(item, rest));
  return { value: { ...others, [step.name]: inner.map((one) => one.value) }, found: inner.some((one) => one.found) };
}
