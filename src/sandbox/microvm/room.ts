/**
 * The root directory that QEMU gets: the program, what it loads, its firmware, and nothing else. Copies, so that an upgrade of the system
 * takes nothing away from machines that run; one directory per content, DIR/VERSION-HASH. None is ever removed: all instances share them, and
 * a machine that another one suspended goes on only with the QEMU that wrote it.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';

export type Room = {
  /** Absolute; QEMU's root. */
  path: string;
  /** QEMU as it is called in there. */
  program: string;
  /** QEMU's own version, and 12 hex digits of the SHA-256 over all files: what a template made with it depends on. */
  version: string;
};

export type RoomOptions = {
  clock: Clock;
  /** Where rooms are kept. */
  dir: string;
  /** Absolute path of QEMU on this machine. */
  qemu?: string;
};

const QEMU = '/usr/bin/qemu-system-x86_64';
const INSTALL = 'install the package qemu-system-x86';
/** Debian builds the emulator of foreign code as a module. */
const MODULES = ['accel-tcg-x86_64.so'];
const MODULE_DIRS = ['/usr/lib/x86_64-linux-gnu/qemu', '/usr/lib/qemu'];
/** What the microvm machine reads: the BIOS, the option ROMs that start an ELF kernel and a bzImage, KVM's patch of the APIC. */
const FIRMWARE = ['bios-microvm.bin', 'pvh.bin', 'linuxboot_dma.bin', 'kvmvapic.bin'];
const FIRMWARE_DIRS = ['/usr/share/qemu', '/usr/share/seabios'];
const EMPTY_DIRS = ['vm', 'dev', 'proc'];
const TOOL_MS = 30_000;

/** Path in the room -> the file of this machine. */
type Plan = Map<string, string>;

/** Makes the room for the QEMU that is installed, or finds it made. Throws Unavailable when QEMU or a part of it is missing. */
export async function makeRoom(options: RoomOptions): Promise<Room> {
  const program = options.qemu ?? QEMU;
  const plan = await planRoom(options.clock, program);
  const { version, hash } = await identify(options.clock, program, plan);
  const name = `${version}-${hash.slice(0, 12)}`;
  const path = join(options.dir, name);
  await mkdir(options.dir, { recursive: true, mode: 0o755 });
  const names = await readdir(options.dir);
  for (const left of names.filter(isLeft)) await rm(join(options.dir, left), { recursive: true, force: true });
  if (!names.includes(name)) await furnishAs(path, plan);
  return { path, program, version: name };
}

/** What is being made says by whom: others of this machine may be at the same at the same moment. */
const temporaryName = () => `.new-${process.pid}-${++made}`;
let made = 0;

/** Whether nobody works on it any more. */
function isLeft(name: string): boolean {
  const pid = /^\.new-(\d+)-/.exec(name)?.[1];
  if (pid === undefined) return name.startsWith('.new-');
  return !existsSync(`/proc/${pid}`);
}

/** Whole or not at all; whoever is first has made it for all. */
async function furnishAs(path: string, plan: Plan): Promise<void> {
  const temp = join(dirname(path), temporaryName());
  try {
    await furnish(temp, plan);
    await rename(temp, path);
  } catch (error) {
    await rm(temp, { recursive: true, force: true });
    if (!existsSync(path)) throw error;
  }
}

async function planRoom(clock: Clock, program: string): Promise<Plan> {
  const plan: Plan = new Map([[program, program]]);
  for (const module of MODULES) {
    const found = await firstOf(MODULE_DIRS.map((dir) => join(dir, module)));
    // Other distributions build it in.
    if (found !== null) plan.set(found, found);
  }
  const programs = [...plan.keys()];
  for (const file of programs) for (const library of await librariesOf(clock, file)) plan.set(library, library);
  for (const name of FIRMWARE) {
    const found = await firstOf(FIRMWARE_DIRS.map((dir) => join(dir, name)));
    if (found === null) throw new Fault('Unavailable', `QEMU's firmware ${name} is in none of ${FIRMWARE_DIRS.join(', ')}: ${INSTALL}`);
    plan.set(join('/usr/share/qemu', name), found);
  }
  return plan;
}

/** Shared libraries and the loader, by the loader's own word. Only for programs of the system: ldd may run them. */
async function librariesOf(clock: Clock, file: string): Promise<string[]> {
  const { code, stdout, stderr } = await runChild(clock, 'ldd', [file], { timeoutMs: TOOL_MS });
  if (code !== 0) throw new Fault('Unavailable', `ldd can't read ${file}: ${(stderr || stdout).trim()}: ${INSTALL}`);
  return parseLibraries(stdout, file);
}

/** Pure: the paths in what ldd printed. */
export function parseLibraries(text: string, file: string): string[] {
  const missing = /^\s*(\S+) => not found/m.exec(text)?.[1];
  if (missing !== undefined) throw new Fault('Unavailable', `${file} needs ${missing}, which is not installed`);
  return [...text.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gm)].map((match) => match[1] ?? '');
}

async function identify(clock: Clock, program: string, plan: Plan): Promise<{ version: string; hash: string }> {
  const { stdout } = await runChild(clock, program, ['--version'], { timeoutMs: TOOL_MS });
  const version = /version (\d+(?:\.\d+)*)/.exec(stdout)?.[1];
  if (version === undefined) throw new Fault('Unavailable', `${program} doesn't tell its version: ${stdout.trim().slice(0, 200)}`);
  const hash = createHash('sha256');
  for (const [inside, file] of [...plan].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(
      `${inside} ${createHash('sha256')
        .update(await readFile(file))
        .digest('hex')}\n`,
    );
  }
  return { version, hash: hash.digest('hex') };
}

/** Synced file by file: a room whose name is there is whole, also after a power cut. */
async function furnish(room: string, plan: Plan): Promise<void> {
  for (const dir of EMPTY_DIRS) await mkdir(join(room, dir), { recursive: true, mode: 0o755 });
  for (const [inside, file] of plan) {
    const target = join(room, inside);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await copyFile(file, target);
    const copy = await open(target, 'r+');
    try {
      await copy.chmod(0o555);
      await copy.sync();
    } finally {
      await copy.close();
    }
  }
}

async function firstOf(paths: string[]): Promise<string | null> {
  for (const path of paths) {
    const file = await open(path, 'r').catch(() => null);
    if (file === null) continue;
    await file.close();
    return path;
  }
  return null;
}
