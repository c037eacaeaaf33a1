/** A state directory for a platform of a test. Its path decides where the search for the range of its VPC begins (src/main/config.ts, `cidrSeed`). */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vpcCandidates } from '../../src/domain/cidr.ts';
import { instanceId } from '../../src/main/paths.ts';

/** More than test files run at the same time. */
const SHARES = 16;
const used = new Set<number>();

/**
 * Two berths that look for a range at the same moment, before either has tasks there, may take the same one, and the machine can't route it twice. So each process of
 * the test runner begins at places of its own, and never twice at one.
 */
export async function makeStateDirectory(parent = tmpdir()): Promise<{ state: string; instance: string }> {
  const worker = Number(process.env['NODE_TEST_WORKER_ID'] ?? 0);
  if (used.size >= vpcCandidates.length / SHARES) used.clear();
  for (;;) {
    const state = await realpath(await mkdtemp(join(parent, 'berth-e2e-')));
    const instance = instanceId(state);
    const place = Number.parseInt(instance, 16) % vpcCandidates.length;
    if (place % SHARES === worker % SHARES && !used.has(place)) {
      used.add(place);
      return { state, instance };
    }
    await rm(state, { recursive: true });
  }
}
