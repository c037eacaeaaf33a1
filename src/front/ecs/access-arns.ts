/**
 * One resource has one ARN, whatever way the call names it: a policy about task/prod/ID must hold for the older ARN without a cluster too. What can't be
 * read stays as it was given; the operation refuses it.
 */
import { isFault } from '#base/fault.ts';
import { clusterName, ecsArn, serviceArn, serviceName, serviceSubKey, taskArn, taskDefinitionRef, taskId } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';

export function taskOf(scope: Scope, cluster: string | undefined, ref: string): string {
  const name = clusterName(scope, cluster);
  return readable(() => taskArn({ ...scope, cluster: name, id: taskId(scope, name, ref) }), ref.startsWith('arn:') ? ref : ecsArn(scope, `task/${name}/${ref}`)); // prettier-ignore
}

export function serviceOf(scope: Scope, cluster: string | undefined, ref = ''): string {
  const name = clusterName(scope, cluster);
  return readable(
    () => serviceArn(scope, name, serviceName(scope, name, ref)),
    ref.startsWith('arn:') ? ref : serviceArn(scope, name, ref),
  );
}

/** Of a family alone the ARN has no revision, as AWS asks for it. */
export function definitionOf(scope: Scope, ref: string): string {
  const built = () => {
    const { family, revision } = taskDefinitionRef(scope, ref);
    return ecsArn(scope, `task-definition/${family}${revision === undefined ? '' : `:${revision}`}`);
  };
  return readable(built, ref.startsWith('arn:') ? ref : ecsArn(scope, `task-definition/${ref}`));
}

export function canonical(scope: Scope, arn: string): string {
  return arn.includes(':task-definition/') ? definitionOf(scope, arn) : arn;
}

/** A deployment or revision, and the service that it is of. */
export function partsOf(
  scope: Scope,
  kind: 'service-deployment' | 'service-revision',
  arns: readonly (string | undefined)[] = [],
): string[] {
  const services = arns.flatMap((arn) => {
    const key = serviceSubKey(scope, kind, arn ?? '');
    return key === undefined ? [] : [serviceArn(scope, key.cluster, key.name)];
  });
  return [...arns.map((arn) => arn ?? ''), ...new Set(services)];
}

function readable(read: () => string, otherwise: string): string {
  try {
    return read();
  } catch (error) {
    if (isFault(error)) return otherwise;
    throw error;
  }
}
