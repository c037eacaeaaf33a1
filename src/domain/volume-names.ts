/** Names of volumes: as Docker's. */
import { Fault } from '#base/fault.ts';
import { clip } from './names.ts';
import { VOLUME_NAME_TAG } from './volume.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/** Throws InvalidParameter. */
export function assertVolumeName(name: string): void {
  if (NAME.test(name)) return;
  throw new Fault(
    'InvalidParameter',
    `'${clip(name)}' is not the name of a volume: 1 to 128 letters, digits and _ . -, and a letter or digit first.`,
  );
}

export const nameTaken = (name: string): Fault =>
  new Fault('AlreadyExists', `There is a volume named '${name}' already (tag ${VOLUME_NAME_TAG}).`, {
    details: { errorName: 'InvalidParameterValue' },
  });
