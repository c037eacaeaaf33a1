/** Pure: what a task's containers write to, and how large it is. */
import { join } from 'node:path';
import type { DiskBundle } from '#supervisor/protocol.ts';
import type { SandboxPlan } from './driver.ts';

export type Storage = {
  /** The directory that volumes are made in. */
  place: string;
  /** Nothing: what is written is limited by the host's own file system alone. */
  disk: DiskBundle | undefined;
};

/** `models`: where the files are that disks are copied from (`scratch-BYTES`); null where tasks have no disks of their own. */
export function hostStorage(plan: Pick<SandboxPlan, 'dir' | 'spec'>, models: string | null): Storage {
  if (models === null) return { place: plan.dir, disk: undefined };
  const place = join(plan.dir, 'disk');
  const bytes = plan.spec.ephemeralBytes;
  return { place, disk: { bytes, place, model: modelOf(models, bytes) } };
}

export function modelOf(models: string, bytes: number): string {
  return join(models, `scratch-${bytes}`);
}
