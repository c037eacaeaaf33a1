/** A real host whose tasks run in microVMs under software emulation: for the conformance suite, the crash tests and the benchmarks. */
import { execFileSync } from 'node:child_process';
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

export type MicrovmHost = RealHost & {
  driver: MicrovmDriver;
  /** Another driver on the same host, as that of the next host agent. */
  another(change?: Partial<MicrovmOptions>): Promise<MicrovmDriver>;
};

/** Emulation is some twenty times slower than the machine itself, and test processes share two cores. */
export const MICROVM_PATIENCE_MS = 60_000;

/** Its driver was probed: it works, or this throws. */
export async function createMicrovmHost(change: Partial<MicrovmOptions> = {}): Promise<MicrovmHost> {
  const drivers: MicrovmDriver[] = [];
  let another: MicrovmHost['another'] | undefined;
  const host = await createRealHost((parts) => {
    const deps = microvmDeps(parts);
    another = async (also = {}) => {
      const made = createMicrovmDriver(deps, { ...microvmOptions(parts), ...change, ...also });
      drivers.push(made);
      const { works, reason } = await made.probe();
      if (!works) throw new Error(`no microVM works here: ${reason}; tools/setup.sh brings what is missing`);
      return made;
    };
    return another();
  });
  const [driver] = drivers;
  if (driver === undefined || another === undefined) throw new Error('the host was made without its driver');
  return {
    ...host,
    driver,
    another,
    async close() {
      for (const one of drivers) await one.close();
      await host.close();
    },
  };
}

export function microvmDeps({ worker, clock, log, dir }: DriverParts) {
  const disks = new Map<string, Promise<string>>();
  const build = async (image: PreparedImage): Promise<string> => {
    const path = join(dir, `${image.digest.replace(':', '-')}.erofs`);
    await worker.erofsBuild({ layers: image.layers, into: path });
    return path;
  };
  const disk = (image: PreparedImage): Promise<string> => {
    const known = disks.get(image.digest) ?? build(image);
    disks.set(image.digest, known);
    return known;
  };
  return { worker, clock, log, random: realRandom(), disk };
}

const id = (flag: string) => Number(execFileSync('id', [flag, 'berth-vm'], { encoding: 'utf8' }));
/** Whom QEMU runs as. */
export const vmUser = { uid: id('-u'), gid: id('-g') };

export function microvmOptions({ instance, dir, runDir }: DriverParts): MicrovmOptions {
  return {
    instance,
    dir,
    runDir,
    user: vmUser,
    supervisor: supervisorBinary(),
    accel: 'tcg',
    kitDir: join(home, '.berth/vm'),
    templatesDir: join(home, '.berth/vm/templates'),
    packageDir: join(home, '.berth/guest/package'),
    pool: false,
  };
}
