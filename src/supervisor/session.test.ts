import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { realClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { encodeFrame, encodeJson, FrameReader } from '#base/frames.ts';
import type { OutputRun } from '#base/output-run.ts';
import { encodeOutput } from './output-record.ts';
import type { SpoolRecord } from './output-record.ts';
import { EXEC_OUTPUT_FRAME, OUTPUT_FRAME, OUTPUT_RUN_FRAME } from './protocol.ts';
import type { SupervisorState, ToSupervisor } from './protocol.ts';
import { openSession } from './session.ts';

const TASK = 'abc';

function stateOf(change: Partial<SupervisorState> = {}): SupervisorState {
  const containers = [
    {
      name: 'app',
      status: 'running',
      pid: 7,
      startedAtMs: 1,
      finishedAtMs: null,
      exitCode: null,
      oomKilled: false,
      failure: null,
      health: 'UNKNOWN',
      healthReason: null,
      restartCount: 0,
    } as const,
  ];
  return { taskId: TASK, pid: 9, failure: null, containers, droppedBytes: 0, spoolBase: 0, spoolEnd: 0, ...change };
}

/** A supervisor's socket: what it hears, and a way to speak on the newest connection. */
async function peer(t: TestContext, onMessage: (message: ToSupervisor, say: Peer) => void) {
  const dir = mkdtempSync(join(tmpdir(), 'berth-session-'));
  const path = join(dir, 'sup.sock');
  const heard: ToSupervisor[] = [];
  let newest: Socket | undefined;
  const say: Peer = {
    json: (message) => void newest?.write(encodeJson(message)),
    output: (offset, text) =>
      void newest?.write(
        encodeFrame(
          OUTPUT_FRAME,
          encodeOutput({ offset, timeMs: 5, container: 0, source: 'stdout', partial: false, gap: false, data: Buffer.from(text) }),
        ),
      ),
    raw: (bytes) => void newest?.write(bytes),
    hangUp: () => void newest?.destroy(),
  };
  const server: Server = createServer((socket) => {
    newest = socket;
    const reader = new FrameReader();
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) {
        const message = JSON.parse(frame.payload.toString()) as ToSupervisor;
        heard.push(message);
        onMessage(message, say);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const end = () => {
    newest?.destroy();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  };
  t.after(end);
  return { path, heard, say, end };
}
type Peer = { json(message: object): void; output(offset: number, text: string): void; raw(bytes: Buffer): void; hangUp(): void };

function listener() {
  const records: SpoolRecord[] = [];
  const runs: OutputRun[] = [];
  const states: SupervisorState[] = [];
  const lost: string[] = [];
  const waiting: { until(): boolean; go(): void }[] = [];
  const look = () => {
    for (const one of waiting.splice(0)) {
      if (one.until()) one.go();
      else waiting.push(one);
    }
  };
  const events = {
    state: (state: SupervisorState) => (states.push(state), look()),
    output: (record: SpoolRecord) => (records.push(record), look()),
    run: (run: OutputRun) => (runs.push(run), look()),
    error: () => {},
    lost: (reason: string) => (lost.push(reason), look()),
  };
  return {
    events,
    records,
    runs,
    states,
    lost,
    when: (until: () => boolean) => new Promise<void>((go) => (waiting.push({ until, go }), look())),
  };
}

const options = (path: string, change = {}) => ({ path, taskId: TASK, containers: 1, from: 0, clock: realClock(), ...change });

test('a session attaches from an offset and hears state and output', async (t) => {
  const p = await peer(t, (message, say) => {
    if (message.t !== 'attach') return;
    say.json({ t: 'state', seq: 1, state: stateOf() });
    say.output(100, 'hello');
  });
  const l = listener();
  const session = await openSession(options(p.path, { from: 100 }), l.events);
  await l.when(() => l.records.length === 1);
  assert.deepEqual(p.heard, [{ t: 'attach', from: 100, runs: true }]);
  assert.equal(l.records[0]?.data.toString(), 'hello');
  assert.equal(l.records[0]?.end, 100 + 19 + 5 + 4);
  session.detach();
});

/** A run of lines of container 0, each as long as its number says. */
function runOf(from: number, ...lengths: number[]): Buffer {
  let offset = from;
  const records = lengths.map((length) => {
    const line = { timeMs: 5, container: 0, source: 'stdout', partial: false, gap: false, data: Buffer.alloc(length, 'x') } as const;
    const record = encodeOutput({ offset, ...line });
    offset += record.length + 4;
    const head = Buffer.alloc(4);
    head.writeUInt32BE(record.length);
    return Buffer.concat([head, record]);
  });
  return Buffer.concat(records);
}

test('runs of records go on where the ones before ended; what was read already is left out of them', async (t) => {
  const p = await peer(t, (message, say) => {
    if (message.t !== 'attach') return;
    say.json({ t: 'state', seq: 1, state: stateOf() });
    for (const run of [runOf(0, 1, 2), runOf(0, 1, 2), runOf(24, 2, 3), runOf(75, 0)]) say.raw(encodeFrame(OUTPUT_RUN_FRAME, run));
  });
  const l = listener();
  const session = await openSession(options(p.path), l.events);
  await l.when(() => l.runs.length === 3);
  assert.deepEqual(
    l.runs.map(({ from, to, count }) => ({ from, to, count })),
    [
      { from: 0, to: 49, count: 2 },
      { from: 49, to: 75, count: 1 },
      { from: 75, to: 98, count: 1 },
    ],
  );
  session.detach();
});

test('a hostile supervisor is dropped: other task, index out of range, too many containers, a huge frame, nonsense', async (t) => {
  const attacks: ((say: Peer) => void)[] = [
    (say) => say.json({ t: 'state', seq: 1, state: stateOf({ taskId: 'other' }) }),
    (say) => say.json({ t: 'state', seq: 1, state: stateOf({ containers: Array.from({ length: 2 }, () => stateOf().containers[0]!) }) }),
    (say) => say.json({ t: 'state', seq: -1, state: stateOf() }),
    (say) => say.raw(Buffer.from([0xff, 0xff, 0xff, 0xff, 0])),
    (say) => say.raw(encodeFrame(0, Buffer.from('{'))),
    (say) => say.raw(encodeFrame(OUTPUT_FRAME, Buffer.alloc(3))),
    (say) => say.raw(encodeFrame(OUTPUT_RUN_FRAME, Buffer.alloc(0))),
    (say) => say.raw(encodeFrame(OUTPUT_RUN_FRAME, Buffer.alloc(40))),
    (say) => say.raw(encodeFrame(OUTPUT_RUN_FRAME, runOf(0, 1, 2).subarray(0, -1))),
    (say) => say.raw(encodeFrame(OUTPUT_RUN_FRAME, Buffer.concat([runOf(0, 1), runOf(0, 1)]))),
    (say) => say.raw(encodeFrame(OUTPUT_RUN_FRAME, Buffer.concat([runOf(0, 5), runOf(28, 5)]).fill(9, 20, 21))),
    (say) => {
      const record = { offset: 0, timeMs: 0, container: 3, source: 'stdout', partial: false, gap: false, data: Buffer.alloc(0) } as const;
      say.raw(encodeFrame(OUTPUT_FRAME, encodeOutput(record)));
    },
  ];
  for (const attack of attacks) {
    const p = await peer(t, (message, say) => message.t === 'attach' && attack(say));
    await assert.rejects(openSession(options(p.path), listener().events), (error) => isFault(error, 'ProtocolError'));
    p.end();
  }
});

test('a broken connection is made anew from what was read; a supervisor that is gone is lost', async (t) => {
  const p = await peer(t, (message, say) => {
    if (message.t !== 'attach') return;
    say.json({ t: 'state', seq: 1, state: stateOf() });
    if (message.from === 0) say.output(0, 'x');
  });
  const l = listener();
  await openSession(options(p.path), l.events);
  await l.when(() => l.records.length === 1);
  p.say.hangUp();
  await l.when(() => l.states.length === 2);
  assert.deepEqual(
    p.heard.map((message) => message.t === 'attach' && message.from),
    [0, 24],
  );
  assert.deepEqual(l.lost, []);
  p.end();
  await l.when(() => l.lost.length === 1);
});

test('a command goes on while output is thrown away and asked for again, and ends with the connection', async (t) => {
  const p = await peer(t, (message, say) => {
    if (message.t === 'attach') {
      say.json({ t: 'state', seq: 1, state: stateOf() });
      for (let n = message.from / 24; n < 100; n++) say.output(n * 24, 'x');
    }
    if (message.t === 'exec') say.json({ t: 'exec-started', id: message.id });
    if (message.t === 'exec-input')
      say.raw(encodeFrame(EXEC_OUTPUT_FRAME, Buffer.concat([Buffer.from([0, 0, 0, 1, 1]), Buffer.from('hi')])));
  });
  const l = listener();
  const session = await openSession(options(p.path, { windowBytes: 240, stallMs: 10 }), l.events);
  const heard: string[] = [];
  const process = await session.exec(
    { container: 'app', command: ['cat'], tty: null },
    { output: (source, data) => void heard.push(`${source} ${data.toString()}`) },
  );
  while (l.records.length < 100) {
    session.ack(l.records.at(-1)?.end ?? 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(
    l.records.map((record) => record.offset),
    Array.from({ length: 100 }, (_, n) => n * 24),
  );
  await process.write(Buffer.from('hi'));
  while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(heard, ['stdout hi']);
  p.say.hangUp();
  await assert.rejects(process.ended, (error) => isFault(error, 'Unavailable'));
  session.detach();
});

test('nobody there is Unavailable', async () => {
  await assert.rejects(openSession(options('/tmp/no-such-socket'), listener().events), (error) => isFault(error, 'Unavailable'));
});

test('release ends with the end of the connection, is refused while something runs, and what comes after is Unavailable', async (t) => {
  let refuse = true;
  const p = await peer(t, (message, say) => {
    if (message.t === 'attach') say.json({ t: 'state', seq: 1, state: stateOf() });
    if (message.t === 'release' && refuse) say.json({ t: 'error', about: 'release', message: 'app still runs' });
    else if (message.t === 'release') say.json({ t: 'released' });
  });
  const l = listener();
  const session = await openSession(options(p.path), l.events);
  await assert.rejects(session.release(), (error) => isFault(error, 'Conflict'));
  refuse = false;
  await session.release();
  assert.throws(
    () => session.stop(),
    (error) => isFault(error, 'Unavailable'),
  );
  assert.deepEqual(l.lost, []);
});

test('output is read no faster than it is acknowledged, state comes through all the same, and nothing is missed', async (t) => {
  const text = 'x'.repeat(1000);
  const step = 1023;
  const total = 400;
  const p = await peer(t, (message, say) => {
    if (message.t !== 'attach') return;
    say.json({ t: 'state', seq: 1, state: stateOf() });
    for (let n = message.from / step; n < total; n++) say.output(n * step, text);
    say.json({ t: 'state', seq: 2, state: stateOf({ spoolEnd: total * step }) });
  });
  const l = listener();
  const session = await openSession(options(p.path, { windowBytes: 20 * step, stallMs: 30 }), l.events);
  await l.when(() => l.states.some((state) => state.spoolEnd > 0));
  assert.ok(l.records.length < 150, `${l.records.length} records were read unacknowledged`);
  let acked = 0;
  while (l.records.length < total) {
    acked = l.records.length;
    session.ack(acked * step);
    await l.when(() => l.records.length > acked);
  }
  assert.deepEqual(
    l.records.map((record) => record.offset),
    Array.from({ length: total }, (_, n) => n * step),
  );
  session.detach();
});
