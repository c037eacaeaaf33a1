/** Lets a machine of the pool run a start that is nobody's (warm-up.ts), on disks that it loses again. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '#base/limits.ts';
import { guestStart } from './begin.ts';
import { ejectDisk, insertDisk } from './disks.ts';
import type { DiskFile } from './disks.ts';
import type { Machine } from './machine.ts';
import type { MicrovmParts } from './parts.ts';
import { imageSlots, SCRATCH } from './render.ts';
import { moment } from './start.ts';
import { buildWarmDisk, warmPlan } from './warm-up.ts';

/** Where the guest looks for the image: the last slot, which few tasks need. */
const IMAGE = imageSlots.at(-1) ?? '';
const SCRATCH_BYTES = 20 * 1024 ** 3;
const FILES = { image: 'warm-image', scratch: 'warm-scratch' };

export type RehearsalParts = Pick<MicrovmParts, 'deps' | 'options' | 'machines' | 'nofile'>;

/** Throws when the guest couldn't: the machine is as before even then, only cold. */
export function createRehearsal(parts: RehearsalParts): (machine: Machine) => Promise<void> {
  const { deps, options, machines } = parts;
  const templates = join(options.dir, 'vm-templates');
  return async (machine) => {
    const image = await buildWarmDisk(deps.clock, options.supervisor, templates);
    const model = join(templates, `scratch-${SCRATCH_BYTES}`);
    const path = join(machine.dir, FILES.scratch);
    await deps.worker.scratchMake({ path, bytes: SCRATCH_BYTES, model, ...options.user });
    const disks: DiskFile[] = [
      { slot: IMAGE, path: machines.give(machine, image, FILES.image), readOnly: true },
      { slot: SCRATCH, path: `/vm/${FILES.scratch}`, readOnly: false },
    ];
    for (const disk of disks) await insertDisk(machine.monitor, disk);
    try {
      const { files, settle, begin } = guestStart(warmPlan(), parts.nofile);
      for (const file of files) machine.link.send(file);
      machine.link.send({ ...settle, ...begin, ...moment(parts), t: 'warm' });
      await machine.link.answer(['warmed'], limits.guestAnswerMs);
    } finally {
      for (const disk of disks) await ejectDisk(machine.monitor, disk);
      for (const name of Object.values(FILES)) rmSync(join(machine.dir, name));
    }
  };
}
