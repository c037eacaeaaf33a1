/**
 * A connection to one task's supervisor. The peer lives beside foreign code: its frames are bounded, its messages checked, its indexes
 * looked up, and its output is read only as fast as it is acknowledged.
 *
 * Back-pressure: past `windowBytes` of unacknowledged output the socket is not read. State travels on the same socket, so after
 * `stallMs` the session reads on and throws output away; it is still in the spool, and is asked for again from there. Commands that are
 * run inside go on meanwhile, and end with the connection. Messages have a rate: a peer that floods the host with them waits.
 */
import type { Clock, Timer } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { JSON_FRAME } from '#base/frames.ts';
import type { Frame } from '#base/frames.ts';
import { limits } from '#base/limits.ts';
import { checkRun, runFrom } from '#base/output-run.ts';
import type { OutputRun } from '#base/output-run.ts';
import { createExecCalls } from './exec-calls.ts';
import type { ExecEvents, ExecProcess, ExecRequest } from './exec-calls.ts';
import { connectFramed, isNobodyThere, parseJsonFrame } from './framed-socket.ts';
import type { FramedSocket, FramedSocketEvents } from './framed-socket.ts';
import { checkFromSupervisor } from './messages.ts';
import { createMeter } from './meter.ts';
import { decodeOutput } from './output-record.ts';
import type { SpoolRecord } from './output-record.ts';
import { EXEC_OUTPUT_FRAME, LANE_WINDOW_BYTES, OUTPUT_FRAME, OUTPUT_RUN_FRAME } from './protocol.ts';
import type { FromSupervisor, Latency, SupervisorState, TaskStats, ToSupervisor } from './protocol.ts';

export type SessionEvents = {
  state(state: SupervisorState): void;
  /** One record; in order of its lane's offsets, may repeat nothing within one session. */
  output(record: SpoolRecord, lane: number): void;
  /** The same of a run of records; its bytes are the listener's. */
  run(run: OutputRun, lane: number): void;
  /** The supervisor refused or failed something that was asked of it. */
  error(about: string, message: string): void;
  /** The supervisor is gone without having been released. Called at most once; nothing follows. */
  lost(reason: string): void;
};

export type SessionOptions = {
  /** The supervisor's Unix socket, or another way to it; rejects with Unavailable (`details.refused`) when nobody is there. */
  path: string | ((events: FramedSocketEvents) => Promise<FramedSocket>);
  taskId: string;
  /** How many containers the task has: bounds every index. */
  containers: number;
  /** First spool offset that is wanted. */
  from: number;
  /** Lane of each container, and the same of the lanes after lane 0. Default: all are in lane 0. */
  lanes?: { of: number[]; from: number[] } | undefined;
  clock: Clock;
  windowBytes?: number;
  stallMs?: number;
  answerTimeoutMs?: number;
};

/** Methods that ask throw Fault Unavailable once the supervisor is gone. */
export type Session = {
  /** Everything below `to` of a lane (default: 0) is safe. */
  ack(to: number, lane?: number): void;
  stop(): void;
  kill(): void;
  signal(container: string, signal: string): void;
  stats(): Promise<TaskStats>;
  /** What the task sends is delayed from now on, or no more. Throws Unsupported with the reason where the task's kernel can't. */
  setLatency(latency: Latency | null): Promise<void>;
  /** Runs a command in a container; errors as of ExecCalls.start. */
  exec(request: ExecRequest, events: ExecEvents): Promise<ExecProcess>;
  /** Resolves when the supervisor has given everything back and is gone; Conflict while a container runs. */
  release(): Promise<void>;
  detach(): void;
};

/** Acknowledgements go out when they free so much, or after so long: not one for each line. */
const ACK_BYTES = 64 * 1024;
const ACK_MS = 100;

/** Connections in a row that may end so soon, whatever was said on them: a peer that only comes and goes is none. */
const CONNECTIONS = 5;
const LASTING_MS = 1000;

type Call<T> = { resolve(answer: T): void; reject(fault: Fault): void };

/** Resolves once the supervisor has told its state; Unavailable when nobody is there, ProtocolError when it is somebody else. */
export async function openSession(options: SessionOptions, events: SessionEvents): Promise<Session> {
  const session = createSession(options, events);
  await session.connect();
  return session;
}

