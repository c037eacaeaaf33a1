/** A real QEMU in a real room, through the worker's client. No guest is booted. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { realClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import { realRandom } from '#base/random.ts';
import { checkVmExit } from '#supervisor/messages.ts';
import type { VmBundle } from '#supervisor/protocol.ts';
import { createWorkerClient } from '#supervisor/worker-client.ts';
import { supervisorBinary } from '../../../test/conformance/real-host.ts';
import { makeRoom } from './room.ts';

const clock = realClock();
const UID = 61_235;

test('QEMU starts in its room, is spoken to, ends, and leaves nothing', { timeout: 60_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-vm-'));
  const group = `berth-${hexId(realRandom(), 6)}`;
  const socket = join(dir, 'worker.sock');
  const child = spawn(supervisorBinary(), ['serve', '--socket', socket], { stdio: ['ignore', 'inherit', 'inherit'] });
  const worker = createWorkerClient({ path: socket, clock });
  const vm = join(dir, 'vm');
  const clean = { dir: vm, cgroupPath: `${group}/vm`, routerNetns: null, routerIf: null };
  t.after(async () => {
    await worker.taskClean(clean);
    await worker.cgroupClean(group);
    worker.close();
    child.kill('SIGTERM');
    rmSync(dir, { recursive: true, force: true });
  });
  const room = await makeRoom({ clock, dir: join(dir, 'rooms') });
  mkdirSync(vm, { mode: 0o755 });
  await worker.scratchMake({ path: join(vm, 'scratch'), bytes: 1024 ** 3, model: join(dir, 'models', '1g'), uid: UID, gid: UID });
  const args = ['-M', 'microvm', '-accel', 'tcg', '-S', '-nodefaults', '-no-user-config', '-display', 'none', '-m', '32M'];
  const bundle: VmBundle = {
    vmId: 'vm',
    dir: vm,
    room: room.path,
    program: room.program,
    args: [
      ...args,
      '-chardev',
      'socket,id=qmp,fd=11,server=on,wait=off',
      '-mon',
      'chardev=qmp,mode=control',
      // A disk by its path, as its own user; another by its descriptor, with root's rights.
      '-blockdev',
      'driver=file,node-name=a,filename=/vm/scratch',
      '-device',
      'virtio-blk-device,drive=a',
      '-blockdev',
      'driver=file,node-name=b,filename=/dev/fd/13,read-only=on',
      '-device',
      'virtio-blk-device,drive=b',
      '-sandbox',
      'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    ],
    uid: UID,
    gid: UID,
    cgroup: { path: `${group}/vm`, cpuMillis: null, cpuShares: null, memoryBytes: 256 * 1024 ** 2, pids: 64 },
    files: [{ fd: 13, path: join(dir, 'models', '1g'), mode: 'read' }],
    sockets: [{ fd: 11, path: join(dir, 'qmp') }],
    tap: { fd: 12, name: 'tap0' },
    kvm: false,
  };
  const { pid, qemuPid } = await worker.vmStart(bundle);
  assert.deepEqual(readdirSync(`/proc/${qemuPid}/root`).sort(), ['dev', 'lib', 'lib64', 'proc', 'usr', 'vm']);
  assert.deepEqual(readdirSync(`/proc/${qemuPid}/root/proc`), []);
  assert.match(readFileSync(`/proc/${qemuPid}/status`, 'utf8'), new RegExp(`^Uid:\\s${UID}\\s${UID}\\s${UID}\\s${UID}$`, 'm'));
  // Its share of the program's pages is small once there are more machines than one.
  const own = /^Private_Dirty:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
  assert.ok(Number(own) < 200, `${own} KiB of its own`);
  await worker.cgroupLimit(bundle.cgroup.path, { cpuMillis: 500, cpuShares: null, memoryBytes: null, pids: null });
  assert.equal(statSync(join(dir, 'models', '1g')).mode & 0o777, 0o600);
  await assert.rejects(worker.vmStart(bundle), (error) => isFault(error, 'AlreadyExists'));

  const qmp = connect(join(dir, 'qmp'));
  let said = '';
  qmp.on('data', (chunk: Buffer) => (said += chunk.toString()));
  qmp.write('{"execute":"qmp_capabilities"}{"execute":"query-block"}{"execute":"quit"}');
  await new Promise((resolve) => qmp.once('close', resolve));
  assert.match(said, /\/vm\/scratch/);
  while (!existsSync(join(vm, 'exit.json'))) await clock.sleep(5);
  const exit = checkVmExit(JSON.parse(readFileSync(join(vm, 'exit.json'), 'utf8')), 'exit.json');
  assert.deepEqual({ ...exit, atMs: 0 }, { code: 0, signal: null, oomKilled: false, atMs: 0, console: '' });
  while (existsSync(`/proc/${pid}`)) await clock.sleep(5);
  assert.deepEqual(readdirSync(dir).sort(), ['models', 'rooms', 'vm', 'worker.sock'], 'the socket went with QEMU');
});
