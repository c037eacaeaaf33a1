/** A state directory for a platform of a test. Its path decides where the search for the range of its VPC begins (src/main/config.ts, `cidrSeed`). */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vpcCandidates } from '../../src/domain/cidr.ts';
import { instanceId } from '../../src/main/paths.ts';

/** `place`: where among the candidates the search begins. */
export async function makeStateDirectory(parent = tmpdir(), place?: number): Promise<{ state: string; instance: string }> {
  for (;;) {
    const state = await realpath(await mkdtemp(join(parent, 'berth-e2e-')));
    const instance = instanceId(state);
    if (place === undefined || Number.parseInt(instance, 16) % vpcCandidates.length === place) return { state, instance };
    await rm(state, { recursive: true });
  }
}