function createSession(options: SessionOptions, events: SessionEvents): Session & { connect(): Promise<void> } {
  const { clock, path, taskId } = options;
  const dial = typeof path === 'string' ? (taker: FramedSocketEvents) => connectFramed(path, taker) : path;
  const window = options.windowBytes ?? limits.outputWindowBytes;
  const answerTimeoutMs = options.answerTimeoutMs ?? 10_000;
  const stats = new Map<number, Call<TaskStats>>();
  const latencies = new Map<number, Call<void>>();
  let socket: FramedSocket | undefined;
  const lanes = [options.from, ...(options.lanes?.from ?? [])].map((from) => ({
    next: from,
    acked: from,
    ackSent: from,
    rewinding: false,
  }));
  /** What may wait for acknowledgements: a supervisor sends of each lane no more than its window, and one record. */
  const fullAt = window + (lanes.length - 1) * (LANE_WINDOW_BYTES + limits.frameBytes);
  const owed = () => lanes.reduce((sum, lane) => sum + lane.next - lane.acked, 0);
  let ackTimer: Timer | undefined;
  let flow: 'open' | 'paused' | 'dropping' = 'open';
  let stall: Timer | undefined;
  const meter = createMeter(clock, { bytesPerSecond: limits.supervisorBytesPerSecond, burstBytes: limits.supervisorBurstBytes });
  /** The peer said too much: nothing is read until then. */
  let held: Timer | undefined;
  let complaints = 0;
  let callId = 1;
  let shortConnections = 0;
  let attachedAt = 0;
  let phase: 'live' | 'releasing' | 'over' = 'live';
  let firstState: ((error?: Fault) => void) | undefined;
  let releasing: { resolve(): void; reject(fault: Fault): void } | undefined;

  const send = (message: ToSupervisor) => {
    if (phase === 'over') throw new Fault('Unavailable', `the supervisor of task ${taskId} is gone`);
    socket?.send(message);
  };
  const execs = createExecCalls({
    clock,
    taskId,
    send(message) {
      // A command lives by one connection: between two there is none to begin one on.
      if (socket === undefined) throw new Fault('Unavailable', `the supervisor of task ${taskId} is being connected to again`);
      send(message);
    },
  });

  const sendAck = () => {
    ackTimer?.cancel();
    ackTimer = undefined;
    if (phase === 'over') return;
    for (const [index, lane] of lanes.entries()) {
      if (lane.acked <= lane.ackSent) continue;
      lane.ackSent = lane.acked;
      send({ t: 'ack', to: lane.acked, ...(index === 0 ? {} : { lane: index }) });
    }
  };

  const finish = () => {
    phase = 'over';
    stall?.cancel();
    held?.cancel();
    ackTimer?.cancel();
    socket?.close();
    socket = undefined;
    for (const call of [...stats.values(), ...latencies.values()])
      call.reject(new Fault('Unavailable', `the supervisor of task ${taskId} is gone`));
    stats.clear();
    latencies.clear();
    execs.fail(new Fault('Unavailable', `the connection to the supervisor of task ${taskId} is over`));
  };

  const lose = (cause: Fault) => {
    if (phase === 'over') return;
    const wasReleasing = releasing;
    finish();
    // It exits after a release: an end of file then is the end that was asked for.
    if (wasReleasing !== undefined) wasReleasing.resolve();
    else if (firstState !== undefined) firstState(cause);
    else events.lost(cause.message);
  };

  const setFlow = (to: typeof flow) => {
    stall?.cancel();
    stall = undefined;
    flow = to;
    if (to !== 'paused') return held === undefined ? socket?.resume() : undefined;
    socket?.pause();
    stall = clock.after(options.stallMs ?? 1_000, () => setFlow('dropping'));
  };

  const charge = (bytes: number) => {
    const waitMs = meter.take(bytes);
    if (waitMs === 0 || held !== undefined) return;
    socket?.pause();
    held = clock.after(waitMs, () => {
      held = undefined;
      if (flow !== 'paused') socket?.resume();
    });
  };
  /** Bytes that come to nothing cost little, but are bounded by nothing else. */
  const ignore = (payload: Buffer) => charge(16 + payload.length / 16);

  const laneOf = (container: number): number => options.lanes?.of[container] ?? 0;

  const onOutput = (payload: Buffer) => {
    if (flow === 'dropping' || phase === 'over') return ignore(payload);
    const record = decodeOutput(payload, options.containers);
    const number = laneOf(record.container);
    const lane = lanes[number];
    if (lane === undefined) throw new Fault('ProtocolError', `container ${record.container} has no lane ${number}`);
    // Asked for again: what is still under way from before is not it.
    if (lane.rewinding && record.offset > lane.next) return ignore(payload);
    lane.rewinding = false;
    if (record.offset < lane.next) {
      if (record.end > lane.next) throw new Fault('ProtocolError', `output at ${record.offset} overlaps what was read up to ${lane.next}`);
      return ignore(payload); // sent again
    }
    lane.next = record.end;
    events.output(record, number);
    if (flow === 'open' && owed() >= fullAt) setFlow('paused');
  };

  const onRun = (payload: Buffer) => {
    if (flow === 'dropping' || phase === 'over') return ignore(payload);
    const sent = checkRun(payload, options.containers);
    const number = laneOf(sent.containers[0] ?? 0);
    const lane = lanes[number];
    if (lane === undefined || sent.containers.some((container) => laneOf(container) !== number))
      throw new Fault('ProtocolError', `a run of output is of the containers ${sent.containers.join(', ')}, which share no lane`);
    // As with single records: what is still under way from before, and what was sent already.
    if (lane.rewinding && sent.from > lane.next) return ignore(payload);
    lane.rewinding = false;
    const run = sent.from < lane.next ? runFrom(sent, lane.next, options.containers) : sent;
    if (run === null) return ignore(payload);
    lane.next = run.to;
    events.run(run, number);
    if (flow === 'open' && owed() >= fullAt) setFlow('paused');
  };

  const onMessage = (message: FromSupervisor) => {
    if (message.t === 'state') {
      if (message.state.taskId !== taskId) throw new Fault('ProtocolError', `the supervisor is of task ${message.state.taskId}`);
      if (message.state.containers.length !== options.containers) {
        throw new Fault(
          'ProtocolError',
          `the supervisor has ${message.state.containers.length} containers instead of ${options.containers}`,
        );
      }
      const first = firstState;
      firstState = undefined;
      first?.();
      events.state(message.state);
    } else if (message.t === 'stats') {
      stats.get(message.id)?.resolve(message.stats);
      stats.delete(message.id);
    } else if (message.t === 'latency') {
      const call = latencies.get(message.id);
      latencies.delete(message.id);
      if (message.error === null) call?.resolve();
      else call?.reject(new Fault('Unsupported', message.error));
    } else if (message.t === 'released') {
      const done = releasing;
      finish();
      done?.resolve();
    } else if (message.t !== 'error') {
      execs.onMessage(message);
    } else {
      // A supervisor that was there before its task couldn't begin it.
      if (message.about === 'begin' && firstState !== undefined) return lose(new Fault('Unavailable', message.message));
      if (message.about === 'release' && releasing !== undefined) {
        const refused = releasing;
        releasing = undefined;
        phase = 'live';
        refused.reject(new Fault('Conflict', message.message));
      }
      if (++complaints <= limits.supervisorErrors) events.error(message.about, message.message);
    }
  };

  const onFrame = (frame: Frame) => {
    if (frame.kind === OUTPUT_RUN_FRAME) onRun(frame.payload);
    else if (frame.kind === OUTPUT_FRAME) onOutput(frame.payload);
    else if (frame.kind === EXEC_OUTPUT_FRAME) {
      if (!execs.onOutput(frame.payload)) ignore(frame.payload);
    } else if (frame.kind === JSON_FRAME) {
      const message = checkFromSupervisor(parseJsonFrame(frame.payload), '');
      charge(64 + frame.payload.length + (message.t === 'state' ? limits.supervisorStateBytes : 0));
      onMessage(message);
    } else throw new Fault('ProtocolError', `a frame of unknown kind ${frame.kind}`);
  };

  const attachMessage = (): ToSupervisor => {
    const [from = 0, ...others] = lanes.map((lane) => lane.next);
    return { t: 'attach', from, ...(others.length === 0 ? {} : { lanes: others }), runs: true };
  };

  const attach = async () => {
    const mine: { socket?: FramedSocket } = {};
    attachedAt = clock.now();
    const made = await dial({
      frame: (frame) => {
        if (mine.socket === socket) onFrame(frame);
      },
      closed: (cause) => {
        if (mine.socket === socket) void reattach(cause);
      },
    });
    if (phase === 'over') return made.close();
    mine.socket = made;
    socket = made;
    if (held !== undefined) made.pause();
    flow = 'open';
    for (const lane of lanes) lane.rewinding = false;
    made.send(attachMessage());
    if (phase === 'releasing') made.send({ t: 'release' });
  };

  /** The connection broke: the supervisor may well be alive, so ask once more. */
  const reattach = async (cause: Fault) => {
    if (phase === 'over') return;
    if (cause.code === 'ProtocolError') return lose(cause);
    socket = undefined;
    execs.fail(new Fault('Unavailable', `the connection to the supervisor of task ${taskId} broke`, { cause }));
    shortConnections = clock.now() - attachedAt < LASTING_MS ? shortConnections + 1 : 0;
    if (shortConnections > CONNECTIONS) return lose(new Fault('Unavailable', 'the supervisor closes every connection', { cause }));
    try {
      await attach();
    } catch (error) {
      const fault = asFault(error);
      lose(isNobodyThere(fault) ? new Fault('Unavailable', 'the supervisor process ended', { cause }) : fault);
    }
  };

  const ask = <T>(calls: Map<number, Call<T>>, message: (id: number) => ToSupervisor, what: string) =>
    new Promise<T>((resolve, reject) => {
      const id = callId++;
      send(message(id));
      const timer = clock.after(answerTimeoutMs, () => {
        calls.delete(id);
        reject(new Fault('TimedOut', `the supervisor of task ${taskId} didn't ${what} within ${answerTimeoutMs} ms`));
      });
      const settle = () => timer.cancel();
      calls.set(id, { resolve: (answer) => (settle(), resolve(answer)), reject: (fault) => (settle(), reject(fault)) });
    });

  return {
    async connect() {
      const answered = new Promise<void>((resolve, reject) => {
        firstState = (error) => (error === undefined ? resolve() : reject(error));
      });
      answered.catch(() => {}); // handled below, or the connect error comes first
      const timer = clock.after(answerTimeoutMs, () =>
        lose(new Fault('TimedOut', `the supervisor of task ${taskId} didn't answer within ${answerTimeoutMs} ms`)),
      );
      try {
        await attach();
        await answered;
      } catch (error) {
        finish();
        throw error;
      } finally {
        timer.cancel();
      }
    },
    ack(to, number = 0) {
      const lane = lanes[number];
      if (lane === undefined || to <= lane.acked || phase === 'over') return;
      lane.acked = to;
      if (lane.acked - lane.ackSent >= ACK_BYTES) sendAck();
      else ackTimer ??= clock.after(ACK_MS, sendAck);
      if (flow === 'open' || owed() > fullAt / 2) return;
      const asksAgain = flow === 'dropping';
      setFlow('open');
      if (!asksAgain) return;
      for (const each of lanes) each.rewinding = true;
      send(attachMessage());
    },
    stop: () => send({ t: 'stop' }),
    kill: () => send({ t: 'kill' }),
    signal: (container, signal) => send({ t: 'signal', container, signal }),
    stats: () => ask(stats, (id) => ({ t: 'stats', id }), 'tell its usage'),
    setLatency: (latency) => ask(latencies, (id) => ({ t: 'latency', id, latency }), 'change its network'),
    exec: execs.start,
    release() {
      return new Promise<void>((resolve, reject) => {
        if (phase === 'over') return resolve();
        const timer = clock.after(answerTimeoutMs, () => {
          finish();
          reject(new Fault('TimedOut', `the supervisor of task ${taskId} didn't give its task back within ${answerTimeoutMs} ms`));
        });
        releasing = {
          resolve: () => (timer.cancel(), resolve()),
          reject: (fault) => (timer.cancel(), reject(fault)),
        };
        phase = 'releasing';
        sendAck();
        send({ t: 'release' });
      });
    },
    detach: finish,
  };
}
