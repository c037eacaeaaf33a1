/** What is mounted in a container: Docker's default set, then the definition's own, shallow paths first. */
import { posix } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { OciMount } from './oci.ts';

const SHM_BYTES = 64 * 1024 * 1024;

const kernelFileSystems = ['/sys', '/sys/fs/cgroup'];

const defaults: OciMount[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${SHM_BYTES}`] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'] },
];

export const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

export const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** A privileged container may write to sysfs and the control groups: they are those of its own virtual machine. */
function defaultsOf(container: ContainerSpec): OciMount[] {
  if (!container.privileged) return defaults;
  const writable = (mount: OciMount) => ({ ...mount, options: mount.options.map((option) => (option === 'ro' ? 'rw' : option)) });
  return defaults.map((mount) => (kernelFileSystems.includes(mount.destination) ? writable(mount) : mount));
}

export type MountSources = {
  /** Volume name -> directory where the supervisor runs. */
  volumes: Record<string, string>;
  /** Path in the container -> file on the host; mounted read-only. */
  files: Record<string, string>;
};

/** Throws CannotCreateContainer for a path that isn't absolute or a volume that isn't there. */
export function mountsOf(container: ContainerSpec, sources: MountSources): OciMount[] {
  const at = (path: string) => {
    if (path.startsWith('/') && !path.includes('\0')) return posix.normalize(path).replace(/(.)\/+$/, '$1');
    throw new Fault(
      'CannotCreateContainer',
      `CannotCreateContainerError: container "${container.name}" mounts at ${JSON.stringify(path)}: a path in a container must be absolute`,
    );
  };
  const files = Object.entries(sources.files).map(([path, source]): OciMount => ({
    destination: at(path),
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', 'nosuid', 'nodev', 'noexec', 'ro'],
  }));
  const tmpfs = container.tmpfs.map((mount): OciMount => ({
    destination: at(mount.path),
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['noexec', 'nosuid', 'nodev', ...mount.options, `size=${mount.sizeBytes}`],
  }));
  const volumes = container.mounts.map((mount): OciMount => {
    const source = sources.volumes[mount.volume];
    if (source === undefined) {
      throw new Fault(
        'CannotCreateContainer',
        `CannotCreateContainerError: container "${container.name}" mounts volume "${mount.volume}", which the task doesn't have`,
      );
    }
    // Device files made in a volume must not open the machine's devices.
    return { destination: at(mount.path), type: 'bind', source, options: ['rbind', 'rprivate', 'nodev', mount.readOnly ? 'ro' : 'rw'] };
  });
  // A definition's own mount replaces ours at the same place.
  const own = new Map([...files, ...tmpfs, ...volumes].map((mount) => [mount.destination, mount]));
  const depth = (mount: OciMount) => mount.destination.split('/').length;
  return [
    ...defaultsOf(container).filter((mount) => !own.has(mount.destination)),
    ...[...own.values()].sort((a, b) => depth(a) - depth(b)),
  ];
}
