/**
 * Extensions: what berth allows beyond Fargate, each switched on by name. A cluster's tag `berth:extensions` permits one to its tasks; a
 * task definition's tag asks for it.
 */
import { Fault } from '#base/fault.ts';
import { blockVolumes } from './block-volume.ts';
import { cpuMillisToUnits, isFargateSize, MEBIBYTE } from './fargate-sizes.ts';
import { ISOLATION_TAG, isolationOn } from './isolation.ts';
import { clip } from './names.ts';
import type { ClusterRecord, HostRecord } from './records.ts';
import { tagValue } from './tag-value.ts';
import type { ContainerSpec, IsolationKind, TaskSpec } from './task-spec.ts';
import type { Tag } from './task.ts';

/**
 * `privileged`: privileged containers, any capability, devices of the guest. Only in a microVM, whose border they don't touch.
 * `capabilities`: any capability that the task's kind of sandbox can give without letting it out (`capabilityFits`).
 * `sizes`: any CPU and memory, not only Fargate's pairs, and more than 200 GiB of ephemeral storage. `timeouts`: start and stop time-outs over Fargate's two minutes.
 * `volumes`: volumes that are known by their names, and outlive their tasks (dockerVolumeConfiguration).
 */
export type Extension = 'privileged' | 'capabilities' | 'sizes' | 'timeouts' | 'volumes';
const extensions: readonly Extension[] = ['privileged', 'capabilities', 'sizes', 'timeouts', 'volumes'];

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

export function extensionsOf(tags: readonly Tag[]): Extension[] {
  return parseExtensions(tagValue(tags, EXTENSIONS_TAG) ?? '');
}

/** What Fargate allows at most, in seconds (ECS API reference, ContainerDefinition). */
export const FARGATE_TIMEOUT_S = 120;

/**
 * What a container may add where it shares the machine's kernel: rights over what its own namespaces and groups hold. With the others
 * (mounting, loading, raw devices, tracing the machine) it could leave them. gVisor's and a microVM's kernel is the task's own.
 */
const namespacedCapabilities: readonly string[] = ['IPC_LOCK', 'IPC_OWNER', 'LEASE', 'NET_ADMIN', 'NET_BROADCAST', 'SYS_NICE'];

const bareName = (capability: string) => capability.toUpperCase().replace(/^CAP_/, '');
const isDefault = (capability: string) => fargateCapabilities.includes(capability.toUpperCase());

function capabilityFits(capability: string, kind: IsolationKind): boolean {
  return kind !== 'container' || isDefault(capability) || namespacedCapabilities.includes(bareName(capability));
}

/** The most of ephemeral storage that a task may ask for: Fargate's 200 GiB, or with `sizes` what every file system of a host can hold as a file. */
export function ephemeralMaxGib(extensions: readonly Extension[]): number {
  return extensions.includes('sizes') ? 8192 : 200;
}

/** One thing that Fargate doesn't have: in words, and the extensions each of which allows it. */
export type BeyondFargate = { what: string; allowedBy: readonly Extension[] };

/** All that goes beyond Fargate in a task: `the capability NET_ADMIN (container 'app')`. */
export function beyondFargate(
  spec: Pick<TaskSpec, 'containers' | 'cpuMillis' | 'memoryBytes' | 'ephemeralBytes' | 'volumes'>,
): BeyondFargate[] {
  const size = { cpu: cpuMillisToUnits(spec.cpuMillis), memoryMib: spec.memoryBytes / MEBIBYTE };
  const odd: BeyondFargate[] = isFargateSize(size.cpu, size.memoryMib)
    ? []
    : [{ what: `${size.cpu} CPU and ${size.memoryMib} MiB of memory`, allowedBy: ['sizes'] }];
  const diskGib = spec.ephemeralBytes / 1024 ** 3;
  if (diskGib > ephemeralMaxGib([])) odd.push({ what: `${diskGib} GiB of ephemeral storage`, allowedBy: ['sizes'] });
  const named = blockVolumes(spec).filter(({ from }) => from.by === 'name');
  const lasting = named.map(({ name }): BeyondFargate => ({ what: `the named volume '${name}'`, allowedBy: ['volumes'] }));
  return [...odd, ...lasting, ...spec.containers.flatMap(containerBeyondFargate)];
}

