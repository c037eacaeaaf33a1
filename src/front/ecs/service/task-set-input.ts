/** Parts of task set calls. */
import type { Scale } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clusterName, serviceName, serviceSubKey, taskSetArn } from '#domain/arn.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { revisionIdOf } from './describe-task-set.ts';

/** Percent of the service's desired count; 0 where nothing is said, as in AWS. Throws InvalidParameter. */
export function scaleOf(scale: Scale | undefined): number {
  const unit = scale?.unit ?? 'PERCENT';
  if (unit !== 'PERCENT') throw new Fault('InvalidParameter', `The unit of a task set's scale must be PERCENT; it is '${clip(unit)}'.`);
  return scale?.value ?? 0;
}

/** Cluster, service and task set that a call names by short names or ARNs. Throws InvalidParameter. */
export function taskSetTarget(
  scope: Scope,
  input: { cluster?: string | undefined; service?: string | undefined },
  ref: string,
): { cluster: string; service: string; id: string } {
  const cluster = clusterName(scope, input.cluster);
  const service = serviceName(scope, cluster, input.service ?? '');
  return { cluster, service, id: taskSetId(scope, cluster, service, ref) };
}

/** `ecs-svc/DIGITS` from that, the digits alone, or the ARN. */
export function taskSetId(scope: Scope, cluster: string, service: string, ref: string): string {
  if (!ref.startsWith('arn:')) return ref.startsWith('ecs-svc/') ? ref : `ecs-svc/${ref}`;
  const key = serviceSubKey(scope, 'task-set', ref);
  if (key?.cluster === cluster && key.name === service) return key.id;
  throw new Fault('InvalidParameter', `'${clip(ref, 200)}' is not the ARN of a task set of the service ${clip(service)}.`);
}

export function taskSetResource(
  scope: Scope,
  input: { cluster?: string | undefined; service?: string | undefined },
  ref: string | undefined,
): string {
  if (ref?.startsWith('arn:') === true) return ref;
  const service = (input.service ?? '').split('/').at(-1) ?? '';
  return taskSetArn(scope, clusterName(scope, input.cluster), service, ref === undefined ? '*' : revisionIdOf(ref));
}
