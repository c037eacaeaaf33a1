/** Where an instance keeps what (ARCHITECTURE.md, "State"). Everything follows from the real path of its state directory. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone or installation that this code runs from. */
export const home = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** The supervisor's binary, as tools/setup.sh builds it. */
export const supervisorBinary = join(home, '.berth/bin/berth-supervisor');

/** gVisor's `runsc`, as tools/setup.sh brings it. */
export const runscBinary = join(home, '.berth/gvisor/bin/runsc');

export const DEFAULT_STATE = '/var/lib/berth';
/** The system user of control plane and HAProxy. */
export const USER = 'berth';
/** The system user that QEMU runs as. */
export const VM_USER = 'berth-vm';

export type InstancePaths = ReturnType<typeof instancePaths>;

/** `state` must be the real path. */
export function instancePaths(state: string) {
  const instance = instanceId(state);
  const run = join('/run/berth', instance);
  return {
    state,
    instance,
    config: join(state, 'config.json'),
    control: join(state, 'control'),
    database: join(state, 'control/berth.db'),
    keys: join(state, 'control/keys.json'),
    logs: join(state, 'control/logs'),
    metrics: join(state, 'control/metrics.db'),
    objects: join(state, 'control/objects'),
    /** The master keys of what is encrypted in the database: not beside it, so that a copy of `control` tells no secret. */
    vault: join(state, 'vault'),
    vaultKeys: join(state, 'vault/master.json'),
    /** The user's keys for `--s3-endpoint`. */
    s3Credentials: join(state, 'vault/s3-credentials.json'),
    /** berth's own certificate authority and private keys. */
    certificates: join(state, 'control/certificates'),
    /** Blobs of the registry: the control plane writes them, and hosts take them by hard links. */
    registry: join(state, 'registry'),
    host: join(state, 'host'),
    tasks: join(state, 'host/tasks'),
    images: join(state, 'host/images'),
    /** What tasks' disks are copied from. */
    diskModels: join(state, 'host/disk-models'),
    haproxy: join(state, 'haproxy'),
    haproxyConfig: join(state, 'haproxy/haproxy.cfg'),
    /** Certificates with their keys, as HAProxy reads them. */
    haproxyCertificates: join(state, 'haproxy/certs'),
    /** The processes' own logs. */
    log: join(state, 'log'),
    keeperSpec: join(state, 'keeper.json'),
    run,
    /** Sockets between control plane and HAProxy: owned by the user berth. */
    haproxyRun: join(run, 'haproxy'),
    linkSocket: join(run, 'link/link.sock'),
    apiSocket: join(run, 'link/api.sock'),
    workerSocket: join(run, 'worker.sock'),
    /** Of the whole machine: which instance has which range. */
    ranges: '/run/berth/ranges.db',
    keeperPid: join(run, 'keeper.pid'),
    /** What the host agent found when it tried each kind of sandbox: a list of IsolationInfo, for `berth doctor`. */
    isolation: join(run, 'isolation.json'),
    /** In memory: the secrets of tasks that run. */
    secrets: join(run, 'secrets'),
    /** What it found when it tried to make a task's disk, for `berth doctor`. */
    taskDisks: join(run, 'task-disks.json'),
    /** Parent of every task's cgroups, below the root of each hierarchy. */
    cgroup: `berth-${instance}`,
  };
}

/** First six hex digits of the SHA-256 of the state directory's real path. */
export function instanceId(state: string): string {
  return createHash('sha256').update(state).digest('hex').slice(0, 6);
}
