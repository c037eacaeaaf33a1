import assert from 'node:assert/strict';
import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { silentLog } from '#base/log.ts';
import { createApiForward } from './api-forward.ts';
import { diskFloorOf, memoryOf, readHostInfo, readHostUsage, reserveOf } from './info.ts';
import { outcomeOf } from './outcome.ts';
import { createSlots } from './slots.ts';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import { freePort } from '#base/testing.ts';

test('slots let so many in, in order, and those who wait may leave', async () => {
  const slots = createSlots(2);
  const never = new AbortController().signal;
  const gates: (() => void)[] = [];
  const order: number[] = [];
  const enter = (n: number, signal = never) =>
    slots.with(signal, async () => {
      order.push(n);
      await new Promise<void>((resolve) => gates.push(resolve));
    });
  const leaver = new AbortController();
  const all = [enter(1), enter(2), enter(3), enter(4, leaver.signal), enter(5)];
  const left = assert.rejects(all[3] ?? Promise.resolve(), (error) => isFault(error, 'Cancelled'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, [1, 2]);
  leaver.abort();
  await left;
  gates.shift()?.();
  await all[0];
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, [1, 2, 3]);
  gates.splice(0).forEach((go) => go());
  await all[2];
  await new Promise((resolve) => setImmediate(resolve));
  gates.splice(0).forEach((go) => go());
  await Promise.all([all[1], all[4]]);
  assert.deepEqual(order, [1, 2, 3, 5]);
});

test('bytes pass both ways through the API forward, half-closed connections included', async (t) => {
  const echo = createServer({ allowHalfOpen: true }, (socket) => {
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('end', () => socket.end(Buffer.concat(parts).toString().toUpperCase()));
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  const port = await freePort();
  const forward = createApiForward({ log: silentLog }, { port, target: { host: '127.0.0.1', port: (echo.address() as AddressInfo).port } });
  t.after(async () => {
    await forward.close();
    echo.close();
  });
  await Promise.all([forward.listen('127.0.0.1'), forward.listen('127.0.0.1')]);
  const client = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  client.end('hello');
  const parts: Buffer[] = [];
  client.on('data', (part: Buffer) => parts.push(part));
  await once(client, 'end');
  assert.equal(Buffer.concat(parts).toString(), 'HELLO');
  const second = createApiForward({ log: silentLog }, { port, target: { host: '127.0.0.1', port } });
  await assert.rejects(second.listen('127.0.0.1'), (error) => isFault(error, 'Unavailable'));
});

test('one task that holds its connections to the API leaves room for the others', async (t) => {
  const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  const port = await freePort();
  const forward = createApiForward({ log: silentLog }, { port, target: { host: '127.0.0.1', port: (echo.address() as AddressInfo).port } });
  const clients: Socket[] = [];
  t.after(async () => {
    for (const client of clients) client.destroy();
    await forward.close();
    echo.close();
  });
  await forward.listen('127.0.0.1');
  const answered = async (localAddress: string) => {
    const client = connect({ host: '127.0.0.1', port, localAddress }).on('error', () => {});
    clients.push(client);
    client.write('x');
    return Promise.race([once(client, 'data').then(() => true), once(client, 'close').then(() => false)]);
  };
  for (let n = 0; n < limits.forwardConnectionsPerTask; n++) assert.ok(await answered('127.0.0.2'));
  assert.equal(await answered('127.0.0.2'), false);
  assert.equal(await answered('127.0.0.3'), true);
  clients[0]?.destroy();
  while (!(await answered('127.0.0.2')));
});

test('the machine is read as it is', async () => {
  const info = await readHostInfo({ isolation: [], strictCapacity: true, occupiedCidrs: [], dir: '/tmp', instance: '00000a' });
  assert.ok(info.memoryBytes > info.reserveBytes && info.cpuMillis >= 1000);
  assert.equal(info.cidrSeed, 10);
  const usage = await readHostUsage('/tmp');
  assert.ok(usage.freeMemoryBytes > 0 && usage.freeMemoryBytes <= info.memoryBytes);
  assert.equal(memoryOf('MemTotal:        8 kB\nMemAvailable:    4 kB\n', 'MemAvailable'), 4096);
  assert.ok(info.diskFloorBytes !== undefined && info.diskFloorBytes > 0);
  assert.equal(diskFloorOf(1000), 50);
  assert.equal(diskFloorOf(1024 ** 4), 2 * 1024 ** 3);
  assert.equal(reserveOf(1024 ** 3), 256 * 1024 ** 2);
  assert.equal(reserveOf(100 * 1024 ** 3), 5 * 1024 ** 3);
});

test('a container that is not essential may fail or end without ending the task', () => {
  const spec = taskSpec({ containers: [containerSpec({ name: 'app' }), containerSpec({ name: 'side', essential: false })] });
  const running = {
    status: 'running',
    pid: 1,
    startedAtMs: 5,
    finishedAtMs: null,
    exitCode: null,
    oomKilled: false,
    failure: null,
    health: 'UNKNOWN',
    healthReason: null,
    restartCount: 0,
  } as const;
  const failure = { stage: 'start', message: 'no such file' } as const;
  const failed = { ...running, status: 'exited', startedAtMs: null, failure } as const;
  const outcome = outcomeOf(spec, {
    containers: [
      { name: 'app', ...running },
      { name: 'side', ...failed },
    ],
    failure: null,
    droppedBytes: 0,
    spoolBase: 0,
    spoolEnd: 0,
  });
  assert.deepEqual(outcome, { startedAt: 5, stop: null, ended: false });
});

test('a sandbox that could not be made failed to start; one that went away under its containers is the host’s fault', () => {
  const spec = taskSpec({ containers: [containerSpec({ name: 'app' })] });
  const app = {
    name: 'app',
    status: 'exited',
    pid: null,
    finishedAtMs: 9,
    oomKilled: false,
    failure: null,
    health: 'UNKNOWN',
    healthReason: null,
    restartCount: 0,
  } as const;
  const state = (startedAtMs: number | null, exitCode: number | null, message: string) => ({
    containers: [{ ...app, startedAtMs, exitCode }],
    failure: { stage: 'setup', message } as const,
    droppedBytes: 0,
    spoolBase: 0,
    spoolEnd: 0,
  });
  assert.deepEqual(outcomeOf(spec, state(null, null, 'no room')), {
    startedAt: null,
    stop: { code: 'TaskFailedToStart', reason: 'ResourceInitializationError: setup: no room' },
    ended: true,
  });
  assert.deepEqual(outcomeOf(spec, state(5, 137, 'the sandbox is gone')), {
    startedAt: null,
    stop: { code: 'InfrastructureHealth', reason: 'The sandbox is gone' },
    ended: true,
  });
});
