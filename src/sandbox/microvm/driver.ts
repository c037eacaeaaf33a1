/** The `microvm` sandbox: a virtual machine per task, which goes on from a template and runs the task's containers under its supervisor. */
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Accelerator } from '#domain/task-spec.ts';
import { nofileOf } from '../container/nofile.ts';
import { newLanes } from '../driver.ts';
import type { SandboxDriver, SandboxProbe } from '../driver.ts';
import { describeExit, readExit } from './exit.ts';
import { askKvm, chooseAccelerator, makeKit } from './kit.ts';
import { createFileServers } from './file-server.ts';
import type { Kit } from './kit.ts';
import { createMachines, machineExists } from './machine.ts';
import type { MachineOptions } from './machine.ts';
import type { MicrovmDeps, MicrovmOptions, MicrovmParts } from './parts.ts';
import { createPool } from './pool.ts';
import { openSandbox } from './sandbox.ts';
import { createRehearsal } from './rehearsal.ts';
import { shapeOf } from './shape.ts';
import { createSharedTemplates } from './shared-templates.ts';
import { startTask } from './start.ts';
import { createTemplates } from './templates.ts';
import { readVmFile } from './vm-file.ts';
import type { VmFile } from './vm-file.ts';

/** Fargate's smallest task, and the default of `berth run`. */
const SMALLEST = { cpuMillis: 250, memoryBytes: 512 * 1024 ** 2 };

export type MicrovmDriver = SandboxDriver & {
  /** Makes the template of the smallest shape and fills the pool, before anybody asks. */
  warm(): void;
  /** Removes machines of a former agent that no task has: `tasksDir` holds the tasks' directories. */
  sweep(tasksDir: string): Promise<void>;
  /** Ends what waits in the pool; tasks go on. */
  close(): Promise<void>;
};

export function createMicrovmDriver(deps: MicrovmDeps, options: MicrovmOptions): MicrovmDriver {
  const found: Found = {};
  const parts = assemble(deps, options, found);
  const { machines, files, templates, pool } = parts;
  return {
    kind: 'microvm',
    probe: () => probe(parts, found),
    status() {
      const made = templates.status();
      const waiting = pool?.status() ?? { ready: 0, memoryBytes: 0 };
      const memoryBytes = made.reduce((sum, one) => sum + one.memoryBytes, waiting.memoryBytes);
      return { kind: 'microvm', ready: waiting.ready, memoryBytes, templates: made.length };
    },
    async start(plan, events) {
      const containers = plan.spec.containers.map((container) => container.name);
      const task = { taskId: plan.taskId, dir: plan.dir, containers, from: 0, lanes: newLanes(plan.spec) };
      const before = readVmFile(plan.dir);
      // Asked for twice: the one that runs is this task's.
      if (before !== null && machineExists(machines.pathsOf(before.vmId)))
        return openSandbox(parts, { ...task, file: before }, null, events);
      return startTask(parts, plan, (machine, file) => openSandbox(parts, { ...task, file }, machine, events));
    },
    async recover(taskId, dir, containers, from, events, lanes) {
      const file = readVmFile(dir);
      if (file === null) return null;
      try {
        return await openSandbox(parts, { taskId, dir, containers, from, lanes, file }, null, events);
      } catch (error) {
        deps.log.info('sandbox.not-recovered', { taskId, reason: asFault(error).message });
        return null;
      }
    },
    async mayHaveRun(_taskId, dir) {
      const file = readVmFile(dir);
      return file !== null && (file.phase !== 'running' || (await hasBegun(parts, file)));
    },
    howEnded(_taskId, dir) {
      const file = readVmFile(dir);
      const exit = file === null ? null : readExit(machines.pathsOf(file.vmId).dir);
      return exit === null ? undefined : describeExit(exit);
    },
    async clean(_taskId, dir, network) {
      const file = readVmFile(dir);
      if (file !== null) await machines.remove(machines.pathsOf(file.vmId), network);
      await files.remove(dir);
      if (existsSync(dir)) await deps.worker.removeTree(dir, dirname(dir));
    },
    warm() {
      const shape = shapeOf(SMALLEST, parts.accelerator());
      // In the background: nobody waits for it yet.
      templates.ensure(shape).then(
        () => pool?.want(shape),
        (error: unknown) => deps.log.warn('template.ahead', { reason: asFault(error).message }),
      );
    },
    async sweep(tasksDir) {
      const taken = new Set((await namesIn(tasksDir)).flatMap((task) => vmOf(join(tasksDir, task))));
      for (const vmId of await namesIn(join(options.dir, 'vms'))) {
        if (taken.has(vmId)) continue;
        deps.log.info('microvm.swept', { vmId });
        await machines.remove(machines.pathsOf(vmId));
      }
      await templates.sweep();
    },
    async close() {
      await pool?.close();
    },
  };
}

