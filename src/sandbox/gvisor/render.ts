/** Pure: a container of a plan as gVisor takes it, and the sandbox's own first container. Golden files stand beside this. */
import { Fault } from '#base/fault.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { OciConfig, OciMount } from '../container/oci.ts';
import { render as renderOwn } from '../container/render.ts';
import type { RenderContext } from '../container/render.ts';
import type { SandboxPlan } from '../driver.ts';

export type GvisorConfig = Pick<OciConfig, 'ociVersion' | 'process' | 'root' | 'hostname' | 'mounts' | 'annotations'> & {
  linux: { namespaces: { type: string }[] };
};

/** Where the sandbox's name is fixed; it is alone in its directory. Supervisor: runsc/room.rs. */
const SANDBOX = 'sandbox';

/** The supervisor's own program: the small init of Docker's `--init`, and what copies files. Supervisor: runsc/exec.rs. */
export const INIT_PATH = '/dev/berth-init';

export type GvisorContext = RenderContext & {
  /** The supervisor's program. */
  supervisor: string;
};

/**
 * Kernel parameters that act there and read as they were set; it shows more, at fixed values, and keeps none of IPC's (gVisor's
 * pkg/sentry/fsimpl/proc/tasks_sys.go).
 */
const sysctls: ReadonlySet<string> = new Set(
  ['ip_local_port_range', 'tcp_recovery', 'tcp_rmem', 'tcp_sack', 'tcp_wmem'].map((name) => `net.ipv4.${name}`),
);

/**
 * What gVisor does otherwise than this machine's kernel is left out: seccomp, masked and read-only paths, devices and groups of the
 * machine don't exist inside. A container's labels don't become annotations, some of which gVisor acts on.
 */
export function render(plan: SandboxPlan, container: ContainerSpec, context: GvisorContext): GvisorConfig {
  const refused = Object.keys(plan.spec.sysctls).filter((name) => !sysctls.has(name));
  if (refused.length > 0) {
    throw new Fault(
      'CannotCreateContainer',
      `CannotCreateContainerError: gVisor has no such kernel parameter to set (systemControls: ${refused.join(', ')}); another kind of sandbox has`,
    );
  }
  const own = renderOwn(plan, container, context);
  const kinds = ['ipc', 'uts', 'mount', ...(plan.spec.pidMode === 'task' ? [] : ['pid'])];
  const forSupervisor = ['berth.user', 'berth.secrets'].flatMap((name) => {
    const value = own.annotations[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const program: OciMount = { destination: INIT_PATH, type: 'bind', source: context.supervisor, options: ['rbind', 'ro', 'nosuid'] };
  return {
    ociVersion: '1.0.2',
    process: container.initProcess ? { ...own.process, args: [INIT_PATH, 'init', ...own.process.args] } : own.process,
    root: own.root,
    hostname: own.hostname,
    mounts: container.initProcess || plan.mayEnter === true ? [...own.mounts, program] : own.mounts,
    annotations: {
      'io.kubernetes.cri.container-type': 'container',
      'io.kubernetes.cri.sandbox-id': SANDBOX,
      ...Object.fromEntries(forSupervisor),
    },
    linux: { namespaces: kinds.map((type) => ({ type })) },
  };
}

/** Its only right is to set the sandbox's host name. */
export function renderPause(root: string): GvisorConfig {
  const capabilities = ['CAP_SYS_ADMIN'];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/pause'],
      env: [],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities, inheritable: [], ambient: [] },
      rlimits: [],
      noNewPrivileges: true,
    },
    root: { path: root, readonly: true },
    hostname: 'berth',
    mounts: [],
    annotations: { 'io.kubernetes.cri.container-type': SANDBOX },
    linux: { namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })) },
  };
}
