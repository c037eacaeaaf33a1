/** What runs in a container: arguments, environment, user, limits. Rules as Docker's and ECS's. */
import { Fault } from '#base/fault.ts';
import { linuxCapabilities } from '#domain/linux-capabilities.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { ImageRunConfig } from '#image/types.ts';
import type { OciProcess } from './oci.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Docker's default set (moby/oci/caps/defaults.go). */
const defaultCapabilities = [
  'CAP_AUDIT_WRITE',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_MKNOD',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
];

const everyCapability = linuxCapabilities.map((name) => `CAP_${name}`);

/** The container's capabilities, sorted: the default set less `drop` plus `add`; `ALL` drops or adds all. A privileged one has all but `drop`. */
export function capabilitiesOf(container: ContainerSpec): string[] {
  const full = (name: string) => (name.toUpperCase().startsWith('CAP_') ? name.toUpperCase() : `CAP_${name.toUpperCase()}`);
  const dropped = new Set(container.capabilities.drop.map(full));
  const added = container.capabilities.add.map(full);
  const all = container.privileged || added.includes('CAP_ALL');
  const kept = dropped.has('CAP_ALL') && !all ? [] : (all ? everyCapability : defaultCapabilities).filter((name) => !dropped.has(name));
  return [...new Set([...kept, ...added.filter((name) => name !== 'CAP_ALL')])].sort();
}

/**
 * An entry point in the definition clears the image's command too, as `docker run --entrypoint` does. Throws CannotStartContainer when
 * nothing is left to run.
 */
export function argsOf(container: ContainerSpec, image: ImageRunConfig): string[] {
  const entryPoint = container.entryPoint ?? image.entrypoint;
  const command = container.command ?? (container.entryPoint === null ? image.cmd : []);
  const args = [...entryPoint, ...command];
  if (args.length > 0) return args;
  throw new Fault(
    'CannotStartContainer',
    `CannotStartContainerError: no command specified: neither the image ${container.image} nor the definition of container ` +
      `"${container.name}" has an entry point or a command. Set "command" in the container definition.`,
  );
}

/** PATH and HOSTNAME, then the image's, then what the plan adds (platform and definition); a later value wins and keeps the first place. */
export function envOf(container: ContainerSpec, image: ImageRunConfig, hostname: string, added: Record<string, string>): string[] {
  const env = new Map<string, string>([
    ['PATH', DEFAULT_PATH],
    ['HOSTNAME', hostname],
  ]);
  if (container.tty) env.set('TERM', 'xterm');
  for (const entry of image.env) {
    const at = entry.indexOf('=');
    if (at > 0) env.set(entry.slice(0, at), entry.slice(at + 1));
  }
  for (const [name, value] of Object.entries(added)) env.set(name, value);
  return [...env].map(([name, value]) => `${name}=${value}`);
}

function rlimitsOf(container: ContainerSpec, nofile: number): OciProcess['rlimits'] {
  const wanted = new Map([['nofile', { soft: nofile, hard: nofile }]]);
  for (const limit of container.ulimits) wanted.set(limit.name.toLowerCase(), { soft: limit.soft, hard: limit.hard });
  return [...wanted].map(([name, { soft, hard }]) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft, hard }));
}

/** `name`, `uid`, `name:group`, ...; root when neither the definition nor the image says. */
export function userOf(container: ContainerSpec, image: ImageRunConfig): string {
  return container.user || image.user || '0:0';
}

export function processOf(
  container: ContainerSpec,
  image: ImageRunConfig,
  context: { hostname: string; environment: Record<string, string>; nofile: number },
): OciProcess {
  const capabilities = capabilitiesOf(container);
  return {
    terminal: container.tty,
    user: { uid: 0, gid: 0 },
    args: argsOf(container, image),
    env: envOf(container, image, context.hostname, context.environment),
    cwd: container.workingDirectory || image.workingDir || '/',
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities, inheritable: [], ambient: [] },
    rlimits: rlimitsOf(container, context.nofile),
    noNewPrivileges: !container.privileged,
  };
}
