/** Debian packages that a test needs: installed when they are missing, without starting any service of theirs. */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

const POLICY = '/usr/sbin/policy-rc.d';
const APT_MS = 300_000;

/** `needed`: a file that the package brings -> the package's name. Throws when one can't be installed. */
export function installPackages(needed: Record<string, string>): void {
  const missing = () => [...new Set(Object.entries(needed).flatMap(([file, name]) => (existsSync(file) ? [] : [name])))];
  if (missing().length === 0) return;
  // Exit code 101 tells maintainer scripts to leave services alone; a policy that is there already is the machine's own.
  const guard = !existsSync(POLICY);
  if (guard) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    apt('update', '-qq');
    apt('install', '-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', ...missing());
  } finally {
    if (guard) rmSync(POLICY, { force: true });
  }
  const left = missing();
  if (left.length > 0) throw new Error(`the packages ${left.join(', ')} did not bring the files that the test needs`);
}

function apt(...args: string[]): void {
  execFileSync('apt-get', args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: APT_MS,
  });
}
