/** Initramfs archives: cpio "newc" (Linux, Documentation/driver-api/early-userspace/buffer-format.rst), the same for the same input. */

export type CpioItem = { name: string; mode: number; data?: Uint8Array; device?: { major: number; minor: number } };

export const DIRECTORY = 0o040000;
export const REGULAR = 0o100000;
export const CHARACTER_DEVICE = 0o020000;

/** `mode` holds the type as well as the permissions; everything belongs to root and has no date. */
export function writeCpio(items: CpioItem[]): Buffer {
  const parts = items.flatMap((item, index) => entry(item, index + 1));
  return Buffer.concat([...parts, ...entry({ name: 'TRAILER!!!', mode: 0 }, 0)]);
}

function entry(item: CpioItem, inode: number): Uint8Array[] {
  const data = item.data ?? new Uint8Array();
  const { major, minor } = item.device ?? { major: 0, minor: 0 };
  const name = Buffer.from(`${item.name}\0`);
  const links = (item.mode & 0o170000) === DIRECTORY ? 2 : 1;
  const fields = [inode, item.mode, 0, 0, links, 0, data.length, 0, 0, major, minor, name.length, 0];
  const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [head, name, padding(head.length + name.length), data, padding(data.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
