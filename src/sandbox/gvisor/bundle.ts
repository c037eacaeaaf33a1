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

/** The task's limits with what gVisor itself takes. A container that is the only one has its own limit there; of several each is watched. */
function sandboxLimits(plan: SandboxPlan): Pick<CgroupLimits, 'memoryBytes' | 'memoryReservationBytes' | 'pids'> {
  const { containers, memoryBytes } = plan.spec;
  const [only, ...others] = containers;
  const own = others.length === 0 ? (only?.memoryBytes ?? null) : null;
  const overhead = limits.gvisorOverheadBytes + containers.length * limits.gvisorContainerOverheadBytes;
  const reserved = containers.reduce((sum, one) => sum + (one.memoryReservationBytes ?? 0), 0);
  return {
    memoryBytes: Math.min(memoryBytes, own ?? memoryBytes) + overhead,
    memoryReservationBytes: reserved > 0 ? reserved : undefined,
    pids: limits.taskPids,
  };
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
        watchedMemoryBytes: bundle.containers.length > 1 ? (container.cgroup.memoryBytes ?? undefined) : undefined,
      })),
    }),
  });
}
