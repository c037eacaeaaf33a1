/** What the keeper is told (supervisor/src/keep/spec.rs): which processes to run, as whom, and where their output goes. Pure. */
import { join } from 'node:path';
import { home, supervisorBinary } from '../paths.ts';
import type { InstancePaths } from '../paths.ts';
import { compileCache, nodeMemoryEnv, nodeProgram } from './node-programs.ts';

export type KeeperSpec = {
  /** Holds the keeper's process id, locked while it lives. */
  pidFile: string;
  /** In the order of starting; stopped in reverse. */
  processes: {
    name: string;
    argv: string[];
    /** The whole environment. */
    env: Record<string, string>;
    /** null: root. */
    user: { uid: number; gid: number } | null;
    cwd: string;
    logFile: string;
    startAfterFile: string | null;
    stopTimeoutMs: number;
    /** What the user must be able to read although directories above it are closed. */
    reachable: string[];
  }[];
};

export type KeeperInput = {
  paths: InstancePaths;
  node: string;
  haproxy: string;
  /** Where endpoints listen. */
  front: { listen: string; endpointPort: number };
  user: { uid: number; gid: number };
  /** Passed on to the host agent: proxies and the Docker configuration of whoever started berth. */
  env: Record<string, string>;
};

const STOP_MS = 10_000;
const HAPROXY_STOP_MS = 3000;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function keeperSpec({ paths, node, haproxy, front, user, env }: KeeperInput): KeeperSpec {
  const common = { cwd: '/', startAfterFile: null, reachable: [] as string[] };
  const nodeEnv = {
    PATH,
    BERTH_STATE: paths.state,
    BERTH_SUPERVISOR: supervisorBinary,
    NODE_COMPILE_CACHE: compileCache,
    ...nodeMemoryEnv,
  };
  return {
    pidFile: paths.keeperPid,
    processes: [
      {
        ...common,
        name: 'control',
        argv: nodeProgram(node, 'control'),
        env: nodeEnv,
        user,
        logFile: join(paths.log, 'control.log'),
        stopTimeoutMs: STOP_MS,
        reachable: [home, node, paths.config, paths.control, paths.vault, paths.registry, paths.haproxy],
      },
      {
        ...common,
        name: 'host',
        argv: nodeProgram(node, 'host'),
        env: { ...nodeEnv, ...env },
        user: null,
        logFile: join(paths.log, 'host.log'),
        stopTimeoutMs: STOP_MS,
      },
      {
        ...common,
        name: 'haproxy',
        argv: holderArguments({ paths, haproxy, front, user }),
        env: { PATH },
        // It holds sockets of low ports; the HAProxy that it starts is the user's.
        user: null,
        logFile: join(paths.log, 'haproxy.log'),
        stopTimeoutMs: HAPROXY_STOP_MS,
      },
    ],
  };
}

/** The process that holds the listening sockets (supervisor/src/balance.rs). */
function holderArguments({ paths, haproxy, front, user }: Omit<KeeperInput, 'node' | 'env'>): string[] {
  const address = front.listen.includes(':') ? `[${front.listen}]` : front.listen;
  const options = {
    config: paths.haproxyConfig,
    socket: join(paths.haproxyRun, 'holder.sock'),
    front: `${address}:${front.endpointPort}`,
    uid: String(user.uid),
    gid: String(user.gid),
    reachable: paths.haproxy,
  };
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return [supervisorBinary, 'balance', ...words, '--', haproxy];
}
