/**
 * Directories that everybody has as one user, in containers and gVisor: what an access point with a POSIX user enforces. A process for each of a
 * task's volumes gives it by FUSE (supervisor/src/share); in microVMs the file server does.
 */
import { limits } from '#base/limits.ts';
import type { PosixUser } from '#domain/file-system.ts';
import type { VolumeUse } from './volumes.ts';

export type OneUser = {
  /** What is mounted at `place` is mounted over, as this user has it. Throws with the reason where this machine can't. */
  mount(taskId: string, place: string, user: PosixUser, use: { kind: VolumeUse['kind']; users: string[] }): Promise<void>;
  /** Of all of a task's, and what is mounted in `dir`. Idempotent. */
  end(taskId: string, dir: string): Promise<void>;
};

type Limits = { path: string; cpuMillis: number | null; cpuShares: number | null; memoryBytes: number | null; pids: number | null };

/** What is needed of the kernel worker. */
export type OneUserWorker = {
  shareStart(share: {
    place: string;
    user: { uid: number; gid: number; groups: number[] };
    spread: boolean;
    ignoresOwners: boolean;
    cgroup: Limits;
  }): Promise<void>;
  taskClean(request: { dir: string; cgroupPath: string; routerNetns: string | null; routerIf: string | null }): Promise<void>;
};

/** Of one machine's instance. */
const shareCgroup = (instance: string, taskId: string) => `berth-${instance}/share-${taskId}`;

export function createOneUser(worker: OneUserWorker, instance: string): OneUser {
  return {
    mount: (taskId, place, { uid, gid, secondaryGids }, { kind, users }) =>
      worker.shareStart({
        place,
        user: { uid, gid, groups: secondaryGids },
        // gVisor's own kernel looks at a file's mode before it asks. To root, and to the user itself, that shows what is so.
        spread: kind === 'gvisor' && users.some((user) => !isRootOr(user, uid)),
        ignoresOwners: kind === 'gvisor',
        cgroup: {
          path: shareCgroup(instance, taskId),
          cpuMillis: null,
          cpuShares: null,
          memoryBytes: limits.fileServerBytes,
          pids: limits.fileServerPids * limits.servedVolumes,
        },
      }),
    end: (taskId, dir) => worker.taskClean({ dir, cgroupPath: shareCgroup(instance, taskId), routerNetns: null, routerIf: null }),
  };
}

function isRootOr(user: string, uid: number): boolean {
  const [name = ''] = user.split(':');
  return name === '' || name === '0' || name === 'root' || name === String(uid);
}
