/** What EBS lets a volume of each type be (EC2 API reference, CreateVolume; EBS user guide, "Amazon EBS volume types"). Pure. */
import { Fault } from '#base/fault.ts';
import { clip } from './names.ts';

export const volumeTypes = ['standard', 'gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1'] as const;
export type VolumeType = (typeof volumeTypes)[number];

/** Speed is kept and read back: a volume here is as fast as its host's disk. */
export type VolumeSettings = { type: VolumeType; sizeGib: number; iops: number | null; throughput: number | null };
export type VolumeSettingsWish = { type?: string | undefined; sizeGib: number; iops?: number | undefined; throughput?: number | undefined };

type Bounds = {
  size: readonly [number, number];
  /** `default` null: must be given. */
  iops?: { range: readonly [number, number]; perGib: number; default: number | null };
  throughput?: { range: readonly [number, number]; perIops: number; default: number };
};
const bounds: Record<VolumeType, Bounds> = {
  standard: { size: [1, 1024] },
  gp2: { size: [1, 16_384] },
  gp3: {
    size: [1, 65_536],
    iops: { range: [3000, 80_000], perGib: 500, default: 3000 },
    throughput: { range: [125, 2000], perIops: 0.25, default: 125 },
  },
  io1: { size: [4, 16_384], iops: { range: [100, 64_000], perGib: 50, default: null } },
  io2: { size: [4, 65_536], iops: { range: [100, 256_000], perGib: 1000, default: null } },
  st1: { size: [125, 16_384] },
  sc1: { size: [125, 16_384] },
};

/** Throws InvalidParameter with EC2's texts, and its codes as `errorName`. */
export function volumeSettings(wish: VolumeSettingsWish, fallback: VolumeType): VolumeSettings {
  const type = volumeTypes.find((one) => one === (wish.type ?? fallback));
  if (type === undefined) throw refuse('UnknownVolumeType', `Unsupported volume type '${clip(wish.type ?? '')}' for volume creation.`);
  const { sizeGib } = wish;
  const [least, most] = bounds[type].size;
  if (!Number.isInteger(sizeGib) || sizeGib < least)
    throw bad(`Volume of ${sizeGib}GiB is too small for volume type ${type}; minimum is ${least}GiB.`);
  if (sizeGib > most) throw bad(`Volume of ${sizeGib}GiB is too large for volume type ${type}; maximum is ${most}GiB.`);
  const iops = iopsOf(type, sizeGib, wish.iops);
  return { type, sizeGib, iops, throughput: throughputOf(type, iops, wish.throughput) };
}

function iopsOf(type: VolumeType, sizeGib: number, wanted: number | undefined): number | null {
  const limit = bounds[type].iops;
  if (limit === undefined) {
    if (wanted !== undefined) throw unsupported('iops', type);
    return type === 'gp2' ? Math.max(100, Math.min(16_000, 3 * sizeGib)) : null;
  }
  const iops = wanted ?? limit.default;
  if (iops === null) throw refuse('MissingParameter', `The parameter iops must be specified for ${type} volumes.`);
  const [least, most] = limit.range;
  if (iops < least) throw bad(`Volume iops of ${iops} is too low; minimum is ${least}.`);
  if (iops > most) throw bad(`Volume iops of ${iops} is too high; maximum is ${most}.`);
  const ratio = iops / sizeGib;
  // The iops that every gp3 volume has are no wish.
  if (ratio > limit.perGib && iops > (limit.default ?? 0)) {
    throw bad(`Iops to volume size ratio of ${ratio.toFixed(6)} is too high; maximum is ${limit.perGib.toFixed(6)}.`);
  }
  return iops;
}

function throughputOf(type: VolumeType, iops: number | null, wanted: number | undefined): number | null {
  const limit = bounds[type].throughput;
  if (limit === undefined) {
    if (wanted !== undefined) throw unsupported('throughput', type);
    return null;
  }
  const throughput = wanted ?? limit.default;
  const [least, most] = limit.range;
  if (throughput < least) throw bad(`Throughput of ${throughput} MiB/s is too low; minimum is ${least} MiB/s.`);
  if (throughput > most) throw bad(`Throughput of ${throughput} MiB/s is too high; maximum is ${most} MiB/s.`);
  const ratio = throughput / (iops ?? 1);
  if (ratio > limit.perIops) {
    throw bad(
      `Throughput (MiBps) to iops ratio of ${ratio.toFixed(6)} is too high; maximum is ${limit.perIops.toFixed(6)} MiBps per iops.`,
    );
  }
  return throughput;
}

const refuse = (errorName: string, text: string) => new Fault('InvalidParameter', text, { details: { errorName } });
const bad = (text: string) => new Fault('InvalidParameter', text);
const unsupported = (what: string, type: VolumeType) =>
  refuse('InvalidParameterCombination', `The parameter ${what} is not supported for ${type} volumes.`);
