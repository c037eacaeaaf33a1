/** The host agent: takes assignments over the link, runs a runner for each, and tells what becomes of them. */
import type { Clock, Timer } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { HostInfo, HostUsage } from '#domain/records.ts';
import type { IsolationWish } from '#domain/task-spec.ts';
import type { Images } from '#image/types.ts';
import { keepConnected } from '#link/client.ts';
import type { LinkClient } from '#link/client.ts';
import { hostLinkVersions } from '#link/protocol.ts';
import type { FromControl, LinkDialer } from '#link/types.ts';
import type { Network, VpcHandle } from '#network/types.ts';
import type { SandboxDriver } from '#sandbox/driver.ts';
import type { Volumes } from '#volume/volumes.ts';
import { environmentHook } from './hooks/environment.ts';
import { imagesHook } from './hooks/images.ts';
import { journalHook } from './hooks/journal.ts';
import { logRouterHook } from './hooks/log-router.ts';
import { logStreamsHook } from './hooks/log-streams.ts';
import { networkHook } from './hooks/network.ts';
import { createDrivers, sandboxHook } from './hooks/sandbox.ts';
import type { Drivers } from './hooks/sandbox.ts';
import { secretsHook } from './hooks/secrets.ts';
import { volumesHook } from './hooks/volumes.ts';
import type { Journal } from './journal.ts';
import { createFaults } from './metadata/faults.ts';
import { createCredentials } from './metadata/credentials.ts';
import { createMetadata } from './metadata/metadata.ts';
import { createSampler } from './metadata/sampler.ts';
import type { MetadataRequest, MetadataResponse } from './metadata/server.ts';
import { createDiskPressure } from './disk-pressure.ts';
import { createDiskWatch } from './disk-watch.ts';
import { handleOperations } from './operations.ts';
import { isolationOf, probeAll } from './probes.ts';
import { createReportOutbox } from './report-outbox.ts';
import type { Hook } from './run.ts';
import { createRunner } from './runner.ts';
import { createSecretFiles } from './secret-files.ts';
import { createSlots } from './slots.ts';
import { createTails } from './tails.ts';
import { createTaskTable } from './task-table.ts';
import { createUplink, type SettableUplink } from './uplink.ts';

export type HostAgentDeps = {
  dialer: LinkDialer;
  drivers: SandboxDriver[];
  images: Images;
  network: Network;
  volumes: Volumes;
  journal: Journal;
  clock: Clock;
  random: Random;
  log: Log;
  /** Where others need the link too. */
  uplink?: SettableUplink;
  /** What the machine is (info.ts). Asked once, with what the drivers' probes said. */
  info(isolation: HostInfo['isolation']): Promise<HostInfo>;
  /** What of it is free now; asked for every heartbeat. */
  usage(): Promise<Omit<HostUsage, 'tasks' | 'sandboxes'>>;
  /** Of the file system that the tasks use; asked for every second. Without it nothing ends for want of room there. */
  freeDiskBytes?(): Promise<number>;
  /** Listeners for tasks on a VPC's uplink stand when it resolves; called for every task, so idempotent. */
  serveVpc(vpc: VpcHandle): Promise<void>;
  /** Names that the resolver answers in every task. */
  setNames(revision: number, names: Record<string, string[]>): void;
};

export type HostAgentOptions = {
  hostId: string;
  /** Absolute path without links: DIR/tasks/TASKID, DIR/uploads. */
  dir: string;
  /** In memory (`mountMemory`): where the secrets of tasks lie. Absent in a simulation. */
  secretsDir?: string;
  /** What this host takes the wish `auto` for; default: the strongest kind that works. */
  auto?: IsolationWish;
};

export type HostAgent = {
  /** Takes back the tasks of a former agent, then connects. Resolves when it tries to; the link comes and goes by itself. */
  start(): Promise<void>;
  /** Ends the agent; its tasks go on, and the next agent takes them back. */
  stop(): Promise<void>;
  /** What a task asked of its own endpoints. */
  answer(request: MetadataRequest): Promise<MetadataResponse>;
};

const RESEND_TICK_MS = 1_000;

