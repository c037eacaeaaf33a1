/** A guest booted by hand, under emulation: QEMU with every device of the contract, and a client of the control port. Needs root. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, copyFileSync, truncateSync, writeFileSync, chmodSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realClock } from '#base/clock.ts';
import { encodeJson, FrameReader, JSON_FRAME } from '#base/frames.ts';
import { buildGuestImage, guestCommandLine, readTscKhz } from '#sandbox/microvm/guest-image.ts';
import { EXEC_HEADER_BYTES, OUTPUT_FRAME } from '#supervisor/protocol.ts';
import { supervisorBinary } from './real-host.ts';

const home = fileURLToPath(new URL('../..', import.meta.url));
const MARK = Buffer.from('ff6265727468ff01', 'hex');
const SLOTS = ['scratch', ...Array.from({ length: 10 }, (_, n) => `image${n}`), ...Array.from({ length: 6 }, (_, n) => `volume${n}`)];
const BLANK_BYTES = 256 * 1024 ** 3;
const BOOT_MS = 30_000;
const ANSWER_MS = 30_000;

export type GuestMessage = { t: string; [key: string]: unknown };
/** `end`: where the next record begins. */
export type GuestOutput = { offset: number; end: number; container: number; stream: number; text: string };

/** One connection to the port, from its MARK on. */
export type GuestLine = {
  messages: GuestMessage[];
  output: GuestOutput[];
  /** What commands that were run inside wrote, by id. */
  inside: Map<number, string>;
  send(message: object): void;
  /** Bytes as they are, for a host that behaves badly. */
  write(bytes: Uint8Array): void;
  /** The first message that fits, those that came before it taken away. */
  expect(t: string, fits?: (message: GuestMessage) => boolean): Promise<GuestMessage>;
  until(what: string, done: () => boolean): Promise<void>;
  close(): void;
};

export type GuestMachine = {
  dir: string;
  /** What the serial console said. */
  console(): string;
  dial(): Promise<GuestLine>;
  /** Resolves when QEMU has ended. */
  ended: Promise<void>;
  close(): Promise<void>;
};

export type GuestOptions = { files: Record<string, string>; trace?: boolean; commandLine?: string };

/** A machine that has said `ready`. */
export async function bootGuest(options: GuestOptions): Promise<{ machine: GuestMachine; line: GuestLine }> {
  const machine = await startGuest(options);
  try {
    const line = await machine.dial();
    await line.expect('guest', (message) => message['phase'] === 'ready');
    return { machine, line };
  } catch (error) {
    await machine.close();
    throw error;
  }
}

