/** Pure: a machine as QEMU's command line. Golden files stand beside this. Paths are those inside the room (room.ts). */
import { limits } from '#base/limits.ts';
import { guestCommandLine } from './guest-image.ts';
import type { Shape } from './shape.ts';

/** Descriptors that the kernel worker opens for QEMU. */
export const fds = { control: 10, qmp: 11, tap: 12, memory: 13, state: 14, kernel: 15, initrd: 16 } as const;

/** Disks of every machine; the guest knows them by these names. Their number is fixed by the template. */
export const imageSlots = Array.from({ length: 10 }, (_, n) => `image${n}`);
export const volumeSlots = Array.from({ length: 6 }, (_, n) => `volume${n}`);
export const SCRATCH = 'scratch';

/** What a disk claims to hold until it is given a file: as much as any task may ask for. The guest reads nothing of it before that. */
const BLANK_BYTES = 256 * 1024 ** 3;
/** The same of a volume: EBS's largest. The guest goes by its file system, which is as large as its file. */
const BLANK_VOLUME_BYTES = 64 * 1024 ** 4;

/** `boot`: from the kernel, RAM shared with the template's file. `restore`: from a saved state, RAM copied on write. `resume`: RAM comes with the state. */
export type Launch = 'boot' | 'restore' | 'resume';

/** `tscKhz`: what the guest is told of this machine's time-stamp counter (guest-image.ts). */
export type MachineSpec = { shape: Shape; launch: Launch; tscKhz: number | null };

/** No timer and no interrupt controller of the old kind: the guest needs neither once it is told the rate of its counter (guest-image.ts). */
const MACHINE = 'microvm,pit=off,pic=off,rtc=on,acpi=on,usb=off';

const acceleratorOf = (shape: Shape) =>
  shape.accelerator === 'tcg' ? `tcg,thread=multi,tb-size=${Math.floor(limits.tcgCacheBytes / 1024 ** 2)}` : 'kvm';

/** An option and its value; flags have none. */
type Option = [string] | [string, string];

/** x86-64-v2. What newer ones have is emulated so slowly that a start takes twice as long: C libraries use it wherever it is offered. */
const EMULATED_CPU = 'Nehalem';

export function renderQemu({ shape, launch, tscKhz }: MachineSpec): string[] {
  const { ramBytes, cpus } = shape;
  const ram =
    launch === 'resume'
      ? `memory-backend-ram,id=ram,size=${ramBytes}`
      : `memory-backend-file,id=ram,size=${ramBytes},mem-path=${at(fds.memory)},share=${launch === 'boot' ? 'on' : 'off'}`;
  const kernel: Option[] = [
    ['-kernel', at(fds.kernel)],
    ['-initrd', at(fds.initrd)],
    ['-append', guestCommandLine({ accel: shape.accelerator, tscKhz })],
  ];
  const options: Option[] = [
    ['-M', `${MACHINE},memory-backend=ram`],
    ['-accel', acceleratorOf(shape)],
    ['-cpu', shape.accelerator === 'tcg' ? EMULATED_CPU : 'host'],
    ['-smp', `${cpus}`],
    ['-m', `${ramBytes / 1024 ** 2}M`],
    ['-object', ram],
    ['-nodefaults'],
    ['-no-user-config'],
    ['-no-reboot'],
    ['-display', 'none'],
    ['-serial', 'stdio'],
    ...(launch === 'boot' ? kernel : ([['-incoming', 'defer']] satisfies Option[])),
    ['-chardev', `socket,id=qmp,fd=${fds.qmp},server=on,wait=off`],
    ['-mon', 'chardev=qmp,mode=control'],
    ...devices(),
    ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
  ];
  return options.flat();
}

/** What the kernel worker answers with the descriptor (protocol.ts, `VmBundle`). */
function at(fd: number): string {
  return `/dev/fd/${fd}`;
}

function devices(): Option[] {
  return [
    ['-chardev', `socket,id=control,fd=${fds.control},server=on,wait=off`],
    ['-device', 'virtio-serial-device,max_ports=2'],
    ['-device', 'virtserialport,chardev=control,name=berth.control'],
    ['-netdev', `tap,id=net0,fd=${fds.tap},vhost=off`],
    ['-device', 'virtio-net-device,netdev=net0,mac=02:00:00:00:00:01'],
    ['-object', 'rng-builtin,id=rng0'],
    ['-device', 'virtio-rng-device,rng=rng0'],
    ...disk(SCRATCH, false),
    ...imageSlots.flatMap((slot) => disk(slot, true)),
    ...volumeSlots.flatMap((slot) => disk(slot, false, BLANK_VOLUME_BYTES)),
  ];
}

/** The device sits on a `raw` node of its name, whose file is exchanged while nobody uses it (disks.ts). */
function disk(slot: string, readOnly: boolean, bytes = BLANK_BYTES): Option[] {
  const ro = readOnly ? ',read-only=on' : '';
  return [
    ['-blockdev', `driver=null-co,node-name=blank-${slot},size=${bytes},read-zeroes=on${ro}`],
    ['-blockdev', `driver=raw,node-name=${slot},file=blank-${slot}${ro}`],
    ['-device', `virtio-blk-device,drive=${slot},serial=${slot}`],
  ];
}
