/**
 * The journal as files: DIR/journal/TASKID.json, each replaced whole. While it is being replaced, TASKID.json.new may stand in for it. The
 * tasks' directories are DIR/tasks/TASKID.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { asFault, Fault } from '#base/fault.ts';
import type { Journal, JournalContents, TaskEntry } from './journal.ts';

/** A task's newest write: `entry` until it begins, so that a later entry can take its place. */
type Line = { entry: TaskEntry | null; written: Promise<void> };

export function createFileJournal(dir: string): Journal {
  const entriesDir = join(dir, 'journal');
  const tasksDir = join(dir, 'tasks');
  const lines = new Map<string, Line>();

  // A few KiB into the page cache take 50 us; three hops to another thread and back would take a millisecond of every start.
  const write = (entry: TaskEntry): void => {
    const path = join(entriesDir, `${entry.report.taskId}.json`);
    try {
      writeFileSync(`${path}.new`, JSON.stringify(entry), { mode: 0o600 });
      // ext4 writes a file's data out before that replaces another (auto_da_alloc), which takes a millisecond: so nothing is replaced.
      rmSync(path, { force: true });
      renameSync(`${path}.new`, path);
    } catch (error) {
      const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
      throw new Fault(full ? 'LimitExceeded' : 'Internal', `the host's journal can't be written: ${asFault(error).message}`, {
        cause: error,
      });
    }
  };

  /** One write of a task at a time; entries that come meanwhile become one write after it. */
  const save = (entry: TaskEntry): Promise<void> => {
    const taskId = entry.report.taskId;
    const last = lines.get(taskId);
    if (last !== undefined && last.entry !== null) {
      last.entry = entry;
      return last.written;
    }
    const line: Line = { entry, written: Promise.resolve() };
    const before = last?.written.catch(() => {}) ?? Promise.resolve(); // its caller is told
    line.written = before
      .then(() => {
        const newest = line.entry ?? entry;
        line.entry = null;
        return write(newest);
      })
      .finally(() => {
        if (lines.get(taskId) === line) lines.delete(taskId);
      });
    lines.set(taskId, line);
    return line.written;
  };

  return {
    async load() {
      await Promise.all([entriesDir, tasksDir].map((path) => mkdir(path, { recursive: true, mode: 0o700 })));
      return readAll(entriesDir, tasksDir);
    },
    save,
    async remove(taskId) {
      await lines.get(taskId)?.written.catch(() => {}); // what it wrote goes away
      await rm(join(entriesDir, `${taskId}.json`), { force: true });
    },
  };
}

async function readAll(entriesDir: string, tasksDir: string): Promise<JournalContents> {
  const contents: JournalContents = { entries: [], broken: [], strays: [] };
  const known = new Set<string>();
  await takeNew(entriesDir);
  for (const name of await readdir(entriesDir)) {
    if (!name.endsWith('.json')) continue;
    const taskId = name.slice(0, -'.json'.length);
    known.add(taskId);
    const entry = await readEntry(join(entriesDir, name), taskId);
    if (entry === null) contents.broken.push(taskId);
    else contents.entries.push(entry);
  }
  for (const taskId of await readdir(tasksDir)) if (!known.has(taskId)) contents.strays.push(taskId);
  return contents;
}

/** What a killed agent had written and not yet put in its place: whole when the former entry is gone. */
async function takeNew(entriesDir: string): Promise<void> {
  const names = new Set(await readdir(entriesDir));
  for (const name of names) {
    if (!name.endsWith('.json.new')) continue;
    const path = join(entriesDir, name.slice(0, -'.new'.length));
    const entry = names.has(name.slice(0, -'.new'.length)) ? null : await readEntry(`${path}.new`, basename(path, '.json'));
    await (entry === null ? rm(`${path}.new`, { force: true }) : rename(`${path}.new`, path));
  }
}

/** null when it isn't whole, as after a power cut. */
async function readEntry(path: string, taskId: string): Promise<TaskEntry | null> {
  try {
    const entry = JSON.parse(await readFile(path, 'utf8')) as TaskEntry;
    return entry.version === 1 && entry.report.taskId === taskId ? entry : null;
  } catch {
    return null;
  }
}
