import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runChild } from '#base/child.ts';
import { realClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { makeRoom, parseLibraries } from './room.ts';

const clock = realClock();

test('what the loader says is read to the last path', () => {
  const text = `	linux-vdso.so.1 (0x00007ffc5a5e4000)
	libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f0a9a400000)
	/lib64/ld-linux-x86-64.so.2 (0x00007f0a9b2b5000)
`;
  assert.deepEqual(parseLibraries(text, 'qemu'), ['/lib/x86_64-linux-gnu/libz.so.1', '/lib64/ld-linux-x86-64.so.2']);
  assert.throws(
    () => parseLibraries('	libx.so => not found\n', 'qemu'),
    (error) => isFault(error, 'Unavailable'),
  );
});

test('a room holds all that QEMU needs and nothing that leads out of it; it is made once', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-room-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  // As a process left it that was killed; its number is beyond all that the kernel gives.
  mkdirSync(join(dir, '.new-4194305-1', 'lib'), { recursive: true });
  const [room, beside] = await Promise.all([makeRoom({ clock, dir }), makeRoom({ clock, dir })]);
  const again = await makeRoom({ clock, dir });
  assert.deepEqual([beside, again], [room, room]);
  assert.match(room.version, /^\d+\.\d+(\.\d+)*-[0-9a-f]{12}$/);
  assert.deepEqual(readdirSync(dir), [room.version]);
  assert.deepEqual(readdirSync(room.path).sort(), ['dev', 'lib', 'lib64', 'proc', 'usr', 'vm']);
  const { stdout: links } = await runChild(clock, 'find', [room.path, '-type', 'l'], { timeoutMs: 10_000 });
  assert.equal(links, '');
  // It starts in there, with nothing else of the machine, and knows the machine and the accelerator that are wanted.
  const args = [room.path, room.program, '-M', 'microvm', '-accel', 'tcg', '-S', '-nodefaults', '-display', 'none', '-qmp', 'stdio'];
  const input = '{"execute":"qmp_capabilities"}{"execute":"query-status"}{"execute":"quit"}';
  const { stdout, stderr } = await runChild(clock, 'chroot', args, { input, timeoutMs: 20_000 });
  assert.match(stdout, /"status": "prelaunch"/, stderr);
  assert.equal(statSync(join(room.path, room.program)).mode & 0o777, 0o555);
});

test('without QEMU it says what to install', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-room-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  await assert.rejects(
    makeRoom({ clock, dir, qemu: '/usr/bin/no-such-qemu' }),
    (error) => isFault(error, 'Unavailable') && /install the package/.test(error.message),
  );
});
