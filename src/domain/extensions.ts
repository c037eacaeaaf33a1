/**
 * Extensions: what berth allows beyond Fargate, each switched on by name. A cluster's tag `berth:extensions` permits one to its tasks; a
 * task definition's tag asks for it.
 */
import { Fault } from '#base/fault.ts';
import { ISOLATION_TAG, isolationOn } from './isolation.ts';
import { clip } from './names.ts';
import type { ClusterRecord, HostRecord } from './records.ts';
import { tagValue } from './tag-value.ts';
import type { ContainerSpec, TaskSpec } from './task-spec.ts';
import type { Tag } from './task.ts';

/** `privileged`: privileged containers, any capability, devices of the guest. Only in a microVM, whose border they don't touch. */
export type Extension = 'privileged';
const extensions: readonly Extension[] = ['privileged'];

export const EXTENSIONS_TAG = 'berth:extensions';
/** What Fargate lets a container add (ECS API reference, "KernelCapabilities"). */
const fargateCapabilities: readonly string[] = ['SYS_PTRACE', 'CAP_SYS_PTRACE'];

/** Names, separated by spaces or commas. Throws InvalidParameter for one that berth doesn't have. */
export function parseExtensions(value: string): Extension[] {
  const names = value.split(/[\s,]+/).filter((name) => name !== '');
  return names.map((name) => {
    const extension = extensions.find((known) => known === name);
    if (extension !== undefined) return extension;
    throw new Fault(
      'InvalidParameter',
      `'${clip(name)}' is not an extension that the tag ${EXTENSIONS_TAG} can name: use ${extensions.join(', ')}.`,
    );
  });
}

export function hasExtension(tags: readonly Tag[], extension: Extension): boolean {
  return parseExtensions(tagValue(tags, EXTENSIONS_TAG) ?? '').includes(extension);
}

/** What of a task only the extension `privileged` allows, in words: `privileged (container 'app')`; undefined when nothing does. */
export function beyondFargate(spec: Pick<TaskSpec, 'containers'>): string | undefined {
  for (const container of spec.containers) {
    const what = wishBeyondFargate(container);
    if (what !== undefined) return `${what} (container '${container.name}')`;
  }
  return undefined;
}

function wishBeyondFargate(container: ContainerSpec): string | undefined {
  if (container.privileged) return 'privileged';
  const capability = container.capabilities.add.find((name) => !fargateCapabilities.includes(name.toUpperCase()));
  if (capability !== undefined) return `the capability ${capability}`;
  return container.devices.length > 0 ? 'devices' : undefined;
}

/**
 * The spec as it may run in this cluster on these hosts. What goes beyond Fargate is bound to a microVM: `auto` becomes that by name, so
 * that nothing weaker can be chosen later. Throws InvalidParameter when the cluster doesn't allow it or the task would run in less.
 */
export function withExtensions(spec: TaskSpec, cluster: Pick<ClusterRecord, 'key' | 'tags'>, hosts: readonly HostRecord[]): TaskSpec {
  const what = beyondFargate(spec);
  if (what === undefined) return spec;
  if (!hasExtension(cluster.tags, 'privileged')) {
    throw new Fault(
      'InvalidParameter',
      `The task definition asks for ${what}, which the cluster '${cluster.key.name}' doesn't allow: its tag ${EXTENSIONS_TAG} must name 'privileged'.`,
    );
  }
  const connected = hosts.filter((host) => host.status === 'CONNECTED');
  const virtual =
    spec.isolation === 'microvm' || (spec.isolation === 'auto' && connected.some((host) => isolationOn(host, 'auto') === 'microvm'));
  if (virtual) return { ...spec, isolation: 'microvm' };
  const becomes = spec.isolation === 'auto' ? connected.flatMap((host) => isolationOn(host, 'auto') ?? []).at(0) : spec.isolation;
  const says = spec.isolation === 'auto' ? `'auto', which is ${becomes ?? 'nothing'} here` : `'${spec.isolation}'`;
  throw new Fault(
    'InvalidParameter',
    `The task definition asks for ${what}, which only a microVM may have, and the task's isolation is ${says}: ask for microvm by the tag ${ISOLATION_TAG}.`,
  );
}
