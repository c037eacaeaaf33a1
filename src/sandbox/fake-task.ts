/** One task in the fake world: the life of a supervisor and its containers, driven by a clock. It outlives the host agent. */
import type { Clock, Timer } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { outputLanes } from '#domain/output-lanes.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { ExecEvents, ExecProcess, ExecRequest } from '#supervisor/exec-calls.ts';
import type { ContainerState, TaskStats } from '#supervisor/protocol.ts';
import { createFakeExecs } from './fake-exec.ts';
import type { OutputRecord, SandboxEvents, SandboxPlan } from './driver.ts';
import type { FakeBehaviour } from './fake-script.ts';

/** As in the real spool: header and trailer of a record. */
const RECORD_BYTES = 23;

type Life = { spec: ContainerSpec; behaviour: FakeBehaviour; state: ContainerState; timers: Timer[]; begun: boolean; stopping: boolean };
type Spooled = { lane: number; offset: number; end: number; record: OutputRecord };

export type FakeTask = {
  attach(from: number[], events: SandboxEvents): void;
  detach(): void;
  ack(to: number, lane: number): void;
  stop(): void;
  kill(): void;
  signal(container: string): void;
  stats(): TaskStats;
  exec(request: ExecRequest, events: ExecEvents): ExecProcess;
  running(): boolean;
  /** The supervisor dies with everything in it, without a word of its own. */
  die(reason: string): void;
};

export function createFakeTask(clock: Clock, plan: SandboxPlan, behaviourOf: (container: ContainerSpec) => FakeBehaviour): FakeTask {
  const lives = plan.spec.containers.map((spec): Life => ({
    spec,
    behaviour: behaviourOf(spec),
    state: waiting(spec.name),
    timers: [],
    begun: false,
    stopping: false,
  }));
  const lanes = outputLanes(plan.spec);
  let spool: Spooled[] = [];
  const ends = Array.from({ length: lanes.count }, () => 0);
  let listener: SandboxEvents | undefined;
  let stopping = false;
  const execs = createFakeExecs();

  const laneState = (end: number, lane: number) => ({
    base: spool.find((item) => item.lane === lane)?.offset ?? end,
    end,
    droppedBytes: 0,
  });

  const tell = () => {
    const [shared, ...others] = ends.map(laneState);
    listener?.state({
      containers: lives.map((life) => structuredClone(life.state)),
      failure: null,
      droppedBytes: 0,
      spoolBase: shared?.base ?? 0,
      spoolEnd: shared?.end ?? 0,
      lanes: others,
    });
  };

  const write = (life: Life, text: string) => {
    const record: OutputRecord = {
      container: life.spec.name,
      source: 'stdout',
      timeMs: clock.now(),
      data: Buffer.from(text),
      partial: false,
      gap: false,
    };
    const lane = lanes.of[lives.indexOf(life)] ?? 0;
    const offset = ends[lane] ?? 0;
    const item = { lane, offset, end: offset + RECORD_BYTES + record.data.length, record };
    spool.push(item);
    ends[lane] = item.end;
    listener?.output([record], item.offset, item.end, lane);
  };

  const exit = (life: Life, exitCode: number | null, change: Partial<ContainerState> = {}) => {
    if (life.state.status === 'exited') return;
    for (const timer of life.timers) timer.cancel();
    execs.killAll(life.spec.name);
    Object.assign(life.state, { status: 'exited', pid: null, exitCode, finishedAtMs: clock.now() }, change);
    tell();
    step();
  };

  const run = (life: Life) => {
    const { behaviour, state } = life;
    if (behaviour.fails !== null) return exit(life, null, { failure: behaviour.fails, finishedAtMs: null });
    Object.assign(state, { status: 'running', pid: 1000 + lives.indexOf(life), startedAtMs: clock.now() });
    behaviour.output.forEach((line, index) => life.timers.push(clock.after(index * behaviour.outputEveryMs, () => write(life, line))));
    const printed = Math.max(0, behaviour.output.length - 1) * behaviour.outputEveryMs;
    if (behaviour.runsMs !== null) {
      const after = Math.max(behaviour.runsMs, printed);
      life.timers.push(clock.after(after, () => (mayRestart(life, clock.now()) ? again(life) : exit(life, behaviour.exitCode, { oomKilled: behaviour.oom })))); // prettier-ignore
    }
    checkHealth(life);
    tell();
    step();
  };

  const again = (life: Life) => {
    for (const timer of life.timers) timer.cancel();
    execs.killAll(life.spec.name);
    Object.assign(life.state, { health: 'UNKNOWN', healthReason: null, healthExitCode: null, restartCount: life.state.restartCount + 1 });
    run(life);
  };

  const checkHealth = ({ spec, behaviour, state, timers }: Life) => {
    if (!spec.health) return;
    const become = (afterMs: number | null, health: ContainerState['health'], healthReason: string | null) => {
      if (afterMs === null) return;
      const turn = () => {
        Object.assign(state, { health, healthReason, healthExitCode: healthReason === null ? null : 1 });
        tell();
        step();
      };
      timers.push(clock.after(afterMs, turn));
    };
    become(behaviour.healthyMs, 'HEALTHY', null);
    become(behaviour.unhealthyMs, 'UNHEALTHY', 'its health check ended with exit code 1');
  };

  /** Starts what may start; level-triggered, called after every change. */
  const step = () => {
    for (const life of lives.filter((one) => !one.begun)) {
      const verdicts = life.spec.dependsOn.map((need) => verdictOf(need, lives.find((one) => one.spec.name === need.container)?.state));
      if (stopping) {
        life.begun = true;
        exit(life, null, {});
      } else if (verdicts.includes('never')) {
        life.begun = true;
        exit(life, null, { failure: { stage: 'dependency', message: `a container that "${life.spec.name}" depends on did not succeed` } });
      } else if (verdicts.every((verdict) => verdict === 'met')) {
        life.begun = true;
        life.timers.push(clock.after(life.behaviour.startMs, () => run(life)));
      }
    }
  };

  const end = (life: Life) => {
    life.stopping = true;
    if (life.state.status === 'waiting') return exit(life, null);
    const { stopsMs } = life.behaviour;
    const heeds = stopsMs <= life.spec.stopTimeoutMs;
    life.timers.push(clock.after(Math.min(stopsMs, life.spec.stopTimeoutMs), () => exit(life, heeds ? 143 : 137)));
  };

  step();
  return {
    attach(from, events) {
      listener = events;
      clock.after(0, () => {
        if (listener !== events) return;
        tell();
        for (const item of spool.filter((one) => one.offset >= (from[one.lane] ?? 0)))
          events.output([item.record], item.offset, item.end, item.lane);
      });
    },
    detach() {
      listener = undefined;
      execs.lose();
    },
    ack(to, lane) {
      spool = spool.filter((item) => item.lane !== lane || item.end > to);
    },
    stop() {
      if (stopping) return;
      stopping = true;
      for (const life of lives) if (life.state.status !== 'exited') end(life);
      step();
    },
    kill() {
      stopping = true;
      for (const life of lives) exit(life, life.state.status === 'running' ? 137 : null);
    },
    signal(container) {
      const life = lives.find((one) => one.spec.name === container);
      if (life === undefined) throw new Fault('ResourceNotFound', `task ${plan.taskId} has no container "${container}"`);
      if (life.state.status === 'running') end(life);
    },
    stats: () => statsOf(clock, lives),
    exec(request, events) {
      const life = lives.find((one) => one.spec.name === request.container);
      if (life === undefined) throw new Fault('InvalidParameter', `the task has no container "${request.container}"`);
      if (life.state.status !== 'running') throw new Fault('InvalidParameter', `container "${request.container}" is not running`);
      return execs.start(request, events);
    },
    running: () => lives.some((life) => life.state.status !== 'exited'),
    die(reason) {
      for (const life of lives) for (const timer of life.timers) timer.cancel();
      execs.lose();
      const last = listener;
      listener = undefined;
      last?.lost(reason);
    },
  };
}

