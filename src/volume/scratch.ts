/** `scratch`: an empty directory of the task's own disk, gone with it. The sandbox makes it. */
import type { ScratchVolume } from '#domain/task-spec.ts';
import type { VolumeKind } from './volumes.ts';

export const scratchKind: VolumeKind<ScratchVolume> = { prepare: async () => ({ kind: 'scratch' }) };
