/** The gVisor sandbox for real: the conformance suite, and what only it shows. Needs root, and runsc as `berth setup` brings it. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realRandom } from '#base/random.ts';
import { createGvisorDriver } from '#sandbox/gvisor/driver.ts';
import type { GvisorDriver } from '#sandbox/gvisor/driver.ts';
import { createRealHost, realSandbox, supervisorBinary } from './real-host.ts';
import type { DriverParts, RealHost } from './real-host.ts';
import { sandboxConformance } from './sandbox.ts';

/** Memory comes slowly under a quarter of a processor, as tasks have it here. */
const PATIENCE_MS = 40_000;
/** In one read: page by page it would take a minute. */
const HOG = 'exec dd if=/dev/zero of=/dev/null bs=1000M count=1';

const runsc = fileURLToPath(new URL('../../.berth/gvisor/bin/runsc', import.meta.url));

type GvisorHost = RealHost & { driver: GvisorDriver };

async function createGvisorHost(): Promise<GvisorHost> {
  let driver: GvisorDriver | undefined;
  const host = await createRealHost(({ worker, clock, log, instance, dir, runDir }: DriverParts) => {
    const options = { instance, runDir, dir: join(dir, 'gvisor'), runsc, supervisor: supervisorBinary() };
    return (driver = createGvisorDriver({ worker, clock, random: realRandom(), log }, options));
  });
  const made = driver;
  if (made === undefined) throw new Error('no driver was made');
  const close = async () => {
    await made.close();
    await host.close();
  };
  return { ...host, driver: made, close };
}

sandboxConformance('gvisor', async () =>
  realSandbox(await createGvisorHost(), {
    patienceMs: PATIENCE_MS,
    limits: { containerMemory: false, terminalName: false },
    hog: HOG,
  }),
);
