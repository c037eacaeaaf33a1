/** Pure: what of a task's volumes lies in directories of the host, how its file server has them and how the guest mounts them. */
import { posix } from 'node:path';
import { limits } from '#base/limits.ts';
import { FILE_SERVER_ADDRESS } from '#domain/shared-volume.ts';
import type { VolumeSource } from '#domain/volume-source.ts';
import type { SandboxPlan } from '../driver.ts';
import type { FilesBundle } from './worker.ts';

/** In the guest. */
const SHARED = '/shared';
const NFS_PORT = 2049;

/** A mount of the guest's. */
export type SharedMount = { path: string; source: string; options: string };

type Served = { name: string; path: string; source: Extract<VolumeSource, { kind: 'directory' }> };

/** In the order of their numbers. */
export function servedVolumes(volumes: SandboxPlan['volumes']): Served[] {
  const served = Object.entries(volumes).flatMap(([name, source]) => (source.kind === 'directory' ? [{ name, source }] : []));
  return served.map((one, index) => ({ ...one, path: posix.join(SHARED, String(index)) }));
}

/**
 * As Amazon EFS recommends its mounts, but that attributes are remembered for 3 s at most instead of a minute: this server is no network away.
 * `hard`: who uses it while the server is away waits.
 */
export function sharedMounts({ volumes, network }: Pick<SandboxPlan, 'volumes' | 'network'>): SharedMount[] {
  const options = [
    'vers=4.1',
    `addr=${FILE_SERVER_ADDRESS}`,
    `clientaddr=${network.ip}`,
    'proto=tcp',
    `port=${NFS_PORT}`,
    'sec=sys',
    'hard',
    'timeo=600',
    'retrans=2',
    'noresvport',
    'rsize=1048576',
    'wsize=1048576',
    'acregmin=1,acregmax=3,acdirmin=1,acdirmax=3',
  ].join(',');
  return servedVolumes(volumes).map(({ path }, index) => ({ path, source: `${FILE_SERVER_ADDRESS}:/${index}`, options }));
}

/** A volume that no container may write to is served to be read only. */
export function filesBundle(plan: SandboxPlan, place: Pick<FilesBundle, 'dir' | 'port'> & { cgroup: string }): FilesBundle {
  const mounts = plan.spec.containers.flatMap((container) => container.mounts);
  const writes = (name: string) => mounts.some((mount) => mount.volume === name && !mount.readOnly);
  return {
    dir: place.dir,
    name: plan.taskId,
    routerNetns: plan.network.routerNetns,
    address: FILE_SERVER_ADDRESS,
    port: place.port,
    cgroup: { path: place.cgroup, cpuMillis: null, cpuShares: null, memoryBytes: limits.fileServerBytes, pids: limits.fileServerPids },
    volumes: servedVolumes(plan.volumes).map(({ name, source: { path, user = null } }) => ({
      path,
      readOnly: !writes(name),
      user: user === null ? null : { uid: user.uid, gid: user.gid, groups: user.secondaryGids },
    })),
  };
}

/** The task's own table: its interface alone reaches the port of its file server. `port` null: the table goes. */
export function renderFileRules(routerIf: string, port: number | null): string {
  const table = `berth_files_${routerIf}`;
  const removed = `add table ip ${table}\ndelete table ip ${table}\n`;
  if (port === null) return removed;
  const rule = `iifname "${routerIf}" ip daddr ${FILE_SERVER_ADDRESS} tcp dport ${NFS_PORT} dnat to ${FILE_SERVER_ADDRESS}:${port}`;
  return `${removed}table ip ${table} {\n\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t\t${rule}\n\t}\n}\n`;
}
