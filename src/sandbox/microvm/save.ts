/** Writes a stopped machine's state to a file: QEMU connects to a socket in its own directory, since it may open nothing else. */
import { createWriteStream } from 'node:fs';
import { chmod, open, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Machine } from './machine.ts';

const SOCKET = 'save.sock';

/** Resolves once the file is whole. Throws Fault; the file is then of no use. */
export async function saveState(machine: Pick<Machine, 'dir' | 'monitor'>, file: string, capabilities: string[]): Promise<void> {
  const { monitor } = machine;
  const directory = await open(machine.dir, 'r');
  const server = createServer();
  // A Unix socket's path may have 107 bytes, and ours may be longer: by descriptor it is short.
  const path = `/proc/self/fd/${directory.fd}/${SOCKET}`;
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
    await chmod(path, 0o666);
    const written = new Promise<void>((resolve, reject) => {
      server.once('connection', (socket: Socket) => {
        pipeline(socket, createWriteStream(file, { mode: 0o600, flush: true })).then(resolve, reject);
      });
    });
    written.catch(() => {}); // awaited below, after QEMU's own word
    const all = ['events', ...capabilities];
    await monitor.run('migrate-set-capabilities', { capabilities: all.map((capability) => ({ capability, state: true })) });
    const ended = monitor.event(
      'MIGRATION',
      (data) => data['status'] === 'completed' || data['status'] === 'failed',
      limits.qmpMigrationMs,
    );
    ended.catch(() => {});
    await monitor.run('migrate', { uri: `unix:/vm/${SOCKET}` });
    if ((await ended)['status'] !== 'completed') throw new Fault('Internal', "QEMU couldn't write the machine's state");
    await written;
  } finally {
    server.close();
    await rm(join(machine.dir, SOCKET), { force: true });
    await directory.close();
  }
}
