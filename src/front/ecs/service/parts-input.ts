/** Lists of ARNs of service deployments or revisions, as Describe calls take them. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { serviceSubKey } from '#domain/arn.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { ServiceKey } from '#domain/service.ts';

type Kind = 'service-deployment' | 'service-revision' | 'task-set';

/** Each ARN once. Throws InvalidParameter when there are none or too many. */
export function assertArns(arns: readonly string[] | undefined, what: string): string[] {
  const given = [...new Set(arns ?? [])];
  const most = limits.describeServiceParts;
  if (given.length === 0) throw new Fault('InvalidParameter', `${what} cannot be empty.`);
  if (given.length > most) throw new Fault('InvalidParameter', `${what} can have at most ${most} items; there are ${given.length}.`);
  return given;
}

/** What an ARN of this account and region names. Throws InvalidParameter. */
export function partKey(scope: Scope, kind: Kind, arn: string): ServiceKey & { id: string } {
  const key = serviceSubKey(scope, kind, arn);
  if (key !== undefined) return key;
  throw new Fault('InvalidParameter', `'${clip(arn, 200)}' is not the ARN of a ${kind} of account ${scope.account} in ${scope.region}.`);
}
