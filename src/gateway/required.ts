/** Finds members that a shape requires and an input lacks, and says so in AWS's words. */
import type { Shape } from './shapes.ts';

/** More than these are not looked for: one is enough to refuse. */
const MISSING_MAX = 20;

/** Paths of required members that are absent, as AWS writes them: `containerDefinitions.1.member.name`. */
export function missingMembers(shape: Shape, input: unknown): string[] {
  const missing: string[] = [];
  collect(shape, input, '', missing);
  return missing.slice(0, MISSING_MAX);
}

/** AWS's text about them. */
export function missingText(missing: string[]): string {
  const parts = missing.map((path) => `Value null at '${path}' failed to satisfy constraint: Member must not be null`);
  const count = `${missing.length} validation error${missing.length === 1 ? '' : 's'} detected`;
  return `${count}: ${parts.join('; ')}`;
}

function collect(shape: Shape, value: unknown, path: string, missing: string[]): void {
  if (value === undefined || value === null || missing.length >= MISSING_MAX) return;
  switch (shape.kind) {
    case 'structure': {
      const source = value as Record<string, unknown>;
      for (const name of shape.required) if (source[name] === undefined) missing.push(join(path, name));
      for (const [name, member] of shape.members) collect(member.shape, source[name], join(path, name), missing);
      return;
    }
    case 'list':
      (value as unknown[]).forEach((item, i) => collect(shape.item.shape, item, `${path}.${i + 1}.member`, missing));
      return;
    case 'map':
      for (const [key, item] of Object.entries(value)) collect(shape.value.shape, item, `${path}.${key}.member`, missing);
      return;
    default:
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