/** `files`: disk -> file; the others are empty. The machine is removed by `close`. */
export async function startGuest(options: GuestOptions): Promise<GuestMachine> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-guest-'));
  const image = await buildGuestImage({
    packageDir: join(home, '.berth/guest/package'),
    supervisor: supervisorBinary(),
    dir: join(home, '.berth/guest/images'),
  });
  const socket = join(dir, 'control');
  const disks = SLOTS.flatMap((slot) => disk(dir, slot, options.files[slot]));
  const tscKhz = await readTscKhz(realClock(), supervisorBinary());
  const commandLine = `${guestCommandLine({ accel: 'tcg', tscKhz, trace: options.trace === true })} ${options.commandLine ?? ''}`;
  const args = `
    -M microvm,pit=off,pic=off,rtc=on -accel tcg -cpu Nehalem -m 256M -smp 1 -nodefaults -no-user-config -no-reboot -display none -serial stdio
    -chardev socket,id=control,path=${socket},server=on,wait=off -device virtio-serial-device,max_ports=2
    -device virtserialport,chardev=control,name=berth.control
    -netdev hubport,id=net0,hubid=0 -device virtio-net-device,netdev=net0,mac=02:00:00:00:00:01
    -object rng-random,id=rng0,filename=/dev/urandom -device virtio-rng-device,rng=rng0
    -kernel ${image.kernel} -initrd ${image.initrd} ${disks.join(' ')}`;
  const qemu = spawn('qemu-system-x86_64', [...args.trim().split(/\s+/), '-append', commandLine], { stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => void qemu.kill('SIGKILL');
  process.once('exit', kill);
  let said = '';
  for (const stream of [qemu.stdout, qemu.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(qemu, 'close').then(() => undefined);
  return {
    dir,
    console: () => said.replaceAll('\r', ''),
    dial: () => dial(socket, qemu, () => said),
    ended,
    async close() {
      process.off('exit', kill);
      kill();
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function disk(dir: string, slot: string, file: string | undefined): string[] {
  const path = file ?? join(dir, slot);
  if (file === undefined) {
    writeFileSync(path, '');
    truncateSync(path, BLANK_BYTES);
  }
  const readOnly = slot.startsWith('image') ? ',read-only=on' : '';
  return [
    `-blockdev driver=file,node-name=file-${slot},filename=${path}${readOnly}`,
    `-blockdev driver=raw,node-name=${slot},file=file-${slot}${readOnly}`,
    `-device virtio-blk-device,drive=${slot},serial=${slot}`,
  ];
}

async function dial(path: string, qemu: ChildProcess, said: () => string): Promise<GuestLine> {
  const socket = await connectTo(path, qemu, said);
  const nonce = randomBytes(8);
  const mark = Buffer.concat([MARK, nonce]);
  const reader = new FrameReader();
  const line = { messages: [] as GuestMessage[], output: [] as GuestOutput[], inside: new Map<number, string>() };
  let before: Buffer | null = Buffer.alloc(0);
  let wake: () => void = () => undefined;
  socket.on('data', (chunk: Buffer) => {
    let rest = chunk;
    if (before !== null) {
      before = Buffer.concat([before, chunk]);
      const at = before.indexOf(mark);
      if (at < 0) return;
      rest = before.subarray(at + mark.length);
      before = null;
    }
    for (const { kind, payload } of reader.push(rest)) {
      if (kind === JSON_FRAME) line.messages.push(JSON.parse(payload.toString()) as GuestMessage);
      else if (kind === OUTPUT_FRAME) line.output.push(readOutput(payload));
      else
        line.inside.set(
          payload.readUInt32BE(),
          (line.inside.get(payload.readUInt32BE()) ?? '') + payload.subarray(EXEC_HEADER_BYTES).toString(),
        );
    }
    wake();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => wake());
  socket.write(mark);
  const until = async (what: string, done: () => boolean, ms = ANSWER_MS): Promise<void> => {
    const late = performance.now() + ms;
    while (!done()) {
      const left = late - performance.now();
      if (left <= 0)
        throw new Error(`the guest did not get to: ${what}; messages: ${JSON.stringify(line.messages)}; it said:\n${said().slice(-3000)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 1000));
        wake = () => (clearTimeout(timer), resolve());
      });
    }
  };
  return {
    ...line,
    send: (message) => void socket.write(encodeJson(message)),
    write: (bytes) => void socket.write(bytes),
    until,
    async expect(t, fits = () => true) {
      const find = () => line.messages.findIndex((message) => message.t === t && fits(message));
      await until(`a message '${t}'`, () => find() >= 0, BOOT_MS);
      const at = find();
      return line.messages.splice(0, at + 1)[at] as GuestMessage;
    },
    close: () => socket.destroy(),
  };
}

async function connectTo(path: string, qemu: ChildProcess, said: () => string): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    const done = await new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
    if (done) return socket;
    if (qemu.exitCode !== null) throw new Error(`QEMU ended: ${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function readOutput(record: Buffer): GuestOutput {
  const offset = Number(record.readBigUInt64BE(0));
  return {
    offset,
    end: offset + 4 + record.length,
    container: record[16] ?? 255,
    stream: record[17] ?? 0,
    text: record.subarray(19).toString(),
  };
}

/** An EROFS disk with a static busybox, and an empty ext4 file system, in `dir`. */
export function makeDisks(dir: string): { image0: string; scratch: string } {
  const root = join(dir, 'rootfs');
  for (const name of ['bin', 'etc', 'proc', 'tmp', 'dev']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  chmodSync(join(root, 'bin/busybox'), 0o755);
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n');
  for (const applet of applets.filter((name) => name !== '' && name !== 'busybox')) symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  const [image0, scratch] = [join(dir, 'image.erofs'), join(dir, 'scratch.ext4')];
  execFileSync('mkfs.erofs', ['--quiet', image0, root]);
  writeFileSync(scratch, '');
  truncateSync(scratch, 1024 ** 3);
  execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', '-E', 'lazy_itable_init=1', scratch]);
  return { image0, scratch };
}
