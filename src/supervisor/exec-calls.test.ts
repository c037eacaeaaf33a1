import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { realClock } from '#base/clock.ts';
import { Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { createExecCalls } from './exec-calls.ts';
import type { ExecRequest } from './exec-calls.ts';
import { checkFromSupervisor, checkToSupervisor } from './messages.ts';
import { EXEC_INPUT_BYTES, EXEC_WINDOW_BYTES } from './protocol.ts';
import type { ToSupervisor } from './protocol.ts';

const request: ExecRequest = { container: 'app', command: ['cat'], tty: null };

function rig() {
  const sent: ToSupervisor[] = [];
  const calls = createExecCalls({ clock: realClock(), taskId: 't', send: (message) => void sent.push(checkToSupervisor(message, '')) });
  const output: string[] = [];
  const begin = async () => {
    const starting = calls.start(request, { output: (source, data) => void output.push(`${source} ${data.toString()}`) });
    const id = sent.findLast((message) => message.t === 'exec')?.id ?? 0;
    calls.onMessage({ t: 'exec-started', id });
    return { id, process: await starting };
  };
  const frame = (id: number, source: number, data: Buffer) => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(id);
    head[4] = source;
    return Buffer.concat([head, data]);
  };
  const input = () => sent.filter((message) => message.t === 'exec-input');
  const bytes = () => input().reduce((sum, message) => sum + Buffer.from(message.data, 'base64').length, 0);
  return { calls, sent, output, begin, frame, input, bytes };
}

test('output arrives in order before the end, and what is acknowledged is told', async () => {
  const { calls, sent, output, begin, frame } = rig();
  const { id, process } = await begin();
  calls.onOutput(frame(id, 1, Buffer.from('one')));
  calls.onOutput(frame(id, 2, Buffer.from('two')));
  process.ack(3);
  calls.onMessage({ t: 'exec-exit', id, code: 3 });
  assert.equal(await process.ended, 3);
  assert.deepEqual(output, ['stdout one', 'stderr two']);
  assert.deepEqual(sent.at(-1), { t: 'exec-ack', id, bytes: 3 });
  const before = sent.length;
  process.ack(3);
  process.signal('SIGTERM');
  process.close();
  await process.write(Buffer.from('nobody reads it'));
  assert.equal(sent.length, before);
});

test('input is sent within its window, then as it is taken, and its end comes last', async () => {
  const { calls, input, bytes, begin } = rig();
  const { id, process } = await begin();
  const large = process.write(Buffer.alloc(EXEC_INPUT_BYTES + 10, 'x'));
  const small = process.write(Buffer.from('end'));
  process.end();
  assert.equal(bytes(), EXEC_INPUT_BYTES);
  assert.ok(input().every((message) => !message.eof));
  calls.onMessage({ t: 'exec-taken', id, bytes: 11 });
  await large;
  assert.equal(bytes(), EXEC_INPUT_BYTES + 11);
  calls.onMessage({ t: 'exec-taken', id, bytes: 100 });
  await small;
  assert.equal(bytes(), EXEC_INPUT_BYTES + 13);
  assert.equal(input().at(-1)?.eof, true);
  await assert.rejects(process.write(Buffer.from('more')), (error) => isFault(error, 'Conflict'));
});

test('a supervisor that breaks its word is found out', async () => {
  const { calls, begin, frame } = rig();
  const { id } = await begin();
  const attacks: (() => void)[] = [
    () => calls.onOutput(Buffer.alloc(4)),
    () => calls.onOutput(frame(id, 3, Buffer.from('x'))),
    () => calls.onOutput(frame(id, 1, Buffer.alloc(EXEC_WINDOW_BYTES + 1))),
    () => calls.onMessage({ t: 'exec-taken', id, bytes: 1 }),
  ];
  for (const attack of attacks) assert.throws(attack, (error) => isFault(error, 'ProtocolError'));
  calls.onOutput(frame(id + 1, 1, Buffer.from('of one that was closed')));
});

test('one that cannot be started says why; there are only so many; a lost connection and a close end them', async () => {
  const { calls, sent, begin } = rig();
  const starting = calls.start(request, { output: () => {} });
  calls.onMessage({ t: 'exec-error', id: 1, message: 'exec: "cat": executable file not found in $PATH' });
  await assert.rejects(starting, (error) => isFault(error, 'InvalidParameter') && error.message.startsWith('exec: '));
  const begun = [];
  for (let n = 0; n < limits.execsPerTask; n++) begun.push(await begin());
  await assert.rejects(calls.start(request, { output: () => {} }), (error) => isFault(error, 'LimitExceeded'));
  begun[0]?.process.close();
  assert.deepEqual(sent.at(-1), { t: 'exec-close', id: begun[0]?.id });
  await assert.rejects(begun[0]?.process.ended ?? Promise.resolve(), (error) => isFault(error, 'Cancelled'));
  const writing = begun[1]?.process.write(Buffer.alloc(2 * EXEC_INPUT_BYTES));
  calls.fail(new Fault('Unavailable', 'gone'));
  await writing;
  await assert.rejects(begun[1]?.process.ended ?? Promise.resolve(), (error) => isFault(error, 'Unavailable'));
});

test('whatever a hostile supervisor says of commands is taken, ignored or a broken protocol, and memory stays within the windows', async () => {
  const id = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer(), fc.constant('1'), fc.double());
  const message = fc.record({
    t: fc.constantFrom('exec-started', 'exec-taken', 'exec-exit', 'exec-error', 'exec'),
    id,
    bytes: fc.oneof(fc.integer({ min: 0, max: 200_000 }), fc.double()),
    code: fc.integer(),
    message: fc.string(),
  });
  const output = fc.tuple(fc.uint8Array({ maxLength: 9 }), fc.integer({ min: 0, max: 200_000 }));
  const known = fc.tuple(fc.constant(Uint8Array.of(0, 0, 0, 1, 1)), fc.integer({ min: 0, max: 200_000 }));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(message, output, known), { maxLength: 40 }), async (said) => {
      const { calls, output: heard, begin, bytes } = rig();
      const { process } = await begin();
      void process.write(Buffer.alloc(3 * EXEC_INPUT_BYTES));
      for (const one of said) {
        try {
          if (Array.isArray(one)) calls.onOutput(Buffer.concat([one[0], Buffer.alloc(one[1])]));
          else {
            const checked = checkFromSupervisor(one, '');
            if (checked.t === 'exec-started' || checked.t === 'exec-taken' || checked.t === 'exec-exit' || checked.t === 'exec-error')
              calls.onMessage(checked);
          }
        } catch (error) {
          assert.ok(isFault(error, 'ProtocolError'), String(error));
          break; // the connection is dropped
        }
      }
      assert.ok(heard.reduce((sum, text) => sum + text.length - 'stdout '.length, 0) <= EXEC_WINDOW_BYTES);
      assert.ok(bytes() <= 3 * EXEC_INPUT_BYTES);
      calls.fail(new Fault('Unavailable', 'dropped'));
    }),
    { numRuns: 200 },
  );
});
