import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import { seededRandom } from '#base/random.ts';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import { createFakeDriver, createFakeWorld } from '#sandbox/fake.ts';
import { createDrivers, sandboxHook } from './hooks/sandbox.ts';
import { createMemoryJournal } from './journal.ts';
import type { Hook } from './run.ts';
import { createRunner } from './runner.ts';
import { createSlots } from './slots.ts';
import { createTails } from './tails.ts';
import { newEntry } from './task-table.ts';
import { assignmentOf, createFakeNetwork, fakeHostInfo } from './testing.ts';

const ID = '0123456789abcdef0123456789abcdef';

test('commands are run in a task’s containers while it runs, and not before or after', async () => {
  const clock = virtualClock();
  const driver = createFakeDriver(createFakeWorld({ clock }), { clock });
  const network: Hook = {
    name: 'network',
    async prepare(run) {
      run.network = await createFakeNetwork().taskNetwork(run.taskId, run.entry.assignment.network);
    },
  };
  const sandbox = sandboxHook({ drivers: createDrivers([driver], fakeHostInfo().isolation), slots: createSlots(1), log: silentLog });
  const deps = {
    clock,
    log: silentLog,
    journal: createMemoryJournal(),
    tails: createTails(),
    stages: [[network], [sandbox]],
    dir: '/nowhere',
    sendOutput: () => true,
    changed: () => {},
  };
  const assignment = assignmentOf(ID, { spec: taskSpec({ containers: [containerSpec({ command: ['run-ms=1000'] })] }) });
  const runner = createRunner(deps, newEntry(assignment, seededRandom(1), clock.now()), 'start');
  const texts: string[] = [];
  const exec = () =>
    runner.exec(
      { container: 'app', command: ['print=inside', 'exit=4'], tty: null },
      { output: (_source, data) => void texts.push(data.toString()) },
    );
  await assert.rejects(exec(), (error) => isFault(error, 'Unavailable'));
  await clock.advance(100);
  assert.equal(runner.entry.report.status, 'RUNNING');
  const process = await exec();
  assert.equal(await process.ended, 4);
  assert.deepEqual(texts, ['inside\n']);
  await clock.advance(10_000);
  await runner.done;
  await assert.rejects(exec(), (error) => isFault(error, 'Unavailable'));
});
