/** A task's way into a machine: take one, give it its disks and its network, and begin. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { asFault, Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { SandboxPlan } from '../driver.ts';
import { guestStart } from './begin.ts';
import type { SettleMessage } from './begin.ts';
import { insertDisk } from './disks.ts';
import type { Machine } from './machine.ts';
import type { MicrovmParts } from './parts.ts';
import { imageSlots, SCRATCH, volumeSlots } from './render.ts';
import { shapeOf } from './shape.ts';
import { writeVmFile } from './vm-file.ts';
import type { VmFile } from './vm-file.ts';

const NS_PER_MS = 1_000_000n;

/**
 * `open` takes over the connection of a machine that was told to begin the task; it throws when that failed. Throws Fault with AWS's text;
 * then nothing of the machine is left.
 */
export async function startTask<T>(
  parts: MicrovmParts,
  plan: SandboxPlan,
  open: (machine: Machine, file: VmFile) => Promise<T>,
): Promise<T> {
  const { deps, machines, files } = parts;
  const start = guestStart(plan, parts.nofile);
  const shape = shapeOf(plan.spec, parts.accelerator());
  mkdirSync(plan.dir, { recursive: true, mode: 0o755 });
  // The disks of images that are new to this host take long to make: no machine waits for them. A file server is left to `clean` if this fails.
  const [disks] = await Promise.all([Promise.all(start.disks.map((image) => deps.disk(image))), files.start(plan)]);
  const machine = parts.pool?.take(shape) ?? (await parts.templates.restore(shape));
  try {
    // The guest writes them while its disks and its network are made.
    for (const file of start.files) machine.link.send(file);
    const { routerNetns, routerIf, ip, mac, gatewayIp, gatewayMac, mtu } = plan.network;
    const network = { routerNetns, routerIf, ip, mac, gatewayIp, gatewayMac, mtu };
    const file = { vmId: machine.vmId, shape, cpuMillis: plan.spec.cpuMillis, network, phase: 'running' } satisfies VmFile;
    writeVmFile(plan.dir, file);
    const settle = async () => {
      await insertDisks(parts, plan, machine, { images: disks, volumes: start.volumes });
      machine.link.send({ ...start.settle, ...moment(parts) } satisfies SettleMessage);
    };
    // The guest mounts its disks and takes its address while the kernel brings the tap to the router, which takes as long.
    await Promise.all([settle(), deps.worker.vmNetwork({ dir: machine.dir, tap: 'tap0', network })]);
    machine.link.send(start.begin);
    const opened = await open(machine, file);
    // Its monitor takes one connection at a time; who wants to suspend it later makes one.
    machine.monitor.close();
    return opened;
  } catch (error) {
    machine.link.close();
    machine.monitor.close();
    await machines.remove(machine, plan.network);
    throw createError(error);
  }
}

async function insertDisks(
  parts: MicrovmParts,
  plan: SandboxPlan,
  machine: Machine,
  files: { images: string[]; volumes: string[] },
): Promise<void> {
  const scratch = join(machine.dir, SCRATCH);
  const images = files.images.map(async (file, index) => {
    const slot = imageSlots[index] ?? '';
    await insertDisk(machine.monitor, { slot, path: parts.machines.give(machine, file, slot), readOnly: true });
  });
  const volumes = files.volumes.map(async (file, index) => {
    const slot = volumeSlots[index] ?? '';
    await insertDisk(machine.monitor, { slot, path: parts.machines.give(machine, file, slot), readOnly: false });
  });
  const own = async () => {
    const { dir, user } = parts.options;
    const bytes = plan.spec.ephemeralBytes;
    await parts.deps.worker.scratchMake({ path: scratch, bytes, model: join(dir, 'vm-templates', `scratch-${bytes}`), ...user });
    await insertDisk(machine.monitor, { slot: SCRATCH, path: `/vm/${SCRATCH}`, readOnly: false });
  };
  await Promise.all([...images, ...volumes, own()]);
}

/** What makes two machines from one template differ, and what time it is. */
export function moment(parts: Pick<MicrovmParts, 'deps'>): { entropy: string; timeNs: string } {
  const { random, clock } = parts.deps;
  return {
    entropy: Buffer.from(random.bytes(limits.guestEntropyBytes)).toString('base64'),
    timeNs: String(BigInt(Math.round(clock.now())) * NS_PER_MS),
  };
}

/** As AWS names it; a Fault that carries such a name already passes. */
function createError(error: unknown): Fault {
  const known = ['CannotCreateContainer', 'CannotStartContainer', 'CannotPullContainer', 'ResourceInitialization'] as const;
  if (known.some((code) => isFault(error, code))) return error as Fault;
  const fault = asFault(error);
  return new Fault('CannotCreateContainer', `CannotCreateContainerError: ${fault.message}`, { cause: error });
}
