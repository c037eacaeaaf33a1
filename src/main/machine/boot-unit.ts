/** The systemd unit that starts an instance when the machine boots. Pure. */
import { join } from 'node:path';
import { DEFAULT_STATE } from '../paths.ts';
import type { InstancePaths } from '../paths.ts';

export type BootUnit = {
  /** The clone or installation that is started. */
  home: string;
  paths: Pick<InstancePaths, 'state' | 'instance' | 'keeperPid'>;
  /** What the host agent takes over from whoever installs: the way to registries. */
  env: Record<string, string>;
};

export function unitName({ state, instance }: Pick<InstancePaths, 'state' | 'instance'>): string {
  return state === DEFAULT_STATE ? 'berth.service' : `berth-${instance}.service`;
}

/** Proxies may have passwords in them, and anybody may read a unit: so they stand in a file that only root can. */
export const environmentFile = ({ state }: Pick<InstancePaths, 'state'>): string => join(state, 'boot.env');

/**
 * `up` ends once berth is ready, and leaves the keeper, whose pid file systemd follows. Only the keeper is ever killed: the supervisors
 * of the tasks are in the unit's group too, and outlive a restart. An orderly end (`berth down`) is no failure, and starts nothing.
 */
export function renderUnit({ home, paths }: BootUnit): string {
  // Variables are replaced in all words but the first.
  const up = [word(join(home, 'berth')), ...['--state', paths.state, 'up'].map((text) => word(text.replaceAll('$', '$$$$')))].join(' ');
  return `# Written by 'berth install'; 'berth install --remove' takes it away.
[Unit]
Description=berth ${specifiers(paths.state)}
Wants=network-online.target
After=network-online.target nftables.service
StartLimitIntervalSec=0

[Service]
Type=forking
PIDFile=${specifiers(paths.keeperPid)}
EnvironmentFile=-${specifiers(environmentFile(paths))}
ExecStart=${up}
Restart=on-failure
RestartSec=1
TimeoutStartSec=15min
TimeoutStopSec=1min
KillMode=process
TasksMax=infinity
LimitNOFILE=1048576
OOMPolicy=continue

[Install]
WantedBy=multi-user.target
`;
}

/** Sorted by name, quoted as systemd reads it; what has a line break can't be told this way, and isn't. */
export function renderEnvironment({ env }: Pick<BootUnit, 'env'>): string {
  const lines = Object.entries(env)
    .filter(([, value]) => !/[\n\r\0]/.test(value))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return lines.map(([name, value]) => `${name}="${value.replace(/[\\"`$]/g, String.raw`\$&`)}"\n`).join('');
}

const specifiers = (text: string) => text.replaceAll('%', '%%');

/** One word of a command line of systemd's. */
function word(text: string): string {
  const safe = specifiers(text);
  return /^[\w./@:=+%$-]+$/.test(safe) ? safe : `"${safe.replace(/[\\"]/g, String.raw`\$&`)}"`;
}
