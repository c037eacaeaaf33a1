/** ARNs: building and reading them, and the short names that the API takes in their place. */
import { Fault } from '#base/fault.ts';
import type { Scope } from './scope.ts';
import type { ServiceKey } from './service.ts';
import type { TaskKey } from './task.ts';

export type Arn = { partition: string; service: string; region: string; account: string; resource: string };

/** undefined when the text is not an ARN at all. */
export function parseArn(text: string): Arn | undefined {
  const [arn, partition, service, region, account, ...resource] = text.split(':');
  if (arn !== 'arn' || partition === undefined || service === undefined || region === undefined || account === undefined) return undefined;
  return { partition, service, region, account, resource: resource.join(':') };
}

export function ecsArn(scope: Scope, resource: string): string {
  return `arn:aws:ecs:${scope.region}:${scope.account}:${resource}`;
}

export const clusterArn = (scope: Scope, name: string) => ecsArn(scope, `cluster/${name}`);
export const taskArn = (key: TaskKey) => ecsArn(key, `task/${key.cluster}/${key.id}`);
export const containerArn = (key: TaskKey, containerId: string) => ecsArn(key, `container/${key.cluster}/${key.id}/${containerId}`);
export const taskDefinitionArn = (scope: Scope, family: string, revision: number) => ecsArn(scope, `task-definition/${family}:${revision}`);
export const capacityProviderArn = (scope: Scope, name: string) => ecsArn(scope, `capacity-provider/${name}`);
export const serviceArn = (scope: Scope, cluster: string, name: string) => ecsArn(scope, `service/${cluster}/${name}`);

export const serviceDeploymentArn = (scope: Scope, cluster: string, name: string, id: string) =>
  ecsArn(scope, `service-deployment/${cluster}/${name}/${id}`);
export const serviceRevisionArn = (scope: Scope, cluster: string, name: string, id: string) =>
  ecsArn(scope, `service-revision/${cluster}/${name}/${id}`);
export const taskSetArn = (scope: Scope, cluster: string, name: string, revisionId: string) =>
  ecsArn(scope, `task-set/${cluster}/${name}/ecs-svc/${revisionId}`);

export function ec2Arn(scope: Scope, resource: string): string {
  return `arn:aws:ec2:${scope.region}:${scope.account}:${resource}`;
}

/** The resource part of an ECS ARN of this account and region; undefined for any other ARN or text. */
export function ecsResource(scope: Scope, text: string): string | undefined {
  const arn = parseArn(text);
  if (arn === undefined || arn.service !== 'ecs' || arn.region !== scope.region || arn.account !== scope.account) return undefined;
  return arn.resource;
}

/** A cluster's name from its name or ARN; `default` when left out. Throws ClusterNotFound for an ARN from elsewhere. */
export function clusterName(scope: Scope, ref: string | undefined): string {
  if (ref === undefined || ref === '') return 'default';
  if (!ref.startsWith('arn:')) return ref;
  const match = /^cluster\/([^/]+)$/.exec(ecsResource(scope, ref) ?? '');
  if (match?.[1] === undefined) throw new Fault('ClusterNotFound', 'Cluster not found.');
  return match[1];
}

/**
 * A task's id from its id or ARN (the short form without a cluster too). Throws InvalidParameter when the text can't be either, or
 * names another cluster.
 */
export function taskId(scope: Scope, cluster: string, ref: string): string {
  if (!ref.startsWith('arn:')) return assertShortId(ref);
  const parts = (ecsResource(scope, ref) ?? '').split('/');
  const [kind, first, second] = parts;
  if (kind !== 'task' || first === undefined || parts.length > 3) throw invalidIdentifier();
  if (second !== undefined && first !== cluster) {
    throw new Fault('InvalidParameter', `Invalid identifier: Identifier is for ${first}. Your cluster is ${cluster}`);
  }
  return assertShortId(second ?? first);
}

/**
 * A service's name from its name or ARN (the short form without a cluster too). Throws InvalidParameter when the text can't be either, or
 * names another cluster.
 */
export function serviceName(scope: Scope, cluster: string, ref: string): string {
  if (!ref.startsWith('arn:')) return assertShortId(ref);
  const parts = (ecsResource(scope, ref) ?? '').split('/');
  const [kind, first, second] = parts;
  if (kind !== 'service' || first === undefined || first === '' || parts.length > 3) throw invalidIdentifier();
  if (second !== undefined && first !== cluster) {
    throw new Fault('InvalidParameter', `Invalid identifier: Identifier is for ${first}. Your cluster is ${cluster}`);
  }
  return assertShortId(second ?? first);
}

/**
 * What the ARN of a service's deployment, revision or task set names: `service-deployment/C/S/ID`, `service-revision/C/S/ID`,
 * `task-set/C/S/ecs-svc/DIGITS` (the id is then `ecs-svc/DIGITS`). undefined for any other text.
 */
export function serviceSubKey(
  scope: Scope,
  kind: 'service-deployment' | 'service-revision' | 'task-set',
  arn: string,
): (ServiceKey & { id: string }) | undefined {
  const [found, cluster, name, ...id] = (ecsResource(scope, arn) ?? '').split('/');
  if (found !== kind || !cluster || !name || id.length === 0 || id.includes('')) return undefined;
  return { account: scope.account, region: scope.region, cluster, name, id: id.join('/') };
}

/** `family`, `family:revision` or the ARN; revision undefined when left out. Throws ClientError when it is none of these. */
export function taskDefinitionRef(scope: Scope, ref: string): { family: string; revision: number | undefined } {
  const resource = ref.startsWith('arn:') ? ecsResource(scope, ref)?.replace(/^task-definition\//, '') : ref;
  const match = /^([\w-]{1,255})(?::(\d{1,9}))?$/.exec(resource ?? '');
  if (match?.[1] === undefined) throw new Fault('ClientError', 'Unable to describe task definition.');
  return { family: match[1], revision: match[2] === undefined ? undefined : Number(match[2]) };
}

function assertShortId(id: string): string {
  if (id.includes('/') || id.includes(':')) throw invalidIdentifier();
  return id;
}

function invalidIdentifier(): Fault {
  return new Fault('InvalidParameter', 'Invalid identifier: Unexpected number of separators');
}
