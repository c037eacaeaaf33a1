/** The kinds of sandbox that this host offers, weakest first. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { HostInfo } from '#domain/records.ts';
import type { Images } from '#image/types.ts';
import { createContainerDriver } from '#sandbox/container/driver.ts';
import type { SandboxDriver } from '#sandbox/driver.ts';
import { createGvisorDriver } from '#sandbox/gvisor/driver.ts';
import { createMicrovmDriver } from '#sandbox/microvm/driver.ts';
import type { WorkerClient } from '#supervisor/worker-client.ts';
import type { InstanceConfig } from './config.ts';
import { home, runscBinary, VM_USER } from './paths.ts';
import type { InstancePaths } from './paths.ts';

export type SandboxParts = {
  worker: WorkerClient;
  images: Images;
  clock: Clock;
  random: Random;
  log: Log;
  paths: InstancePaths;
  settings: InstanceConfig;
  /** The supervisor's binary. */
  supervisor: string;
  /** Of host/task-disks.ts. */
  models: string | null;
};

export type Sandboxes = {
  drivers: SandboxDriver[];
  /** Whom QEMU runs as. */
  vmUser: { uid: number; gid: number };
  /** What the probes said: tasks that ask for nothing find a sandbox ready from the first on. */
  found(isolation: HostInfo['isolation']): void;
  /** Ends what stands ready for tasks to come; tasks go on. */
  close(): Promise<void>;
};

/** Also removes what a former host agent had standing ready. */
export async function createSandboxes(parts: SandboxParts): Promise<Sandboxes> {
  const { worker, clock, log, paths } = parts;
  const container = createContainerDriver({ worker, clock, log }, { instance: paths.instance, runDir: paths.run, models: parts.models });
  const vmUser = userOf(VM_USER);
  const microvm = createMicrovmDriver(
    { worker, clock, log, random: parts.random, disk: (image) => parts.images.disk(image) },
    {
      instance: paths.instance,
      dir: paths.host,
      runDir: paths.run,
      user: vmUser,
      supervisor: parts.supervisor,
      accel: parts.settings.accel,
      kitDir: join(home, '.berth/vm'),
      templatesDir: join(home, '.berth/vm/templates'),
      packageDir: join(home, '.berth/guest/package'),
      pool: true,
    },
  );
  const gvisor = createGvisorDriver(
    { worker, clock, random: parts.random, log },
    {
      instance: paths.instance,
      runDir: paths.run,
      dir: join(paths.host, 'gvisor'),
      runsc: runscBinary,
      supervisor: parts.supervisor,
      proof: join(home, '.berth/gvisor/proof.json'),
      models: parts.models,
    },
  );
  await microvm.sweep(paths.tasks);
  return {
    drivers: [container, gvisor, microvm],
    vmUser,
    found(isolation) {
      for (const { kind, auto } of isolation) {
        if (kind === 'gvisor' && auto) gvisor.warm();
        if (kind === 'microvm' && auto) microvm.warm();
      }
    },
    close: async () => void (await Promise.all([gvisor.close(), microvm.close()])),
  };
}

/** Throws when there is no such user: setup makes it. */
function userOf(name: string): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined) throw new Error(`there is no system user ${name}: berth setup makes it`);
  return { uid: Number(uid), gid: Number(gid) };
}
