/**
 * The modules compiled ahead of the first start: a process that strips types by itself keeps some 15 MiB for it, for as long as it lives.
 * Node tells by the contents of each source whether what is kept still fits: without all this, or with another's, everything works.
 */
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { home } from '../paths.ts';
import { LOAD_ONLY } from '../service.ts';
import { compileCache, nodeProgram } from './node-programs.ts';
import { readOr } from './ports.ts';
import { userIds } from './user.ts';

const LOAD_MS = 60_000;
const programs = ['control', 'host'] as const;

const stampFile = `${compileCache}.stamp`;

export function modulesAreCompiled(): boolean {
  return existsSync(compileCache) && readOr(stampFile) === stamp();
}

/** As root: fills the cache for root and for the user berth. Throws Fault when a program's modules don't load. */
export async function compileModules(clock: Clock, signal: AbortSignal): Promise<void> {
  const fresh = `${compileCache}.${process.pid}`;
  const env = { NODE_COMPILE_CACHE: fresh };
  try {
    mkdirSync(fresh, { recursive: true, mode: 0o755 });
    const load = async (argv: string[], input = '') => {
      const [node = '', ...args] = argv;
      const { code, stderr } = await runChild(clock, node, args, { timeoutMs: LOAD_MS, env, signal, input });
      if (code !== 0) throw new Fault('Internal', `the modules don't load (${argv.join(' ')}):\n${stderr.slice(-2000)}`);
    };
    for (const program of programs) await load([...nodeProgram(process.execPath, program), LOAD_ONLY]);
    await load([process.execPath, '--disable-warning=ExperimentalWarning', join(home, 'src/main/cli.ts'), '--version']);
    const reader = [process.execPath, '--disable-warning=ExperimentalWarning', join(home, 'src/gateway/shape-reader.ts')];
    for (const name of sdkPackages()) await load(reader, JSON.stringify({ package: name, operations: [] }));
    copyForUser(fresh);
    replace(fresh);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  writeFileSync(stampFile, stamp());
}

/** Node's directory of root (its name ends with the user's id) once more for the user berth, who can read it only. */
function copyForUser(cache: string): void {
  for (const own of readdirSync(cache).filter((name) => name.endsWith('-0'))) {
    const copy = join(cache, own.replace(/-0$/, `-${userIds().uid}`));
    cpSync(join(cache, own), copy, { recursive: true });
    for (const file of readdirSync(copy)) chmodSync(join(copy, file), 0o644);
    chmodSync(copy, 0o755);
  }
}

function replace(fresh: string): void {
  const old = `${fresh}.old`;
  if (existsSync(compileCache)) renameSync(compileCache, old);
  renameSync(fresh, compileCache);
  rmSync(old, { recursive: true, force: true });
}

function sdkPackages(): string[] {
  const { dependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  return Object.keys(dependencies).filter((name) => name.startsWith('@aws-sdk/client-'));
}

/** Of all that the cache was made from. */
function stamp(): string {
  const hash = createHash('sha256').update([process.version, process.arch, home, userIds().uid].join('\n'));
  const sources = readdirSync(join(home, 'src'), { recursive: true, encoding: 'utf8' });
  const wanted = sources.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).sort();
  for (const name of wanted) hash.update(name).update(readFileSync(join(home, 'src', name)));
  hash.update(readFileSync(join(home, 'package-lock.json')));
  return hash.digest('hex');
}
