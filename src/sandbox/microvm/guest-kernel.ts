/** What a guest boots from, out of Debian's cloud kernel package: the kernel as an ELF file, and its modules in the order they load. */
import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Fault } from '#base/fault.ts';
import { unpackLz4Legacy } from './lz4.ts';

const ELF = 0x464c457f;

/** The version of the kernel in an unpacked package, as `uname -r` says it. Throws Unavailable when the directory holds none. */
export async function kernelVersion(packageDir: string): Promise<string> {
  const names = await readdir(join(packageDir, 'boot')).catch(() => []);
  const name = names.sort().find((file) => file.startsWith('vmlinuz-'));
  if (name === undefined) throw new Fault('Unavailable', `${packageDir} holds no kernel: \`tools/setup.sh guest\` fetches one`);
  return name.slice('vmlinuz-'.length);
}

/**
 * The ELF file inside a bzImage, which QEMU starts by PVH without unpacking it in the guest. Offsets: Linux,
 * Documentation/x86/boot.rst.
 */
export function unpackKernel(image: Buffer): Buffer {
  if (image.length < 0x260 || image.toString('latin1', 0x202, 0x206) !== 'HdrS') {
    throw new Fault('Internal', 'the package holds no bzImage: only kernels of amd64 are known here');
  }
  const start = ((image[0x1f1] || 4) + 1) * 512 + image.readUInt32LE(0x248);
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c));
  const size = payload.readUInt32LE(payload.length - 4);
  const kernel = unpackLz4Legacy(payload.subarray(0, -4), size);
  // The frame has no checksum, and a kernel with one wrong byte fails in ways that nobody would look for here.
  if (!kernel.equals(unpackLz4Legacy(payload.subarray(0, -4), size)))
    throw new Fault('Internal', 'the kernel unpacks in two ways: try again');
  if (kernel.readUInt32LE(0) !== ELF) throw new Fault('Internal', 'the packed kernel is no ELF file');
  return kernel;
}

export type Module = { name: string; data: Buffer };

/** The modules `wanted` (names without .ko; one that is built in is left out) and all that they need, each after what it needs. */
export async function loadModules(packageDir: string, version: string, wanted: readonly string[]): Promise<Module[]> {
  const dir = join(packageDir, 'lib/modules', version);
  const files = new Map<string, string>();
  for (const file of await readdir(join(dir, 'kernel'), { recursive: true })) {
    if (file.endsWith('.ko')) files.set(moduleName(file), join(dir, 'kernel', file));
  }
  const builtIn = new Set((await readFile(join(dir, 'modules.builtin'), 'utf8')).split('\n').map(moduleName));
  const found = new Map<string, Module>();
  const visit = async (name: string): Promise<void> => {
    if (found.has(name) || builtIn.has(name)) return;
    const file = files.get(name);
    if (file === undefined) throw new Fault('Unavailable', `the kernel ${version} has no module ${name}`);
    const data = await readFile(file);
    for (const needed of dependencies(data)) await visit(needed);
    found.set(name, { name, data });
  };
  for (const name of wanted) await visit(moduleName(name));
  return [...found.values()];
}

/** Files are named with dashes or underscores as it pleases; the kernel knows underscores only. */
function moduleName(file: string): string {
  return basename(file, '.ko').replaceAll('-', '_');
}

/** The line `depends=a,b` in a module's .modinfo: strings that end with NUL. */
function dependencies(module: Buffer): string[] {
  const key = Buffer.from('\0depends=');
  const at = module.indexOf(key);
  if (at < 0) return [];
  const end = module.indexOf(0, at + key.length);
  return module
    .toString('latin1', at + key.length, end)
    .split(',')
    .filter(Boolean)
    .map(moduleName);
}
