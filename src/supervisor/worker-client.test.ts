import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { realClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { encodeJson, FrameReader } from '#base/frames.ts';
import { checkWorkerRequest } from './messages.ts';
import type { WorkerRequest } from './protocol.ts';
import { createWorkerClient } from './worker-client.ts';

async function worker(t: TestContext, answer: (request: WorkerRequest, say: (message: object) => void, socket: Socket) => void) {
  const dir = mkdtempSync(join(tmpdir(), 'berth-worker-'));
  const path = join(dir, 'worker.sock');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    const reader = new FrameReader();
    socket.on('data', (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) {
        const request = checkWorkerRequest(JSON.parse(frame.payload.toString()), '');
        answer(request, (message) => socket.write(encodeJson(message)), socket);
      }
    });
  });
  const listen = () => new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return { path, listen };
}

test('answers come in any order and reach who asked', async (t) => {
  const held: (() => void)[] = [];
  const w = await worker(t, (request, say) => {
    if (request.op === 'task-start') held.push(() => say({ id: request.id, ok: true, result: { pid: request.id } }));
    else say({ id: request.id, ok: true, result: null });
    if (held.length === 2) for (const go of held.splice(0).toReversed()) go();
  });
  await w.listen();
  const client = createWorkerClient({ path: w.path, clock: realClock() });
  await client.ping();
  const [one, two] = await Promise.all([client.taskStart('/a'), client.taskStart('/b')]);
  assert.ok(one.pid < two.pid);
  client.close();
});

test('errors keep their code, and a nonsense answer is a broken protocol', async (t) => {
  const w = await worker(t, (request, say) => {
    if (request.op === 'vpc-down') say({ id: request.id, ok: false, error: { code: 'not-found', message: 'no such VPC' } });
    else say({ id: request.id, ok: true, result: { pid: 'seven' } });
  });
  await w.listen();
  const client = createWorkerClient({ path: w.path, clock: realClock() });
  await assert.rejects(
    client.vpcDown({ routerNetns: '/n', hostIf: 'br' }),
    (error) => isFault(error, 'ResourceNotFound') && error.details['worker'] === 'not-found',
  );
  await assert.rejects(client.taskStart('/a'), (error) => isFault(error, 'ProtocolError'));
  client.close();
});

test('a worker that dies fails the calls under way, and the next call finds the new one', async (t) => {
  let dies = true;
  const w = await worker(t, (request, say, socket) => {
    if (dies) socket.destroy();
    else say({ id: request.id, ok: true, result: null });
  });
  const client = createWorkerClient({ path: w.path, clock: realClock() });
  const early = client.ping(); // it isn't listening yet
  await w.listen();
  await assert.rejects(early, (error) => isFault(error, 'Unavailable'));
  dies = false;
  await client.ping();
  client.close();
  await assert.rejects(client.ping(), (error) => isFault(error, 'Cancelled'));
});

test('a call that a worker dies over is made anew, after what the first try left was taken away; a machine is its caller’s to start again', async (t) => {
  let deaths = 0;
  const heard: string[] = [];
  const done = { diffId: 'sha256:1', bytes: 2, entries: 3 };
  const w = await worker(t, (request, say, socket) => {
    heard.push(request.op);
    if (deaths > 0) {
      deaths--;
      socket.destroy();
    } else say({ id: request.id, ok: true, result: request.op === 'unpack' ? done : { pid: 7, port: 8 } });
  });
  await w.listen();
  const client = createWorkerClient({ path: w.path, clock: realClock() });
  t.after(() => client.close());
  deaths = 2;
  assert.deepEqual(await client.taskStart('/a'), { pid: 7 });
  assert.deepEqual(heard.splice(0), ['task-start', 'task-start', 'task-start']);
  deaths = 1;
  assert.deepEqual(await client.unpack({ blob: '/b', compression: 'gzip', into: '/layers/i', diffId: null }), done);
  assert.deepEqual(heard.splice(0), ['unpack', 'remove-tree', 'unpack']);
  deaths = 1;
  const cgroup = { path: 'berth-a/b', cpuMillis: null, cpuShares: null, memoryBytes: null, pids: null };
  const files = { dir: '/d', name: 'n', routerNetns: '/n', address: '169.254.1.1', port: 0, cgroup, volumes: [] };
  assert.deepEqual(await client.filesStart(files), { pid: 7, port: 8 });
  assert.deepEqual(heard.splice(0), ['files-start', 'task-clean', 'files-start']);
  deaths = 1;
  const vm = {
    vmId: 'v',
    dir: '/v',
    room: '/r',
    program: '/q',
    args: [],
    uid: 1,
    gid: 1,
    cgroup,
    files: [],
    sockets: [],
    tap: null,
    kvm: false,
  };
  await assert.rejects(client.vmStart(vm), (error) => isFault(error, 'Unavailable'));
  assert.deepEqual(heard, ['vm-start']);
});

test('a worker that says nothing is TimedOut, one that is not there Unavailable', async (t) => {
  const w = await worker(t, () => {});
  await w.listen();
  const client = createWorkerClient({ path: w.path, clock: realClock(), callTimeoutMs: 30 });
  await assert.rejects(client.ping(), (error) => isFault(error, 'TimedOut'));
  client.close();
  const nobody = createWorkerClient({ path: `${w.path}.not`, clock: realClock(), connectTimeoutMs: 60 });
  await assert.rejects(nobody.ping(), (error) => isFault(error, 'Unavailable'));
});
