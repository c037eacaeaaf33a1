/** Which record a tagging call's ARN names. */
import { Fault } from '#base/fault.ts';
import { ecsResource, serviceSubKey, taskDefinitionRef } from '#domain/arn.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { Taggable } from '#intent/index.ts';

/** Throws InvalidParameter for text that is no ARN of this account and region, ResourceNotFound for kinds that aren't kept here yet. */
export function taggableOf(scope: Scope, arn: string | undefined): Taggable {
  const resource = ecsResource(scope, arn ?? '');
  if (resource === undefined) {
    throw new Fault(
      'InvalidParameter',
      `'${clip(arn ?? '')}' is not the ARN of an ECS resource of account ${scope.account} in ${scope.region}.`,
    );
  }
  const [kind, first, second, ...more] = resource.split('/');
  if (kind === 'cluster' && first !== undefined && second === undefined) return { kind, name: first };
  if (kind === 'task' && first !== undefined && second !== undefined && more.length === 0) return { kind, cluster: first, id: second };
  if (kind === 'service' && first !== undefined && second !== undefined && more.length === 0) {
    return { kind, cluster: first, name: second };
  }
  const set = kind === 'task-set' ? serviceSubKey(scope, 'task-set', arn ?? '') : undefined;
  if (set !== undefined) return { kind: 'task-set', cluster: set.cluster, name: set.name, id: set.id };
  if (kind === 'task-definition' && arn !== undefined) {
    const { family, revision } = taskDefinitionRef(scope, arn);
    if (revision !== undefined) return { kind, family, revision };
  }
  throw new Fault('ResourceNotFound', 'The specified resource was not found.');
}
