/** Pure: where the supervisor of a task finds its volumes. */
import { posix } from 'node:path';
import { invariant } from '#base/fault.ts';
import type { VolumeSource } from '#domain/volume-source.ts';
import type { SandboxPlan } from './driver.ts';

/** In place of a volume's name, which may hold anything: its index. */
const SCRATCH = 'volumes';

export type VolumePlaces = {
  /** Directories by volume name. */
  places: Record<string, string>;
  /** Those of them that are to be made, empty. */
  scratch: string[];
};

/** `below`: the directory that the scratch volumes are made in. */
export function volumePlaces(volumes: SandboxPlan['volumes'], below: string): VolumePlaces {
  const scratch: string[] = [];
  const placeOf = (name: string, source: VolumeSource, index: number): string => {
    if (source.kind === 'directory') return source.path;
    invariant(source.kind === 'scratch', `volume "${name}" is a disk, which only a microVM can have`);
    const path = posix.join(below, SCRATCH, String(index));
    scratch.push(path);
    return path;
  };
  const places = Object.fromEntries(Object.entries(volumes).map(([name, source], index) => [name, placeOf(name, source, index)]));
  return { places, scratch };
}
