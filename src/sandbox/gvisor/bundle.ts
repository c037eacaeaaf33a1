/** Pure: a plan as the files that the supervisor of a gVisor task reads. */
import { limits } from '#base/limits.ts';
import type { CgroupLimits, RunscBundle, TaskBundle } from '#supervisor/protocol.ts';
import { bundleFiles } from '../container/bundle.ts';
import type { BundleContext } from '../container/bundle.ts';
import type { SandboxPlan } from '../driver.ts';
import type { Files } from '../supervised.ts';
import { render } from './render.ts';
import { runscConfig, runscFlags } from './settings.ts';

/** Where things of this kind lie on this host. */
export type GvisorPaths = {
  runsc: string;
  /** The supervisor's program, which is also the small init of a container that wants one. */
  supervisor: string;
  /** Bundle of the sandbox's own first container. */
  pause: string;
};

export function runscBundle(paths: GvisorPaths, room: string): RunscBundle {
  return { binary: paths.runsc, flags: [...runscFlags], config: { ...runscConfig, RootDir: room }, pause: paths.pause, room };
}

/**
 * The task's limits with what gVisor itself takes. A container's own memory limit holds only where it is the only one: inside the sandbox
 * none is kept.
 */
function sandboxLimits(plan: SandboxPlan): Pick<CgroupLimits, 'memoryBytes' | 'pids'> {
  const [only, ...others] = plan.spec.containers;
  const own = others.length === 0 ? (only?.memoryBytes ?? null) : null;
  const { memoryBytes } = plan.spec;
  const overhead = limits.gvisorOverheadBytes + plan.spec.containers.length * limits.gvisorContainerOverheadBytes;
  return { memoryBytes: Math.min(memoryBytes, own ?? memoryBytes) + overhead, pids: limits.taskPids };
}

export function gvisorBundle(plan: SandboxPlan, context: BundleContext & { paths: GvisorPaths; room: string }): Files {
  const { paths, room } = context;
  return bundleFiles(plan, context, {
    render: (one, container, at) => render(one, container, { ...at, supervisor: paths.supervisor }),
    task: (bundle): TaskBundle => ({
      ...bundle,
      cgroup: { ...bundle.cgroup, ...sandboxLimits(plan) },
      runtime: runscBundle(paths, room),
      // The small init is a program in the container there.
      containers: bundle.containers.map((container) => ({
        ...container,
        initProcess: false,
        // No group of its own: what is told of it.
        cgroup: { ...container.cgroup, memoryBytes: container.cgroup.memoryBytes ?? plan.spec.memoryBytes },
      })),
    }),
  });
}