export function createHostAgent(deps: HostAgentDeps, options: HostAgentOptions): HostAgent {
  const { clock, log, journal } = deps;
  const uplink = deps.uplink ?? createUplink();
  const tails = createTails(clock.now());
  const slots = createSlots(limits.startsInFlight);
  let drivers: Drivers = createDrivers([], []);
  let info: HostInfo;
  let usage: HostUsage = { freeMemoryBytes: 0, freeDiskBytes: 0, loadPercent: 0, tasks: 0, sandboxes: [] };
  let link: LinkClient | undefined;
  let beat: Timer | undefined;
  let resend: Timer | undefined;
  let stopped = false;

  const credentials = createCredentials({ uplink, clock });
  const secretFiles = createSecretFiles(options.secretsDir ?? `${options.dir}/no-secrets`);
  const faults = createFaults({
    network: deps.network,
    setLatency: async (taskId, latency) => tasks.get(taskId)?.setLatency(latency),
    journal,
    log,
  });

  const stages: Hook[][] = [
    [networkHook({ network: deps.network, slots, clock, serveVpc: deps.serveVpc }), environmentHook(), journalHook()],
    [secretsHook({ uplink, clock, files: secretFiles })],
    [
      logStreamsHook({ uplink, clock }),
      credentials.hook(),
      imagesHook({ images: deps.images, clock }),
      volumesHook(deps.volumes, (run) => isolationOf(drivers.choose(run).driver)),
      faults.hook(),
      logRouterHook({ network: deps.network, log }),
    ],
    [sandboxHook({ drivers: { choose: (run) => drivers.choose(run), clean: (...what) => drivers.clean(...what) }, slots, log })],
  ];

  const tasks = createTaskTable({
    clock,
    random: deps.random,
    log,
    journal,
    changed: (taskId) => outbox.changed(taskId),
    forgotten: (taskId) => outbox.forget(taskId),
    createRunner(entry, mode) {
      const { taskId } = entry.report;
      const runner = createRunner(
        {
          clock,
          log,
          journal,
          tails,
          stages,
          dir: `${options.dir}/tasks/${taskId}`,
          sendOutput: (batch) => uplink.send({ t: 'output', batch }),
          changed: () => outbox.changed(taskId),
        },
        entry,
        mode,
      );
      runner.done.catch((error: unknown) => log.error('task.runner', { taskId }, error));
      return runner;
    },
  });

  const outbox = createReportOutbox({
    clock,
    source: { ids: tasks.known, get: tasks.report },
    send: (reports) => uplink.send({ t: 'status', reports }),
  });

  const pressure = createDiskPressure({ tasks: tasks.all, clock, log });

  const { freeDiskBytes } = deps;
  const disk =
    freeDiskBytes === undefined
      ? undefined
      : createDiskWatch({ clock, log, freeBytes: freeDiskBytes, floorBytes: () => info.diskFloorBytes ?? 0, pressure });

  const readUsage = async () => {
    const running = [...tasks.all()].filter((runner) => runner.entry.report.status !== 'STOPPED').length;
    try {
      const sandboxes = deps.drivers.flatMap((driver) => driver.status?.() ?? []);
      usage = { ...(await deps.usage()), tasks: running, sandboxes };
    } catch (error) {
      log.warn('host.usage', { reason: asFault(error).message });
    }
  };

  const heartbeat = (everyMs: number) => {
    beat = clock.after(everyMs, () => {
      void readUsage().then(() => {
        if (stopped || uplink.current() === null) return;
        uplink.send({ t: 'heartbeat', usage });
        heartbeat(everyMs);
      });
    });
  };

  const resendDue = () => {
    resend = clock.after(RESEND_TICK_MS, () => {
      outbox.tick();
      resendDue();
    });
  };

  const onMessage = (message: FromControl) => {
    if (message.t === 'assign') tasks.assign(message.assignments);
    else if (message.t === 'sync') tasks.sync(message.fence, message.assignments, message.others);
    else if (message.t === 'forget') tasks.forget(message.taskIds);
    else if (message.t === 'output-ack') tasks.get(message.taskId)?.outputAcknowledged(message.to, message.lane);
    else if (message.t === 'names') deps.setNames(message.revision, message.names);
  };

  const connect = () =>
    keepConnected(deps, {
      hello: () => ({ t: 'hello', versions: hostLinkVersions, hostId: options.hostId, info, usage, known: tasks.known() }),
      dialled: (connection) =>
        handleOperations(connection, {
          images: deps.images,
          volumes: deps.volumes,
          tails,
          tasks,
          clock,
          random: deps.random,
          uploadDir: `${options.dir}/uploads`,
          vpcs: () => deps.network.vpcs().length,
          ranges: deps.network,
          setAddresses: (vpcs) => deps.network.setAddresses(vpcs),
        }),
      up(connection, welcome) {
        log.info('link.up', { version: welcome.version });
        tasks.welcome(welcome.fence);
        uplink.set(connection);
        outbox.linkUp();
        for (const runner of tasks.all()) runner.linkUp();
        beat?.cancel();
        heartbeat(welcome.heartbeatMs);
      },
      message: onMessage,
      down(reason) {
        log.info('link.down', { reason });
        uplink.set(null);
        beat?.cancel();
      },
    });

  const answer = createMetadata({ tasks: tasks.all, uplink, sampler: createSampler(clock), faults, credentials });

  return {
    answer,
    async start() {
      const isolation = await probeAll(deps.drivers, clock, options.auto ?? 'auto');
      drivers = createDrivers(deps.drivers, isolation);
      info = await deps.info(isolation);
      const { entries, broken, strays } = await journal.load();
      await cleanStrays(deps, drivers, `${options.dir}/tasks`, [...strays, ...broken]);
      const living = entries.filter((entry) => entry.report.status !== 'STOPPED').map((entry) => entry.report.taskId);
      secretFiles.sweep(living);
      await deps.images.recover(living);
      await deps.volumes.recover(living);
      if (stopped) return;
      tasks.restore(entries, broken);
      log.info('host.start', { tasks: entries.length, broken: broken.length, strays: strays.length });
      await readUsage();
      if (stopped) return;
      link = connect();
      resendDue();
      disk?.start();
    },
    async stop() {
      stopped = true;
      disk?.stop();
      beat?.cancel();
      resend?.cancel();
      uplink.set(null);
      link?.stop();
      await Promise.all([deps.volumes.stop(), ...[...tasks.all()].map((runner) => runner.detach())]);
    },
  };
}

/** What has no readable entry has no runner: whatever is left of it is killed and removed. */
async function cleanStrays(deps: HostAgentDeps, drivers: Drivers, tasksDir: string, taskIds: string[]): Promise<void> {
  for (const taskId of taskIds) {
    try {
      await drivers.clean(taskId, `${tasksDir}/${taskId}`, null);
      await deps.volumes.releaseAll(taskId);
      await deps.journal.remove(taskId);
    } catch (error) {
      deps.log.error('task.leak', { taskId }, error);
    }
  }
}
