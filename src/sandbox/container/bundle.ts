/** Pure: a plan as the files that a supervisor reads, and their places in the task's directory. */
import { join } from 'node:path';
import { limits } from '#base/limits.ts';
import type { ContainerSpec, LogTarget } from '#domain/task-spec.ts';
import type { ContainerBundle, LaneBundle, TaskBundle } from '#supervisor/protocol.ts';
import type { SandboxPlan } from '../driver.ts';
import type { Storage } from '../storage.ts';
import { assertUsers, volumePlaces } from '../volume-places.ts';
import type { VolumePlaces } from '../volume-places.ts';
import { cpuSharesOf, imageOf, render } from './render.ts';
import type { RenderContext } from './render.ts';

export type BundleContext = {
  /** Below each cgroup hierarchy's root: `berth-INSTANCE/TASKID`. */
  cgroup: string;
  socket: string;
  /** Open files of a container that doesn't set its own limit. */
  nofile: number;
  storage: Storage;
  /** Directory in memory where the supervisor finds the containers' secrets. */
  secrets: string;
};

/** For a runtime that takes containers in another form than the supervisor itself. */
export type BundleForm = {
  render(plan: SandboxPlan, container: ContainerSpec, context: RenderContext): object;
  task(bundle: TaskBundle): TaskBundle;
};

const ownForm: BundleForm = { render, task: (bundle) => bundle };

/** One file to write: `path` below the task's directory. */
export type BundleFile = { path: string; contents: string };

/** In place of a container's name, which may hold anything: its index. */
const containerDir = (index: number) => join('containers', String(index));
const fileAt = (index: number) => join('files', String(index));

const secretFile = (index: number) => `${index}.json`;

/** `NAME=value` */
function secretEntries(plan: SandboxPlan, container: ContainerSpec): string[] {
  return Object.entries(plan.secrets?.[container.name] ?? {}).map(([name, value]) => `${name}=${value}`);
}

function containerBundle(plan: SandboxPlan, container: ContainerSpec, index: number, volumes: VolumePlaces): ContainerBundle {
  const image = imageOf(plan, container);
  const fill = volumes.containers[container.name]?.fill ?? [];
  return {
    name: container.name,
    runtimeId: plan.runtimeIds[container.name] ?? '',
    bundle: join(plan.dir, containerDir(index)),
    layers: image.layers,
    essential: container.essential,
    dependsOn: container.dependsOn,
    stopSignal: container.stopSignal ?? image.config.stopSignal ?? 'SIGTERM',
    stopTimeoutMs: container.stopTimeoutMs,
    startTimeoutMs: container.startTimeoutMs,
    initProcess: container.initProcess,
    cgroup: {
      cpuMillis: null,
      cpuShares: cpuSharesOf(container.cpuMillis),
      memoryBytes: container.memoryBytes,
      memoryReservationBytes: container.memoryReservationBytes ?? undefined,
      pids: null,
    },
    health: container.health ?? null,
    restart: container.restart ?? null,
    lane: laneOf(container.log),
    fill: fill.length === 0 ? undefined : fill,
  };
}

function laneOf(log: LogTarget | null): LaneBundle | undefined {
  if (log?.delivery === undefined) return undefined;
  const { mode, bufferBytes } = log.delivery;
  return { spoolBytes: bufferBytes, blocking: mode === 'blocking', router: log.driver === 'awsfirelens' ? log.router : undefined };
}

function taskBundle(plan: SandboxPlan, context: BundleContext, volumes: VolumePlaces): TaskBundle {
  const { ip, mac, gatewayIp, gatewayMac, mtu, routerNetns, routerIf } = plan.network;
  return {
    taskId: plan.taskId,
    dir: plan.dir,
    socket: context.socket,
    hostname: plan.network.hostname,
    cgroup: {
      path: context.cgroup,
      cpuMillis: plan.spec.cpuMillis,
      cpuShares: cpuSharesOf(plan.spec.cpuMillis),
      memoryBytes: plan.spec.memoryBytes,
      pids: limits.taskPids,
    },
    network: { routerNetns, routerIf, ip, mac, gatewayIp, gatewayMac, mtu },
    sysctls: plan.spec.sysctls,
    pidMode: plan.spec.pidMode,
    spoolBytes: limits.spoolBytes,
    disk: context.storage.disk,
    volumes: volumes.scratch.length === 0 ? undefined : volumes.scratch,
    containers: plan.spec.containers.map((container, index) => containerBundle(plan, container, index, volumes)),
  };
}

/** Directories (parents first) and files to write. Throws CannotStartContainer or CannotCreateContainer for what can't be rendered. */
export function bundleFiles(
  plan: SandboxPlan,
  context: BundleContext,
  form: BundleForm = ownForm,
): { directories: string[]; files: BundleFile[]; secrets: BundleFile[] } {
  const places = Object.fromEntries(Object.keys(plan.files).map((path, index) => [path, join(plan.dir, fileAt(index))]));
  assertUsers(plan);
  const volumes = volumePlaces(plan, context.storage.place);
  const own: BundleFile[] = [];
  /** A container's own files lie behind those of all. */
  const ownPlaces = (files: Record<string, string>) =>
    Object.entries(files).map(([path, contents]) => {
      const file = { path: fileAt(Object.keys(places).length + own.length), contents };
      own.push(file);
      return [path, join(plan.dir, file.path)];
    });
  const configs = plan.spec.containers.map((container, index): BundleFile => {
    const files = { ...places, ...Object.fromEntries(ownPlaces(plan.containerFiles?.[container.name] ?? {})) };
    const root = join(plan.dir, containerDir(index), 'rootfs');
    const secrets = secretEntries(plan, container).length === 0 ? null : join(context.secrets, secretFile(index));
    const mounting = { ...container, mounts: volumes.containers[container.name]?.mounts ?? container.mounts };
    return {
      path: join(containerDir(index), 'config.json'),
      contents: JSON.stringify(form.render(plan, mounting, { root, files, volumes: volumes.places, nofile: context.nofile, secrets })),
    };
  });
  const projected = Object.values(plan.files).map((contents, index): BundleFile => ({ path: fileAt(index), contents }));
  return {
    secrets: plan.spec.containers.flatMap((container, index) => {
      const entries = secretEntries(plan, container);
      return entries.length === 0 ? [] : [{ path: secretFile(index), contents: JSON.stringify(entries) }];
    }),
    directories: ['files', ...plan.spec.containers.map((_, index) => join(containerDir(index), 'rootfs'))],
    files: [
      ...projected,
      ...own,
      ...configs,
      { path: 'task.json', contents: JSON.stringify(form.task(taskBundle(plan, context, volumes))) },
    ],
  };
}
