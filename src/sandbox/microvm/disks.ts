/** Gives a machine's disks their files. The machine must not use the disk at that moment. */
import type { Qmp } from './qmp.ts';

export type DiskFile = {
  /** The device's name (render.ts). */
  slot: string;
  /** Path inside the room. */
  path: string;
  readOnly: boolean;
};

/** A disk's node keeps its name and its device; what it reads from is exchanged (QEMU's blockdev-reopen, `file` child, since 6.1). */
export async function insertDisk(qmp: Qmp, disk: DiskFile): Promise<void> {
  const readOnly = disk.readOnly;
  const node = `file-${disk.slot}`;
  await qmp.run('blockdev-add', { driver: 'file', 'node-name': node, filename: disk.path, 'read-only': readOnly, locking: 'off' });
  await qmp.run('blockdev-reopen', { options: [{ driver: 'raw', 'node-name': disk.slot, file: node, 'read-only': readOnly }] });
}

/** Takes the file away again: the disk is as blank as it was. */
export async function ejectDisk(qmp: Qmp, { slot, readOnly }: Omit<DiskFile, 'path'>): Promise<void> {
  await qmp.run('blockdev-reopen', { options: [{ driver: 'raw', 'node-name': slot, file: `blank-${slot}`, 'read-only': readOnly }] });
  await qmp.run('blockdev-del', { 'node-name': `file-${slot}` });
}
