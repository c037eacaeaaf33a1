/** A real host whose tasks run in microVMs under software emulation: for the conformance suite, the crash tests and the benchmarks. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realRandom } from '#base/random.ts';
import type { PreparedImage } from '#image/types.ts';
import { createMicrovmDriver } from '#sandbox/microvm/driver.ts';
import type { MicrovmDriver } from '#sandbox/microvm/driver.ts';
import type { MicrovmOptions } from '#sandbox/microvm/parts.ts';
import { createRealHost, supervisorBinary } from './real-host.ts';
import type { DriverParts, RealHost } from './real-host.ts';

const home = fileURLToPath(new URL('../..', import.meta.url));

export type MicrovmHost = RealHost & { driver: MicrovmDriver };

/** Emulation is some twenty times slower than the machine itself, and test processes share two cores. */
export const MICROVM_PATIENCE_MS = 60_000;

/** Its driver was probed: it works, or this throws. */
export async function createMicrovmHost(change: Partial<MicrovmOptions> = {}): Promise<MicrovmHost> {
  let made: MicrovmDriver | undefined;
  const host = await createRealHost((parts) => (made = createMicrovmDriver(depsOf(parts), { ...optionsOf(parts), ...change })));
  const driver = made;
  if (driver === undefined) throw new Error('the host was made without its driver');
  const { works, reason } = await driver.probe();
  if (!works) {
    await host.close();
    throw new Error(`no microVM works here: ${reason}; tools/setup.sh brings what is missing`);
  }
  return {
    ...host,
    driver,
    async close() {
      await driver.close();
      await host.close();
    },
  };
}

function depsOf({ worker, clock, log, dir }: DriverParts) {
  const disk = async (image: PreparedImage): Promise<string> => {
    const path = join(dir, `${image.digest.replace(':', '-')}.erofs`);
    if (!existsSync(path)) await worker.erofsBuild({ layers: image.layers, into: path });
    return path;
  };
  return { worker, clock, log, random: realRandom(), disk };
}

function optionsOf({ instance, dir, runDir }: DriverParts): MicrovmOptions {
  const id = (flag: string) => Number(execFileSync('id', [flag, 'berth-vm'], { encoding: 'utf8' }));
  return {
    instance,
    dir,
    runDir,
    user: { uid: id('-u'), gid: id('-g') },
    supervisor: supervisorBinary(),
    accel: 'tcg',
    kitDir: join(home, '.berth/vm'),
    packageDir: join(home, '.berth/guest/package'),
    ahead: false,
    pool: false,
  };
}