function waiting(name: string): ContainerState {
  return {
    name,
    status: 'waiting',
    pid: null,
    startedAtMs: null,
    finishedAtMs: null,
    exitCode: null,
    oomKilled: false,
    failure: null,
    health: 'UNKNOWN',
    healthReason: null,
    restartCount: 0,
  };
}

function mayRestart({ spec, behaviour, state, stopping }: Life, now: number): boolean {
  if (!spec.restart || stopping || spec.restart.ignoredExitCodes.includes(behaviour.exitCode)) return false;
  return now - (state.startedAtMs ?? now) >= spec.restart.attemptPeriodMs;
}

function verdictOf(need: ContainerSpec['dependsOn'][number], state: ContainerState | undefined): 'met' | 'wait' | 'never' {
  if (state === undefined) return 'never';
  const ended = state.status === 'exited';
  if (need.condition === 'START') return state.startedAtMs !== null ? 'met' : ended ? 'never' : 'wait';
  if (need.condition === 'HEALTHY') return ended || state.health === 'UNHEALTHY' ? 'never' : state.health === 'HEALTHY' ? 'met' : 'wait';
  if (!ended) return 'wait';
  if (state.failure !== null) return 'never';
  return need.condition === 'COMPLETE' || state.exitCode === 0 ? 'met' : 'never';
}

function statsOf(clock: Clock, lives: Life[]): TaskStats {
  const containers = lives.map((life) => ({
    name: life.spec.name,
    cpuNs: 1_000_000,
    memoryBytes: 1024 * 1024,
    memoryLimitBytes: life.spec.memoryBytes ?? 0,
    pids: life.state.status === 'running' ? 1 : 0,
    oomKills: life.state.oomKilled ? 1 : 0,
  }));
  const sum = (of: (one: (typeof containers)[number]) => number) => containers.reduce((total, one) => total + of(one), 0);
  return {
    readAtMs: clock.now(),
    containers,
    task: { cpuNs: sum((c) => c.cpuNs), memoryBytes: sum((c) => c.memoryBytes), pids: sum((c) => c.pids) },
    network: null,
  };
}
