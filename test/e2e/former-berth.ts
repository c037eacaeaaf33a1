/** A berth of before, out of this repository's own history: the newest whose database has an older schema. Kept for the next test. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './platform.ts';

const SCHEMA = 'src/store/schema.ts';
const cache = join(root, '.berth/cache');
/** A release build of the supervisor, on a machine that does other things too. */
const BUILD_MS = 900_000;

const git = (...args: string[]) =>
  execFileSync('git', ['-C', root, '-c', `safe.directory=${root}`, ...args], { encoding: 'utf8', maxBuffer: 64 << 20 });

/** The steps that a schema takes stand between the brackets of its list, each a text in backticks. */
const stepsOf = (schema: string) => (schema.match(/`/g) ?? []).length / 2;

/** Why there is no such berth here: a clone whose history doesn't reach back so far. null: there is. */
export function whyNoFormer(): string | null {
  return formerCommit() === null ? 'not run: this clone has no commit with an older schema (git fetch --unshallow brings it)' : null;
}

function formerCommit(): string | null {
  const now = stepsOf(readFileSync(join(root, SCHEMA), 'utf8'));
  for (const changed of git('rev-list', 'HEAD', '--', SCHEMA).split('\n').filter(Boolean)) {
    const parent = git('rev-list', '--parents', '-n', '1', changed).trim().split(' ')[1];
    if (parent === undefined) break;
    const there = git('ls-tree', '--name-only', parent, SCHEMA).trim() === SCHEMA;
    if (there && stepsOf(git('show', `${parent}:${SCHEMA}`)) < now) return parent;
  }
  return null;
}

/** Its tree, with a supervisor of its own, ready to run. */
export function formerBerth(): string {
  const commit = formerCommit();
  assert.ok(commit !== null);
  const home = join(cache, `former-${commit}`);
  mkdirSync(cache, { recursive: true });
  for (const name of readdirSync(cache))
    if (name.startsWith('former-') && name !== `former-${commit}`) rmSync(join(cache, name), { recursive: true });
  if (!existsSync(join(home, '.berth/ready'))) unpack(commit, home);
  execFileSync('sh', [join(home, 'tools/setup.sh'), 'supervisor'], { timeout: BUILD_MS, stdio: ['ignore', 'ignore', 'inherit'] });
  return home;
}

function unpack(commit: string, home: string): void {
  rmSync(home, { recursive: true, force: true });
  mkdirSync(join(home, '.berth'), { recursive: true });
  const tar = execFileSync('git', ['-C', root, '-c', `safe.directory=${root}`, 'archive', commit], { maxBuffer: 512 << 20 });
  execFileSync('tar', ['-x', '-C', home], { input: tar });
  // Its packages are this one's: an older lock file must not be a reason to install others in their place.
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
  utimesSync(join(home, 'package-lock.json'), 0, 0);
  // What doesn't change needs no second build.
  const target = join(root, 'supervisor/target');
  if (existsSync(target)) symlinkSync(target, join(home, 'supervisor/target'));
  // The test needs no other sandbox than `container`.
  for (const part of ['guest', 'gvisor']) writeFileSync(join(home, '.berth', `${part}.tried`), 'not wanted\n');
  writeFileSync(join(home, '.berth/ready'), '');
}

// tools/test.sh asks, for its summary.
if (import.meta.main) process.stdout.write(whyNoFormer() ?? '');
