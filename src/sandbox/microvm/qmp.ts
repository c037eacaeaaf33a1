/**
 * A QMP client (QEMU Machine Protocol, docs/interop/qmp-spec): one JSON object a line over a Unix socket. QEMU runs a guest that may have
 * taken it over, so what it says is bounded and read with care.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';

export type QmpArguments = { [name: string]: Json };

export type Qmp = {
  /** Throws Internal with QEMU's own text when it refuses, Unavailable when it is gone, TimedOut. */
  run(command: string, args?: QmpArguments): Promise<Json>;
  /** Resolves with the data of the first event of that name from now on, for which `is` says yes. */
  event(name: string, is: (data: QmpArguments) => boolean, timeoutMs: number): Promise<QmpArguments>;
  close(): void;
};

type Waiting = { resolve(value: Json): void; reject(fault: Fault): void };
type Listener = { name: string; is(data: QmpArguments): boolean; done(data: QmpArguments): void; fail(fault: Fault): void };

const NEWLINE = 0x0a;

/** Connects and negotiates. The socket listens before QEMU runs, so this waits for QEMU itself. Throws Unavailable, TimedOut. */
export async function connectQmp(clock: Clock, path: string, timeoutMs: number = limits.qmpCommandMs): Promise<Qmp> {
  const socket = connect({ path });
  const line = lines(socket);
  const qmp = speak(clock, socket, line);
  const timer = clock.after(timeoutMs, () => socket.destroy(new Fault('TimedOut', `QEMU didn't answer at ${path} within ${timeoutMs} ms`)));
  try {
    await qmp.greeted;
    await qmp.run('qmp_capabilities');
    return qmp;
  } catch (error) {
    socket.destroy();
    throw asFault(error, 'Unavailable');
  } finally {
    timer.cancel();
  }
}

function speak(clock: Clock, socket: Socket, onLine: (take: (text: string) => void) => void): Qmp & { greeted: Promise<void> } {
  const waiting = new Map<number, Waiting>();
  const listeners = new Set<Listener>();
  let nextId = 1;
  let over: Fault | undefined;
  let greet: { resolve(): void; reject(fault: Fault): void } | undefined;
  const greeted = new Promise<void>((resolve, reject) => (greet = { resolve, reject }));
  greeted.catch(() => {}); // whoever connects looks at it

  const end = (fault: Fault) => {
    if (over !== undefined) return;
    over = fault;
    greet?.reject(fault);
    for (const one of waiting.values()) one.reject(fault);
    for (const one of listeners) one.fail(fault);
    waiting.clear();
    listeners.clear();
  };
  socket.on('error', (error) => end(asFault(error, 'Unavailable')));
  socket.on('close', () => end(new Fault('Unavailable', 'QEMU closed its control connection')));
  onLine((text) => {
    const message = objectOf(JSON.parse(text) as Json);
    if ('QMP' in message) return greet?.resolve();
    if (typeof message['event'] === 'string') {
      const data = objectOf(message['data'] ?? null);
      for (const one of listeners) {
        if (one.name !== message['event'] || !one.is(data)) continue;
        listeners.delete(one);
        one.done(data);
      }
      return;
    }
    const { id } = message;
    const one = typeof id === 'number' ? waiting.get(id) : undefined;
    if (one === undefined || typeof id !== 'number') return;
    waiting.delete(id);
    if ('error' in message) one.reject(new Fault('Internal', `QEMU: ${String(objectOf(message['error'] ?? null)['desc'])}`));
    else one.resolve(message['return'] ?? null);
  });

  /** Rejects with TimedOut after a while; `drop` takes the wait out of its list. */
  const bounded = <T>(
    what: string,
    ms: number,
    drop: () => void,
    start: (resolve: (value: T) => void, reject: (f: Fault) => void) => void,
  ) =>
    new Promise<T>((resolve, reject) => {
      const timer = clock.after(ms, () => {
        drop();
        reject(new Fault('TimedOut', `QEMU didn't ${what} within ${ms} ms`));
      });
      start(
        (value) => (timer.cancel(), resolve(value)),
        (fault) => (timer.cancel(), reject(fault)),
      );
    });

  return {
    greeted,
    run(command, args) {
      if (over !== undefined) return Promise.reject(over);
      const id = nextId++;
      return bounded<Json>(
        `answer ${command}`,
        limits.qmpCommandMs,
        () => waiting.delete(id),
        (resolve, reject) => {
          waiting.set(id, { resolve, reject });
          socket.write(`${JSON.stringify({ execute: command, id, ...(args === undefined ? {} : { arguments: args }) })}\n`);
        },
      );
    },
    event(name, is, timeoutMs) {
      if (over !== undefined) return Promise.reject(over);
      const drop = () => void (mine !== undefined && listeners.delete(mine));
      let mine: Listener | undefined;
      return bounded<QmpArguments>(`send ${name}`, timeoutMs, drop, (done, fail) => {
        mine = { name, is, done, fail };
        listeners.add(mine);
      });
    },
    close: () => void socket.destroy(),
  };
}

/** Cuts what comes into lines; a line past the limit, or one that isn't JSON, ends the connection. */
function lines(socket: Socket): (take: (text: string) => void) => void {
  return (take) => {
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      try {
        for (let at = rest.indexOf(NEWLINE); at >= 0; at = rest.indexOf(NEWLINE)) {
          const text = rest.toString('utf8', 0, at);
          rest = rest.subarray(at + 1);
          if (text.trim() !== '') take(text);
        }
        if (rest.length > limits.qmpLineBytes)
          throw new Fault('ProtocolError', `QEMU sent more than ${limits.qmpLineBytes} bytes in a line`);
      } catch (error) {
        socket.destroy(asFault(error, 'ProtocolError'));
      }
    });
  };
}

function objectOf(value: Json): QmpArguments {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
