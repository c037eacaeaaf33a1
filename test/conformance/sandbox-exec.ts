/** Commands that are run inside a container: the part of the conformance suite that every kind passes, the fake one too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '#base/fault.ts';
import type { ExecRequest } from '#supervisor/exec-calls.ts';
import type { Inside, Ran, Rig } from './sandbox.ts';
import { execWitness, runs } from './witness.ts';

/** More than any window and pipe holds. */
const MUCH = 600_000;

export function execs(rig: Rig): void {
  const waiting = async (): Promise<Ran> => {
    const { container, plan } = rig.sandbox();
    const ran = await rig.run(await plan([container({ prints: ['up'] })]));
    await ran.w.until('it runs', () => runs(ran.w, 'app') && ran.w.text('app') === 'up\n');
    return ran;
  };
  const exec = (ran: Ran, inside: Inside, change: Partial<ExecRequest> = {}, acks = true) => {
    const { command, patienceMs } = rig.sandbox();
    return execWitness(ran.sandbox, { container: 'app', command: command(inside), tty: null, ...change }, { patienceMs, acks });
  };

  test('a command runs inside: both its streams, its exit code, and the container goes on', async () => {
    const ran = await waiting();
    const seen = await exec(ran, { prints: ['one', 'two'], errors: ['bad'], exits: 7 });
    assert.equal(await seen.code(), 7);
    assert.equal(seen.out(), 'one\ntwo\n');
    assert.equal(seen.err(), 'bad\n');
    const many = await Promise.all([0, 1, 2, 3].map((n) => exec(ran, { prints: [`n${n}`], exits: n })));
    for (const [n, one] of many.entries()) {
      assert.equal(await one.code(), n);
      assert.equal(one.out(), `n${n}\n`);
    }
    assert.ok(runs(ran.w, 'app'));
    await rig.finish(ran);
  });

  test('its input arrives whole and ends', async () => {
    const ran = await waiting();
    const seen = await exec(ran, { echoes: true, exits: 3 });
    await seen.process.write(Buffer.from('hello\n'));
    await seen.until('the echo', () => seen.out() === 'hello\n');
    const text = 'x'.repeat(MUCH);
    await seen.process.write(Buffer.from(text));
    seen.process.end();
    assert.equal(await seen.code(), 3);
    assert.ok(seen.out() === `hello\n${text}`, `${seen.out().length} characters came back`);
    await rig.finish(ran);
  });

  test('a reader that is slow holds up the command and nobody else', async () => {
    const ran = await waiting();
    const slow = await exec(ran, { echoes: true }, {}, false);
    let written = false;
    const writing = slow.process.write(Buffer.alloc(MUCH, 'y')).then(() => (written = true));
    await slow.until('its window is full', () => slow.out().length >= 100_000);
    const other = await exec(ran, { prints: ['here'] });
    assert.equal(await other.code(), 0);
    assert.equal(written, false);
    assert.ok(slow.out().length < MUCH);
    slow.process.close();
    await assert.rejects(slow.code(), (error) => isFault(error, 'Cancelled'));
    await writing;
    await rig.finish(ran);
  });

  test('with a terminal: its size, a change of it, one stream, and Ctrl-C', async () => {
    const ran = await waiting();
    const seen = await exec(ran, { errors: ['bad'], tellsSize: true }, { tty: { cols: 120, rows: 40 } });
    await seen.until('the size', () => seen.out() === 'bad\r\n40 120\r\n');
    seen.process.resize({ cols: 132, rows: 50 });
    await seen.until('the new size', () => seen.out() === 'bad\r\n40 120\r\n50 132\r\n');
    await seen.process.write(Buffer.from([3]));
    assert.equal(await seen.code(), 130);
    assert.equal(seen.err(), '');
    await rig.finish(ran);
  });

  test('a signal ends it, and a close kills it', async () => {
    const ran = await waiting();
    const seen = await exec(ran, { prints: ['up'], waits: true });
    await seen.until('it runs', () => seen.out() === 'up\n');
    seen.process.signal('SIGTERM');
    assert.equal(await seen.code(), 143);
    const closed = await exec(ran, { waits: true });
    closed.process.close();
    await assert.rejects(closed.code(), (error) => isFault(error, 'Cancelled'));
    await rig.finish(ran);
  });

  test('what can’t be run says so: no such command, no such container, one that ended', async () => {
    const { container, plan } = rig.sandbox();
    const side = container({ exits: 0 }, { name: 'side', essential: false });
    const ran = await rig.run(await plan([container({}), side]));
    await ran.w.until('one runs and one ended', () => runs(ran.w, 'app') && ran.w.state().containers[1]?.status === 'exited');
    const refused = (promise: Promise<unknown>, text: RegExp) =>
      assert.rejects(promise, (error) => isFault(error, 'InvalidParameter') && text.test(error.message));
    await refused(exec(ran, { broken: true }), /\/no\/such\/command/);
    await refused(exec(ran, {}, { container: 'nobody' }), /nobody/);
    await refused(exec(ran, {}, { container: 'side' }), /side.* is not running/);
    await rig.finish(ran);
  });

  test('it ends with its container, and with the connection of whoever began it', async () => {
    const { driver } = rig.sandbox();
    const ran = await waiting();
    const first = await exec(ran, { waits: true });
    ran.sandbox.detach();
    await assert.rejects(first.code(), (error) => isFault(error, 'Unavailable'));
    const w = rig.witness();
    const found = await driver.recover(ran.plan.taskId, ran.plan.dir, ['app'], 0, w.events);
    assert.ok(found);
    const again = { ...ran, sandbox: found, w };
    const second = await exec(again, { prints: ['up'], waits: true });
    await second.until('it runs', () => second.out() === 'up\n');
    found.stop();
    await w.ended();
    assert.equal(await second.code(), 137);
    await rig.giveBack(again);
  });
}
