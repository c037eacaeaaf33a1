/**
 * One machine: a QEMU process in its room, its directory DIR/vms/VMID and its two sockets in RUN/vm. It belongs to no task until one takes
 * it. What outlives this process is found again by the machine's id alone.
 */
import { linkSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import { dialGuest } from './control.ts';
import type { GuestLink } from './control.ts';
import { endOf } from './exit.ts';
import type { Kit } from './kit.ts';
import { connectQmp } from './qmp.ts';
import type { Qmp } from './qmp.ts';
import { fds, renderQemu } from './render.ts';
import type { Launch } from './render.ts';
import { qemuOverheadBytes } from './shape.ts';
import type { Shape } from './shape.ts';
import type { VmBundle, VmWorker } from './worker.ts';

export type MachineDeps = { worker: VmWorker; clock: Clock; random: Random };

export type MachineOptions = {
  /** Six hex digits. */
  instance: string;
  /** The host agent's directory: DIR/vms, DIR/vm-templates. */
  dir: string;
  /** The instance's directory in /run. */
  runDir: string;
  /** What machines are made of; throws Unavailable while that isn't known. */
  kit(): Kit;
  /** Whom QEMU runs as. */
  user: { uid: number; gid: number };
};

export type MachinePaths = { vmId: string; dir: string; control: string; qmp: string; cgroup: string };

type Launched = MachinePaths & { qemuPid: number; monitor: Qmp };

export type Machine = Launched & { shape: Shape; link: GuestLink };

/** A file that QEMU gets as an open descriptor. */
export type GivenFile = VmBundle['files'][number];

export function pathsOf(options: MachineOptions, vmId: string): MachinePaths {
  return {
    vmId,
    dir: join(options.dir, 'vms', vmId),
    control: join(options.runDir, 'vm', `${vmId}.ctl`),
    qmp: join(options.runDir, 'vm', `${vmId}.qmp`),
    cgroup: `berth-${options.instance}/${vmId}`,
  };
}

type Router = { routerNetns: string; routerIf: string };

export type Machines = ReturnType<typeof createMachines>;

export function createMachines(deps: MachineDeps, options: MachineOptions) {
  const { worker, clock, random } = deps;

  /** QEMU runs and answers; the guest may not yet. On failure nothing is left. */
  const launch = async (shape: Shape, how: Launch, files: GivenFile[], vmId = hexId(random)): Promise<Launched> => {
    const paths = pathsOf(options, vmId);
    mkdirSync(paths.dir, { recursive: true, mode: 0o755 });
    mkdirSync(dirname(paths.control), { recursive: true, mode: 0o755 });
    try {
      const { qemuPid } = await worker.vmStart(bundleOf(options, paths, shape, how, files));
      return { ...paths, qemuPid, monitor: await connectQmp(clock, paths.qmp) };
    } catch (error) {
      const why = await endOf(clock, paths.dir, asFault(error).message);
      if (how !== 'resume') await remove(paths);
      throw new Fault('Unavailable', `the virtual machine didn't start: ${why}`, { cause: error });
    }
  };

  /** Kills it; its files stay. Idempotent. */
  const end = async (paths: MachinePaths, router: Router | null = null): Promise<void> => {
    const { routerNetns, routerIf } = router ?? { routerNetns: null, routerIf: null };
    await worker.taskClean({ dir: paths.dir, cgroupPath: paths.cgroup, routerNetns, routerIf });
    for (const path of [paths.control, paths.qmp]) rmSync(path, { force: true });
  };

  /** Kills it and removes all of it. Idempotent. */
  const remove = async (paths: MachinePaths, router: Router | null = null): Promise<void> => {
    await end(paths, router);
    await worker.removeTree(paths.dir, dirname(paths.dir));
  };

  return {
    launch,
    remove,
    end,
    pathsOf: (vmId: string) => pathsOf(options, vmId),
    dial: (paths: MachinePaths, timeoutMs?: number) =>
      dialGuest({ clock, random, path: paths.control, ...(timeoutMs === undefined ? {} : { timeoutMs }) }),

    /** Boots a machine from the kernel, its RAM in `memory`; resolves when its supervisor is ready. */
    async boot(shape: Shape, memory: string, timeoutMs: number): Promise<Machine> {
      const made = await launch(shape, 'boot', [
        { fd: fds.memory, path: memory, mode: 'readwrite' },
        { fd: fds.kernel, path: options.kit().guest.kernel, mode: 'read' },
        { fd: fds.initrd, path: options.kit().guest.initrd, mode: 'read' },
      ]);
      return greet(made, shape, timeoutMs);
    },

    /** A machine that goes on from a saved state, its RAM copied on write. Resolves when its supervisor is ready. */
    async restore(shape: Shape, memory: string, state: string): Promise<Machine> {
      const made = await launch(shape, 'restore', [
        // QEMU opens it for writing; it gets it for reading, and no machine can change what all begin with.
        { fd: fds.memory, path: memory, mode: 'read' },
        { fd: fds.state, path: state, mode: 'read' },
      ]);
      await orRemove(made, async () => {
        await incoming(made.monitor, ['x-ignore-shared', 'events']);
        await made.monitor.run('cont');
      });
      return greet(made, shape, limits.guestAnswerMs);
    },

    /** Loads a machine that was written to `state`, once `disks` has given it its files; it stands still yet. On failure none runs. */
    async resume(paths: MachinePaths, shape: Shape, state: string, disks: (monitor: Qmp) => Promise<void>): Promise<Qmp> {
      try {
        const { monitor } = await launch(shape, 'resume', [{ fd: fds.state, path: state, mode: 'read' }], paths.vmId);
        await disks(monitor);
        // The machine was restored with it once, and says so; its RAM is its own by now and comes along.
        await incoming(monitor, ['x-ignore-shared', 'events']);
        return monitor;
      } catch (error) {
        await end(paths);
        throw error;
      }
    },

    /** Puts a file into the machine's directory under `name`; gives its path in the room. A link: no copy is made. */
    give(paths: MachinePaths, file: string, name: string): string {
      linkSync(file, join(paths.dir, name));
      return `/vm/${name}`;
    },
  };

  async function orRemove<T>(paths: MachinePaths, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const why = await endOf(clock, paths.dir, asFault(error).message);
      await remove(paths);
      throw new Fault('Unavailable', `the virtual machine didn't come up: ${why}`, { cause: error });
    }
  }

  async function greet(made: Launched, shape: Shape, timeoutMs: number): Promise<Machine> {
    return orRemove(made, async () => {
      const link = await dialGuest({ clock, random, path: made.control, timeoutMs });
      if (link.hello.phase !== 'ready') throw new Fault('ProtocolError', `the guest is in phase ${link.hello.phase} instead of ready`);
      return { ...made, shape, link };
    });
  }

  async function incoming(qmp: Qmp, capabilities: string[]): Promise<void> {
    await qmp.run('migrate-set-capabilities', { capabilities: capabilities.map((capability) => ({ capability, state: true })) });
    const ended = (data: { [name: string]: unknown }) => data['status'] === 'completed' || data['status'] === 'failed';
    const over = qmp.event('MIGRATION', ended, limits.qmpMigrationMs);
    over.catch(() => {}); // awaited below, unless the command itself fails
    await qmp.run('migrate-incoming', { uri: `fd:${fds.state}` });
    const { status } = await over;
    if (status !== 'completed') throw new Fault('Internal', "QEMU couldn't load the machine's saved state");
  }
}

function bundleOf(options: MachineOptions, paths: MachinePaths, shape: Shape, how: Launch, files: GivenFile[]): VmBundle {
  const { user } = options;
  const { room, tscKhz } = options.kit();
  return {
    vmId: paths.vmId,
    dir: paths.dir,
    room: room.path,
    program: room.program,
    args: renderQemu({ shape, launch: how, tscKhz }),
    uid: user.uid,
    gid: user.gid,
    cgroup: {
      path: paths.cgroup,
      cpuMillis: null,
      cpuShares: null,
      memoryBytes: shape.ramBytes + qemuOverheadBytes(shape),
      pids: limits.qemuPids,
    },
    files,
    sockets: [
      { fd: fds.control, path: paths.control },
      { fd: fds.qmp, path: paths.qmp },
    ],
    tap: { fd: fds.tap, name: 'tap0' },
    kvm: shape.accelerator === 'kvm',
  };
}

/** Tells whether DIR/vms has it. */
export function machineExists(paths: MachinePaths): boolean {
  try {
    readFileSync(join(paths.dir, 'sup.pid'));
    return true;
  } catch {
    return false;
  }
}
