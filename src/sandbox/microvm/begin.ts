/** Pure: a plan as what the guest is told to begin it: the files that its containers need, and the task itself with the guest's own paths. */
import { posix } from 'node:path';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { VolumeFileSystem } from '#domain/volume.ts';
import type { PreparedImage } from '#image/types.ts';
import type { TaskBundle } from '#supervisor/protocol.ts';
import { bundleFiles } from '../container/bundle.ts';
import { volumePlaces } from '../volume-places.ts';
import type { SandboxNetwork, SandboxPlan } from '../driver.ts';
import { volumeSlots } from './render.ts';
import { servedVolumes, sharedMounts } from './shared.ts';
import type { SharedMount } from './shared.ts';

/** Where the guest keeps what is sent; its images; its scratch disk. */
const FILES = '/run/berth';
const SECRETS = 'secrets';
const IMAGES = '/images';
const SCRATCH = '/scratch';
const VOLUMES = '/volumes';
/** Made in the template already. */
const CGROUP = 'task';

export type FileMessage = { t: 'file'; path: string; mode: number; data: string };

/** What the machine becomes. It takes a while, and needs nothing but the disks. */
export type SettleMessage = {
  t: 'settle';
  /** Base64. */
  entropy: string;
  /** Nanoseconds since the epoch, decimal. */
  timeNs: string;
  hostname: string;
  network: Pick<SandboxNetwork, 'ip' | 'mac' | 'gatewayIp' | 'gatewayMac' | 'mtu'>;
  /** How many of the disks `imageN` hold an image. */
  images: number;
  scratch: true;
  /** What is on the disks `volumeN`, in their order: each is mounted on /volumes/N. */
  volumes: { fileSystem: VolumeFileSystem; bytes: number }[];
  /** Made on the scratch disk before anything starts: the task's volumes. */
  directories: string[];
};

/** The task of a machine that is settled. */
export type BeginMessage = { t: 'begin'; bundle: TaskBundle; shared: SharedMount[] };

export type GuestStart = {
  files: FileMessage[];
  settle: Omit<SettleMessage, 'entropy' | 'timeNs'>;
  begin: BeginMessage;
  /** The image of each disk, in their order. */
  disks: PreparedImage[];
  /** The files of the volumes' disks, in their order. */
  volumes: string[];
};

const tooMany = (count: number) =>
  new Fault(
    'CannotCreateContainer',
    `CannotCreateContainerError: the task has ${count} volumes, and a microvm has ${volumeSlots.length} disks for them`,
  );

const fileMessage = (path: string, mode: number, contents: string): FileMessage => ({
  t: 'file',
  path,
  mode,
  data: Buffer.from(contents).toString('base64'),
});

/** Two containers of one image share its disk. */
export function guestStart(plan: SandboxPlan, nofile: number): GuestStart {
  const disks = [...new Map(Object.values(plan.images).map((image) => [image.digest, image])).values()];
  const slotOf = new Map(disks.map((image, index) => [image.digest, index]));
  const inGuest = (image: PreparedImage): PreparedImage => ({ ...image, layers: [`${IMAGES}/${slotOf.get(image.digest)}`] });
  const storage = { place: SCRATCH, disk: { bytes: plan.spec.ephemeralBytes, place: SCRATCH } };
  const own = Object.entries(plan.volumes).flatMap(([name, source]) => (source.kind === 'disk' ? [{ name, ...source }] : []));
  if (own.length > volumeSlots.length) throw tooMany(own.length);
  const places = [...own.map(({ name }, index) => ({ name, path: posix.join(VOLUMES, String(index)) })), ...servedVolumes(plan.volumes)];
  const mounted = places.map(({ name, path }) => [name, { kind: 'directory' as const, path }] as const);
  const guestPlan: SandboxPlan = {
    ...plan,
    dir: FILES,
    volumes: { ...plan.volumes, ...Object.fromEntries(mounted) },
    images: Object.fromEntries(Object.entries(plan.images).map(([name, image]) => [name, inGuest(image)])),
  };
  const inMemory = posix.join(FILES, SECRETS);
  const { files, secrets } = bundleFiles(guestPlan, { cgroup: CGROUP, socket: '', nofile, storage, secrets: inMemory });
  const task = files.find((file) => file.path === 'task.json');
  const bundle = JSON.parse(task?.contents ?? '{}') as TaskBundle;
  const { ip, mac, gatewayIp, gatewayMac, mtu, hostname } = plan.network;
  return {
    disks,
    volumes: own.map(({ path }) => path),
    files: [
      ...files.filter((file) => file !== task).map((file) => fileMessage(file.path, 0o644, file.contents)),
      ...secrets.map((file) => fileMessage(posix.join(SECRETS, file.path), 0o600, file.contents)),
    ],
    settle: {
      t: 'settle',
      hostname,
      network: { ip, mac, gatewayIp, gatewayMac, mtu },
      images: disks.length,
      scratch: true,
      volumes: own.map(({ fileSystem, bytes }) => ({ fileSystem, bytes })),
      directories: volumePlaces(guestPlan, SCRATCH).scratch,
    },
    begin: {
      t: 'begin',
      // The guest is the task's: its supervisor's own files lie on the scratch disk, where the containers' writable layers are.
      bundle: { ...bundle, volumes: undefined, dir: posix.join(SCRATCH, 'task'), network: null, spoolBytes: limits.spoolBytes },
      shared: sharedMounts(plan),
    },
  };
}
