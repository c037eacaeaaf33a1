/** Debian packages that a test needs: installed when they are missing, without starting any service of theirs. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const POLICY = '/usr/sbin/policy-rc.d';
const LOCK = '/run/lock/berth-tests-apt';
const APT_MS = 300_000;

/** `needed`: a file that the package brings -> the package's name. Throws when one can't be installed. Test files that run beside each other wait for each other. */
export function installPackages(needed: Record<string, string>): void {
  const missing = () => [...new Set(Object.entries(needed).flatMap(([file, name]) => (existsSync(file) ? [] : [name])))];
  if (missing().length === 0) return;
  // Exit code 101 tells maintainer scripts to leave services alone; a policy that is there already is the machine's own.
  const shell = `
    guard=; [ -e ${POLICY} ] || guard=${POLICY}
    trap '[ -z "$guard" ] || rm -f "$guard"' EXIT
    [ -z "$guard" ] || { printf '#!/bin/sh\nexit 101\n' >"$guard"; chmod 755 "$guard"; }
    apt-get update -qq && apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"`;
  execFileSync('flock', [LOCK, 'sh', '-c', shell, 'sh', ...missing()], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: APT_MS,
  });
  const left = missing();
  if (left.length > 0) throw new Error(`the packages ${left.join(', ')} did not bring the files that the test needs`);
}