function containerBeyondFargate(container: ContainerSpec): BeyondFargate[] {
  const found: BeyondFargate[] = [];
  const add = (what: string, ...allowedBy: Extension[]) => found.push({ what: `${what} (container '${container.name}')`, allowedBy });
  if (container.privileged) add('privileged', 'privileged');
  for (const name of container.capabilities.add.filter((one) => !isDefault(one))) {
    add(`the capability ${name}`, 'privileged', 'capabilities');
  }
  if (container.devices.length > 0) add('devices', 'privileged');
  const longest = FARGATE_TIMEOUT_S * 1000;
  if (container.stopTimeoutMs > longest) add(`a stop timeout of ${container.stopTimeoutMs / 1000} s`, 'timeouts');
  if ((container.startTimeoutMs ?? 0) > longest) add(`a start timeout of ${(container.startTimeoutMs ?? 0) / 1000} s`, 'timeouts');
  return found;
}

/** What a sandbox of this kind must never give, in words; undefined when it may give all. */
export function beyondKind(containers: readonly ContainerSpec[], kind: IsolationKind): string | undefined {
  if (kind === 'microvm') return undefined;
  for (const container of containers) {
    const capability = container.capabilities.add.find((name) => !capabilityFits(name, kind));
    const what = container.privileged
      ? 'privileged'
      : container.devices.length > 0
        ? 'devices'
        : capability && `the capability ${capability}`;
    if (what !== undefined) return `${what} (container '${container.name}')`;
  }
  return undefined;
}

/**
 * The spec as it may run in this cluster on these hosts. What not every kind of sandbox may give is bound to one that may: `auto` becomes
 * that by name, so that nothing weaker can be chosen later. Throws InvalidParameter when the cluster doesn't allow it or the task would run in less.
 */
export function withExtensions(spec: TaskSpec, cluster: Pick<ClusterRecord, 'key' | 'tags'>, hosts: readonly HostRecord[]): TaskSpec {
  const wishes = beyondFargate(spec);
  if (wishes.length === 0) return spec;
  const allowed = extensionsOf(cluster.tags);
  const refused = wishes.find((wish) => !wish.allowedBy.some((extension) => allowed.includes(extension)));
  if (refused !== undefined) {
    throw new Fault(
      'InvalidParameter',
      `The task definition asks for ${refused.what}, which the cluster '${cluster.key.name}' doesn't allow: its tag ${EXTENSIONS_TAG} must name ${quoted(refused.allowedBy)}.`,
    );
  }
  // The one extension gives its rights in microVMs alone.
  const needs = wishes.find(
    ({ allowedBy }) => allowedBy.includes('privileged') && !(allowed.includes('capabilities') && allowedBy.length > 1),
  );
  if (needs !== undefined) return boundTo(spec, ['microvm'], needs.what, hosts);
  const beyond = beyondKind(spec.containers, 'container');
  return beyond === undefined ? spec : boundTo(spec, ['microvm', 'gvisor'], beyond, hosts);
}

/** `'privileged' or 'capabilities'`. */
export function quoted(names: readonly Extension[]): string {
  return names.map((name) => `'${name}'`).join(' or ');
}

function boundTo(spec: TaskSpec, kinds: readonly IsolationKind[], what: string, hosts: readonly HostRecord[]): TaskSpec {
  const connected = hosts.filter((host) => host.status === 'CONNECTED');
  const becomes = spec.isolation === 'auto' ? connected.flatMap((host) => isolationOn(host, 'auto') ?? []) : [spec.isolation];
  const kind = kinds.find((one) => becomes.includes(one));
  if (kind !== undefined) return { ...spec, isolation: kind };
  const says = spec.isolation === 'auto' ? `'auto', which is ${becomes.at(0) ?? 'nothing'} here` : `'${spec.isolation}'`;
  const [who, names] = kinds.length === 1 ? ['only a microVM', 'microvm'] : ['only a microVM or gVisor', 'microvm or gvisor'];
  throw new Fault(
    'InvalidParameter',
    `The task definition asks for ${what}, which ${who} may have, and the task's isolation is ${says}: ask for ${names} by the tag ${ISOLATION_TAG}.`,
  );
}
