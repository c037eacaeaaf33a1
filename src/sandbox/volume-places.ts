/**
 * Pure: where the supervisor of a task finds its volumes. What an image declares by VOLUME is one, too, as Docker has it: a volume that the
 * definition mounts at the same path gets what the image has there, and where it mounts none the container has one without a name. A named volume
 * gets what the image has at its place whether that is declared or not (Docker, "Volumes": populate a volume using a container).
 */
import { posix } from 'node:path';
import { Fault, invariant } from '#base/fault.ts';
import { blockVolumes } from '#domain/block-volume.ts';
import { efsUtilsError } from '#domain/shared-volume.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { VolumeSource } from '#domain/volume-source.ts';
import type { FillBundle } from '#supervisor/protocol.ts';
import type { SandboxPlan } from './driver.ts';

/** In place of a volume's name, which may hold anything: its index. */
const SCRATCH = 'volumes';
/** What is the platform's own in every container. */
const PLATFORM = /^\/(?:(?:proc|sys|dev)(?:\/|$)|$)/;

export type VolumePlaces = {
  /** Directories by volume name. */
  places: Record<string, string>;
  /** Those of them that are to be made, empty. */
  scratch: string[];
  /** By container name. */
  containers: Record<string, ContainerVolumes>;
};

export type ContainerVolumes = {
  /** The definition's, and those without a name. */
  mounts: ContainerSpec['mounts'];
  /** What of the image goes into which directory before it is first used. */
  fill: FillBundle[];
};

/**
 * A bind mount can't change who writes: what enforces a user goes only into containers that run as that one. Throws ResourceInitialization with
 * AWS's text around it.
 */
export function assertUsers({ spec, volumes }: SandboxPlan): void {
  for (const { name, user, mounts } of spec.containers) {
    for (const { volume } of mounts) {
      const source = volumes[volume];
      const wanted = source?.kind === 'directory' ? (source.user ?? null) : null;
      if (wanted === null || user === `${wanted.uid}:${wanted.gid}`) continue;
      const text = `the access point of volume "${volume}" enforces the POSIX user ${wanted.uid}:${wanted.gid}, which is not done for others here: give container "${name}" "user": "${wanted.uid}:${wanted.gid}"`;
      throw new Fault('ResourceInitialization', efsUtilsError(text));
    }
  }
}

/** `below`: the directory that the scratch volumes are made in. */
export function volumePlaces(plan: Pick<SandboxPlan, 'volumes' | 'spec' | 'images'>, below: string): VolumePlaces {
  const scratch: string[] = [];
  const make = (name: string): string => {
    const path = posix.join(below, SCRATCH, name);
    scratch.push(path);
    return path;
  };
  const placeOf = (name: string, source: VolumeSource, index: number): string => {
    if (source.kind === 'directory') return source.path;
    invariant(source.kind === 'scratch', `volume "${name}" is a disk, which only a microVM can have`);
    return make(String(index));
  };
  const places = Object.fromEntries(Object.entries(plan.volumes).map(([name, source], index) => [name, placeOf(name, source, index)]));
  const named = new Set(blockVolumes(plan.spec).flatMap(({ name, from }) => (from.by === 'name' ? [name] : [])));
  const containers = plan.spec.containers.map((container, index): [string, ContainerVolumes] => {
    const declared = declaredPaths(plan.images[container.name]?.config.volumes ?? []);
    const taken = new Set([...container.mounts, ...container.tmpfs].map(({ path }) => posix.resolve('/', path)));
    const nameless = declared
      .filter((path) => !taken.has(path))
      .map((path, number) => {
        // No volume of a definition has a blank in its name.
        const volume = `${container.name} ${path}`;
        places[volume] = make(`${index}-${number}`);
        return { volume, path, readOnly: false };
      });
    const mounts = [...container.mounts, ...nameless];
    const fill = mounts
      .map(({ volume: name, path }) => ({ name, path: posix.resolve('/', path), volume: places[name] ?? '' }))
      .filter(({ name, path, volume }) => named.has(name) || (declared.includes(path) && scratch.includes(volume)))
      .map(({ path, volume }) => ({ path, volume }));
    return [container.name, { mounts, fill }];
  });
  return { places, scratch, containers: Object.fromEntries(containers) };
}

function declaredPaths(volumes: string[]): string[] {
  const paths = volumes.filter((path) => path.startsWith('/') && !path.includes('\0')).map((path) => posix.resolve('/', path));
  return [...new Set(paths)].filter((path) => !PLATFORM.test(path)).sort();
}
