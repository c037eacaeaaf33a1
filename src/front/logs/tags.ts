/** Tags of log groups, shared by the operations of both generations. */
import { Fault } from '#base/fault.ts';
import type { Scope } from '#domain/scope.ts';
import type { Logs } from '#logs/types.ts';

export async function tagsOf(logs: Logs, scope: Scope, name: string): Promise<Record<string, string>> {
  const group = await logs.getGroup(scope, name);
  if (group === undefined) throw new Fault('ResourceNotFound', 'The specified log group does not exist.');
  return group.tags;
}

export async function addTags(logs: Logs, scope: Scope, name: string, tags: Record<string, string>): Promise<void> {
  await logs.setGroupTags(scope, name, { ...(await tagsOf(logs, scope, name)), ...tags });
}

export async function removeTags(logs: Logs, scope: Scope, name: string, keys: string[]): Promise<void> {
  const left = Object.entries(await tagsOf(logs, scope, name)).filter(([key]) => !keys.includes(key));
  await logs.setGroupTags(scope, name, Object.fromEntries(left));
}
