import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { isFault } from '#base/fault.ts';
import { createFileJournal } from './file-journal.ts';
import type { TaskEntry } from './journal.ts';
import { assignmentOf } from './testing.ts';

function entryOf(id: string, seq: number): TaskEntry {
  const report = {
    taskId: id,
    seq,
    status: 'RUNNING',
    isolation: null,
    accelerator: null,
    connectivityAt: null,
    pullStartedAt: null,
    pullStoppedAt: null,
    startedAt: null,
    stoppingAt: null,
    executionStoppedAt: null,
    stoppedAt: null,
    stop: null,
    containers: [],
  } as const;
  return { version: 1, assignment: assignmentOf(id), report: { ...report, containers: [] }, runtimeIds: {}, ackedOffset: 0 };
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'berth-journal-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test('the newest entry is what is read back, however many came at once', async (t) => {
  const dir = folder(t);
  const journal = createFileJournal(dir);
  await journal.load();
  const entry = entryOf('a', 0);
  const saves: Promise<void>[] = [];
  for (let seq = 1; seq <= 50; seq++) {
    entry.report.seq = seq;
    saves.push(journal.save(entry));
    if (seq % 10 === 0) await saves.at(-1);
  }
  await Promise.all(saves);
  const { entries } = await createFileJournal(dir).load();
  assert.deepEqual(entries, [entry]);
  await journal.remove('a');
  assert.deepEqual((await journal.load()).entries, []);
  assert.deepEqual(readdirSync(join(dir, 'journal')), []);
});

test('what is damaged or has no entry is told apart', async (t) => {
  const dir = folder(t);
  const journal = createFileJournal(dir);
  await journal.load();
  await journal.save(entryOf('good', 1));
  writeFileSync(join(dir, 'journal', 'cut.json'), '{"version":1,"assi');
  writeFileSync(join(dir, 'journal', 'good.json.new'), 'half');
  writeFileSync(join(dir, 'journal', 'unborn.json.new'), 'half');
  mkdirSync(join(dir, 'tasks', 'stray'));
  mkdirSync(join(dir, 'tasks', 'good'));
  const contents = await journal.load();
  assert.deepEqual(
    contents.entries.map((entry) => entry.report.taskId),
    ['good'],
  );
  assert.deepEqual(contents.broken, ['cut']);
  assert.deepEqual(contents.strays, ['stray']);
  assert.deepEqual(readdirSync(join(dir, 'journal')).toSorted(), ['cut.json', 'good.json']);
});

test('an agent that is killed while it replaces an entry leaves the old one or the new one', async (t) => {
  const dir = folder(t);
  const journal = createFileJournal(dir);
  await journal.load();
  writeFileSync(join(dir, 'journal', 'a.json.new'), JSON.stringify(entryOf('a', 7)));
  await journal.save(entryOf('b', 1));
  writeFileSync(join(dir, 'journal', 'b.json.new'), JSON.stringify(entryOf('b', 2)));
  const { entries } = await journal.load();
  assert.deepEqual(entries.map((entry) => `${entry.report.taskId} ${entry.report.seq}`).toSorted(), ['a 7', 'b 1']);
});

test('a journal that cannot be written says so', async (t) => {
  const dir = folder(t);
  const journal = createFileJournal(dir);
  await journal.load();
  rmSync(join(dir, 'journal'), { recursive: true });
  await assert.rejects(journal.save(entryOf('a', 1)), (error) => isFault(error, 'Internal'));
});
