/** All of a task's output: a lane each, and for each where it goes: to the control plane, or to a destination that this host speaks to itself. */
import { RE2JS } from 're2js';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import { outputLanes } from '#domain/output-lanes.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { OutputBatch } from '#link/protocol.ts';
import type { SandboxEvents, SandboxState } from '#sandbox/driver.ts';
import { firelensTag, FLUENT_PORT } from './firelens-config.ts';
import { createFirelensSink } from './firelens-sink.ts';
import type { TaskEntry } from './journal.ts';
import { createTaskOutput } from './output.ts';
import type { TaskOutput } from './output.ts';
import { createSplunkSink, withSecretOptions } from './splunk-sink.ts';
import type { Tails } from './tails.ts';

/** Where a lane's batches go. What it took it says by the acknowledgement that it was made with. */
export type LogSink = {
  /** Takes a batch; the same one again is the one that is under way. False: not now. */
  send(batch: OutputBatch): boolean;
  close(): void;
};

export type TaskLanes = {
  output: SandboxEvents['output'];
  run: SandboxEvents['run'];
  state(state: SandboxState): void;
  acknowledged(to: number, lane?: number): void;
  linkUp(): void;
  /** Resolves with the containers some of whose output is not safe, when all is or nothing moves any more. */
  drained(): Promise<Lost[]>;
  /** Tells the sandbox what a former agent had safe. */
  repeatAcks(): void;
  close(): void;
};

/** What of a container's output was not kept. */
export type Lost = { container: string; driver: string; bytes: number };

export type TaskLanesDeps = {
  clock: Clock;
  log: Log;
  tails: Tails;
  entry: TaskEntry;
  sendOutput(batch: OutputBatch): boolean;
  /** To the sandbox, while there is one. */
  ack(to: number, lane: number): void;
  /** Output is dropped while the task runs: so much until now. */
  lost(lost: Lost[]): void;
  /** Options of a container's log driver that were fetched for it; asked once there is output. */
  secretOptions(container: string): Record<string, string>;
};

/** A destination of the user's own may be down for good: the end of a task waits so long for it. */
const OWN_DRAIN_MS = 5_000;

type Lane = { output: TaskOutput; sink: LogSink | null; containers: ContainerSpec[]; end: number; dropped: number };

export function createTaskLanes(deps: TaskLanesDeps): TaskLanes {
  const { entry, log } = deps;
  const { spec } = entry.assignment;
  const { of, count } = outputLanes(spec);
  const lanes = Array.from({ length: count }, (_, index) =>
    createLane(
      deps,
      index,
      spec.containers.filter((_, container) => of[container] === index),
    ),
  );
  return {
    output: (records, from, to, lane = 0) => lanes[lane]?.output.records(records, from, to),
    run: (run, names, lane = 0) => lanes[lane]?.output.run(run, names),
    state(state) {
      const shared = { base: state.spoolBase, end: state.spoolEnd, droppedBytes: 0 };
      for (const [index, told] of [shared, ...(state.lanes ?? [])].entries()) {
        const lane = lanes[index];
        if (lane === undefined) continue;
        lane.output.freed(told.base);
        lane.end = told.end;
        const container = lane.containers[0]?.name ?? '';
        if (told.droppedBytes <= lane.dropped) continue;
        log.warn('output.lost', { container, bytes: told.droppedBytes });
        lane.dropped = told.droppedBytes;
        deps.lost(lostOf(lane, lane.dropped));
      }
    },
    acknowledged: (to, lane = 0) => lanes[lane]?.output.acknowledged(to),
    linkUp: () => lanes.forEach((lane) => lane.output.linkUp()),
    drained: async () => (await Promise.all(lanes.map(drain))).flat(),
    repeatAcks: () => lanes.forEach((lane, index) => deps.ack(lane.output.ackedOffset(), index)),
    close() {
      for (const lane of lanes) {
        lane.output.close();
        lane.sink?.close();
      }
    },
  };
}

async function drain(lane: Lane): Promise<Lost[]> {
  const isSafe = await lane.output.drained(lane.end);
  const bytes = lane.dropped + (isSafe ? 0 : lane.end - lane.output.ackedOffset());
  return bytes === 0 ? [] : lostOf(lane, bytes);
}

const lostOf = (lane: Lane, bytes: number): Lost[] =>
  lane.containers.map(({ name, log }) => ({ container: name, driver: log?.driver ?? 'none', bytes }));

function createLane(deps: TaskLanesDeps, index: number, containers: ContainerSpec[]): Lane {
  const { clock, tails, entry } = deps;
  const { key } = entry.assignment;
  const own = index === 0 ? undefined : containers[0];
  const sink = own === undefined ? null : sinkOf(deps, own, (to) => output.acknowledged(to));
  const port = {
    send: (batch: OutputBatch) => (sink === null ? deps.sendOutput(batch) : sink.send(batch)),
    ack(to: number) {
      if (index === 0) entry.ackedOffset = to;
      else (entry.ackedLanes ??= [])[index - 1] = to;
      deps.ack(to, index);
    },
  };
  const from = index === 0 ? entry.ackedOffset : (entry.ackedLanes?.[index - 1] ?? 0);
  const logged = new Set(containers.filter((container) => container.log !== null).map((container) => container.name));
  const kept = new Set(containers.filter(({ log }) => log?.driver !== 'awslogs').map(({ name }) => name));
  const drainMs = sink === null ? undefined : OWN_DRAIN_MS;
  const output: TaskOutput = createTaskOutput(
    { clock, tails, port },
    { key, logged, kept, from, lane: index, begins: own === undefined ? undefined : beginsOf(own), drainMs, takesRuns: sink === null },
  );
  return { output, sink, containers, end: 0, dropped: 0 };
}

/** RE2 takes time in proportion to the line, whatever the expression: it is the user's, and runs in the host agent. */
function beginsOf({ log }: ContainerSpec): ((line: string) => boolean) | undefined {
  if (log?.driver !== 'awslogs' || log.multiline === undefined) return undefined;
  const pattern = RE2JS.compile(log.multiline);
  return (line) => pattern.matcher(line).find();
}

function sinkOf(deps: TaskLanesDeps, container: ContainerSpec, acknowledged: (to: number) => void): LogSink | null {
  const { log, name } = container;
  const { assignment, runtimeIds } = deps.entry;
  const runtimeId = runtimeIds[name] ?? '';
  if (log?.driver === 'splunk') {
    const source = { container, runtimeId, hostname: assignment.network.hostname };
    return lazySink(() => createSplunkSink(deps, withSecretOptions(log, deps.secretOptions(name)), source, acknowledged));
  }
  if (log?.driver !== 'awsfirelens') return null;
  const source = { tag: firelensTag(name, assignment.key.id), containerId: runtimeId, containerName: name };
  return createFirelensSink(deps, { host: assignment.network.ip, port: FLUENT_PORT }, source, acknowledged);
}

/** Made with the first batch: by then the task's secrets are here. */
function lazySink(make: () => LogSink): LogSink {
  let sink: LogSink | undefined;
  return {
    send: (batch) => (sink ??= make()).send(batch),
    close: () => sink?.close(),
  };
}
