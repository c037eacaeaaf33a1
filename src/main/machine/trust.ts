/** The machine's store of trusted certificates, as Debian keeps it (update-ca-certificates(8)). */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from '#base/child.ts';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { Check } from '#cli/platform.ts';
import type { InstancePaths } from '../paths.ts';
import { findProgram, ok, warn } from './checks.ts';

const LOCAL = '/usr/local/share/ca-certificates';
/** What update-ca-certificates gathers, and most programs read. */
const GATHERED = '/etc/ssl/certs/ca-certificates.crt';
const UPDATE_MS = 60_000;

const pathOf = (paths: InstancePaths) => join(LOCAL, `berth-${paths.instance}.crt`);

/** Throws Fault Unavailable when the machine has no such store. */
export async function trust(clock: Clock, paths: InstancePaths, certificate: string): Promise<{ path: string; already: boolean }> {
  const path = pathOf(paths);
  if (readOrNull(path) === certificate && gathered(certificate)) return { path, already: true };
  mkdirSync(LOCAL, { recursive: true, mode: 0o755 });
  writeFileSync(path, certificate, { mode: 0o644 });
  try {
    await update(clock, []);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
  if (!gathered(certificate))
    throw new Fault('Unavailable', `update-ca-certificates ran, but ${GATHERED} does not hold the certificate of ${path}`);
  return { path, already: false };
}

export async function distrust(clock: Clock, paths: InstancePaths): Promise<{ path: string; removed: boolean }> {
  const path = pathOf(paths);
  if (!existsSync(path)) return { path, removed: false };
  rmSync(path, { force: true });
  // --fresh takes away the link to what is gone.
  await update(clock, ['--fresh']);
  return { path, removed: true };
}

/** For `berth doctor`. Only root sees whether the root that is trusted is still the instance's. */
export function checkTrust(paths: InstancePaths, self: string): Check {
  const name = 'certificates';
  const path = pathOf(paths);
  const installed = readOrNull(path);
  const fix = `sudo ${self} trust (browsers: ${self} trust --help)`;
  if (installed === null) return ok(name, `this machine does not trust berth’s own authority; for HTTPS without warnings: ${fix}`);
  if (!gathered(installed)) return warn(name, `${path} is there, but not in ${GATHERED}`, `sudo update-ca-certificates, or ${fix}`);
  const own = readOrNull(join(paths.certificates, 'authority.pem'));
  if (own !== null && own !== installed) return warn(name, 'this machine trusts a former root of berth’s authority', fix);
  return ok(name, `this machine trusts berth’s own authority (${path})`);
}

async function update(clock: Clock, args: string[]): Promise<void> {
  const { code, stderr } = await runChild(clock, findProgram('update-ca-certificates'), args, { timeoutMs: UPDATE_MS }).catch(
    (error: unknown) => {
      throw new Fault(
        'Unavailable',
        'this machine has no update-ca-certificates: apt-get install ca-certificates, or put what trust --print says where your system keeps such',
        { cause: error },
      );
    },
  );
  if (code !== 0) throw new Fault('Unavailable', `update-ca-certificates failed: ${stderr.trim().slice(0, 500)}`);
}

function gathered(certificate: string): boolean {
  const body = (pem: string) => pem.replace(/\s+/g, '');
  const pem = new X509Certificate(certificate).toString();
  return body(readOrNull(GATHERED) ?? '').includes(body(pem));
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // not there, or not for this user
  }
}