/** A machine that was given to a task and is still waiting to be told what it is has run nothing; of one that doesn't answer nothing is known. */
async function hasBegun(parts: MicrovmParts, file: VmFile): Promise<boolean> {
  try {
    const link = await parts.machines.dial(parts.machines.pathsOf(file.vmId));
    link.close();
    return link.hello.phase !== 'ready';
  } catch {
    return true;
  }
}

/** What the probe finds. */
type Found = { kit?: Kit; accelerator?: Accelerator };

function assemble(deps: MicrovmDeps, options: MicrovmOptions, found: Found): MicrovmParts {
  const known = <T>(value: T | undefined): T => {
    if (value !== undefined) return value;
    throw new Fault('Unavailable', 'this host runs no microVMs: berth doctor says why');
  };
  const all = { ...options, kit: () => known(found.kit) };
  const machines = createMachines(deps, all);
  const templates = createTemplates({ ...deps, machines, shared: sharedTemplates(deps, options, all) }, all);
  const nofile = nofileOf(readFileSync('/proc/self/limits', 'utf8'), readFileSync('/proc/self/status', 'utf8'));
  const pool = options.pool
    ? createPool({ ...deps, machines, templates, warm: createRehearsal({ deps, options, machines, nofile }) })
    : null;
  return {
    deps,
    options,
    machines,
    files: createFileServers(deps, options),
    templates,
    pool,
    nofile,
    accelerator: () => known(found.accelerator),
  };
}

function sharedTemplates(deps: MicrovmDeps, { templatesDir: dir, instance: mark }: MicrovmOptions, { kit }: Pick<MachineOptions, 'kit'>) {
  const memoryBytes = limits.templateMemoryBytes;
  return dir === null ? null : createSharedTemplates(deps, { dir, mark, memoryBytes, bootId: () => kit().bootId });
}

/** KVM is asked by booting a guest; software emulation works wherever QEMU does. */
async function probe(parts: MicrovmParts, found: Found): Promise<SandboxProbe> {
  const { deps, options, templates } = parts;
  try {
    const kit = (found.kit = await makeKit({ ...options, clock: deps.clock, dir: options.kitDir }));
    const boot = async () => void (await templates.ensure(shapeOf(SMALLEST, 'kvm')));
    const kvm = options.accel === 'tcg' ? { works: false, reason: 'not asked for' } : await askKvm(kit, options.kitDir, deps.log, boot);
    const accelerator = (found.accelerator = chooseAccelerator(options.accel, kvm));
    if (accelerator === 'kvm') return { works: true, reason: kvm.reason, accelerator };
    return { works: true, reason: `QEMU without KVM (${kvm.reason})`, accelerator };
  } catch (error) {
    return { works: false, reason: asFault(error).message };
  }
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function vmOf(taskDir: string): string[] {
  try {
    return [readVmFile(taskDir)?.vmId ?? []].flat();
  } catch {
    return [];
  }
}
