/**
 * The demo on a stock Debian 12 (kernel 6.1, systemd, cgroup v2 alone) in a virtual machine under software emulation: the layout that this
 * machine may not have itself. The guest gets a clone of this tree, Debian's packages by the network as any new user, and nothing else.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { root } from '../e2e/platform.ts';

const MINUTES = 60_000;
const packages =
  'systemd-sysv dbus ca-certificates linux-image-cloud-amd64 initramfs-tools iproute2 isc-dhcp-client curl procps zstd ' +
  'haproxy nftables gcc libc6-dev busybox-static qemu-system-x86 erofs-utils e2fsprogs xfsprogs';
const service = `[Unit]
Description=the soak
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /opt/berth/test/soak/guest-run.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=multi-user.target
`;

function installMissing(): void {
  const needed = { debootstrap: 'debootstrap', 'qemu-system-x86_64': 'qemu-system-x86', 'mkfs.ext4': 'e2fsprogs' };
  const missing = Object.entries(needed).filter(
    ([command]) => !['/usr/sbin', '/usr/bin', '/sbin'].some((d) => existsSync(join(d, command))),
  );
  if (missing.length === 0) return;
  execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing.map(([, p]) => p)], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: 'inherit',
    timeout: 10 * MINUTES,
  });
}

/** A Debian with this tree in /opt/berth; the supervisor is the one built here, since a compiler under emulation takes hours. */
function makeDisk(dir: string): void {
  const fs = join(dir, 'rootfs');
  execFileSync(
    'debootstrap',
    ['--variant=minbase', `--include=${packages.replaceAll(' ', ',')}`, 'bookworm', fs, 'http://deb.debian.org/debian'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: 15 * MINUTES,
    },
  );
  const home = join(fs, 'opt/berth');
  mkdirSync(home, { recursive: true });
  const files = execFileSync('git', ['-C', root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
    .split('\0')
    .filter(Boolean);
  for (const file of files) cpSync(join(root, file), join(home, file), { recursive: true });
  for (const made of ['node_modules', '.berth']) cpSync(join(root, made), join(home, made), { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(fs, 'etc/systemd/system/soak.service'), service);
  symlinkSync('/etc/systemd/system/soak.service', join(fs, 'etc/systemd/system/multi-user.target.wants/soak.service'));
  // A getty on the same line would hang it up under the soak.
  symlinkSync('/dev/null', join(fs, 'etc/systemd/system/serial-getty@ttyS0.service'));
  writeFileSync(join(fs, 'etc/fstab'), '/dev/vda / ext4 defaults 0 0\n');
  writeFileSync(join(fs, 'etc/hostname'), 'debian-vm\n');
  const disk = join(dir, 'disk.img');
  execFileSync('truncate', ['-s', '6G', disk]);
  execFileSync('mkfs.ext4', ['-q', '-d', fs, disk], { timeout: 5 * MINUTES });
}

async function boot(dir: string): Promise<string> {
  const bootDir = join(dir, 'rootfs/boot');
  const file = (prefix: string) => join(bootDir, readdirSync(bootDir).find((f) => f.startsWith(prefix)) ?? '');
  const vm = spawn(
    'qemu-system-x86_64',
    [
      '-M q35 -accel tcg,thread=multi,tb-size=512 -cpu Nehalem -smp 2 -m 4G -nographic -no-reboot'.split(' '),
      ['-kernel', file('vmlinuz-'), '-initrd', file('initrd.img-')],
      ['-append', 'root=/dev/vda rw console=ttyS0 mitigations=off nokaslr quiet systemd.show_status=false'],
      ['-drive', `file=${join(dir, 'disk.img')},format=raw,if=virtio,cache=unsafe`],
      '-netdev user,id=n0 -device virtio-net-pci,netdev=n0'.split(' '),
    ].flat(),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  vm.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  const timer = setTimeout(() => vm.kill('SIGKILL'), 30 * MINUTES);
  await once(vm, 'close');
  clearTimeout(timer);
  return said.replaceAll('\r', '');
}

describe('a stock Debian 12 with kernel 6.1 and cgroup v2', () => {
  let dir: string;
  let said = '';
  before(async () => {
    installMissing();
    execFileSync(join(root, 'berth'), ['setup'], { timeout: 15 * MINUTES });
    dir = mkdtempSync(join(tmpdir(), 'berth-vm-'));
    makeDisk(dir);
    said = await boot(dir);
    if (process.env['BERTH_SOAK_LOG'] !== undefined) writeFileSync(process.env['BERTH_SOAK_LOG'], said);
  });
  after(() => {
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });
  const step = (name: string): number => {
    const found = new RegExp(`^SOAK step ${name} (\\d+) ([\\d.]+) ([\\d.]+)$`, 'm').exec(said);
    assert.ok(found, `the guest never came to '${name}'; it last said:\n${said.slice(-4000)}`);
    console.log(`  guest: ${name} exited ${found[1]} after ${(Number(found[3]) - Number(found[2])).toFixed(1)} s`);
    return Number(found[1]);
  };

  it('is what it says', () => {
    assert.match(said, /^SOAK kernel 6\.1\./m, said.slice(-2000));
    assert.match(said, /^SOAK cgroup cgroup2fs$/m);
  });
  it('runs the demo to a checked URL, twice', () => {
    for (const name of ['setup', 'doctor', 'up', 'demo', 'again', 'ps', 'page']) assert.equal(step(name), 0, said.slice(-6000));
  });
  it('ends a task that takes more memory than it has', () => {
    for (const name of ['import', 'memory', 'ended']) assert.equal(step(name), 0);
    assert.match(said, /hog .*STOPPED.*exit 137; OutOfMemoryError/);
  });
  it('runs a task in gVisor, with nothing but cgroup v2', () => {
    for (const name of ['gvisor', 'said']) assert.equal(step(name), 0, said.slice(-6000));
    assert.match(said, /^from gVisor Linux version 4\.4\.0/m);
  });
  it('leaves nothing after down', () => {
    assert.equal(step('down'), 0);
    assert.match(said, /^SOAK left 0 links 0 cgroups 0 mounts 0 tables$/m);
  });
});
