/**
 * The link in memory, for tests and simulations. Every message is encoded and decoded, as on a socket. It may lose, delay, repeat and
 * reorder what the protocol calls level-triggered; calls may be lost, streams only come late.
 */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { FrameReader, JSON_FRAME } from '#base/frames.ts';
import type { Frame } from '#base/frames.ts';
import type { Random } from '#base/random.ts';
import { controlConnection, hostConnection } from './connection.ts';
import type { ControlConnection, FrameChannel, LinkDialer, LinkServer } from './types.ts';

/** Chances are from 0 to 1 for each message. */
export type LinkFaults = { lose: number; repeat: number; delayMinMs: number; delayMaxMs: number };

export type MemoryNetwork = {
  /** Starts listening; a former server of this network must be closed. */
  listen(): LinkServer;
  dialer(): LinkDialer;
  /** Breaks every connection. */
  cut(reason: string): void;
};

/** Without `faults` messages arrive in order in the next turn of the event loop. `faults` is asked for every message. */
export function memoryNetwork(clock: Clock, trouble?: { random: Random; faults(): LinkFaults }): MemoryNetwork {
  let accept: ((channel: FrameChannel) => void) | null = null;
  const links = new Set<(reason: string) => void>();
  return {
    listen() {
      const server = memoryServer(clock, () => {
        accept = null;
      });
      accept = server.accept;
      return server.server;
    },
    dialer: () => ({
      async dial() {
        if (accept === null) throw new Fault('Unavailable', 'nobody listens');
        const [ours, theirs, cut] = channelPair(clock, trouble);
        links.add(cut);
        const connection = hostConnection(ours, clock);
        connection.onClose(() => links.delete(cut));
        accept(theirs);
        return connection;
      },
    }),
    cut(reason) {
      for (const cut of links) cut(reason);
    },
  };
}

function memoryServer(clock: Clock, closed: () => void): { server: LinkServer; accept(channel: FrameChannel): void } {
  const open = new Set<ControlConnection>();
  const early: ControlConnection[] = [];
  let accepted: ((connection: ControlConnection) => void) | null = null;
  return {
    accept(channel) {
      const connection = controlConnection(channel, clock);
      open.add(connection);
      connection.onClose(() => open.delete(connection));
      if (accepted === null) early.push(connection);
      else accepted(connection);
    },
    server: {
      onConnection(fn) {
        accepted = fn;
        for (const connection of early.splice(0)) fn(connection);
      },
      async close() {
        closed();
        for (const connection of open) connection.close('the control plane ends');
      },
    },
  };
}

type End = { events: Parameters<FrameChannel['listen']>[0] | null; early: Frame[]; closed: string | null };

function channelPair(
  clock: Clock,
  trouble: { random: Random; faults(): LinkFaults } | undefined,
): [FrameChannel, FrameChannel, (reason: string) => void] {
  const ends: [End, End] = [
    { events: null, early: [], closed: null },
    { events: null, early: [], closed: null },
  ];
  const shut = (end: End, reason: string) => {
    if (end.closed !== null) return;
    end.closed = reason;
    end.events?.closed(reason);
  };
  const channel = (mine: End, other: End): FrameChannel => {
    const deliver = (bytes: Buffer) => {
      if (other.closed !== null) return;
      for (const frame of new FrameReader().push(bytes)) {
        if (other.events === null) other.early.push(frame);
        else other.events.frame(frame);
      }
    };
    const carry = trouble === undefined ? (bytes: Buffer) => void setImmediate(() => deliver(bytes)) : troubled(clock, trouble, deliver);
    return {
      send(frame) {
        if (mine.closed === null) carry(Buffer.from(frame));
      },
      queued: () => 0,
      listen(events) {
        mine.events = events;
        for (const frame of mine.early.splice(0)) events.frame(frame);
        if (mine.closed !== null) events.closed(mine.closed);
      },
      close(reason) {
        shut(mine, reason);
        // What was sent before arrives before the end does, as on a socket.
        carryClose(() => shut(other, 'the peer closed the connection'));
      },
    };
  };
  const carryClose = (fn: () => void) => {
    if (trouble === undefined) setImmediate(fn);
    else clock.after(Math.ceil(trouble.faults().delayMaxMs), fn);
  };
  const cut = (reason: string) => {
    shut(ends[0], reason);
    shut(ends[1], reason);
  };
  return [channel(ends[0], ends[1]), channel(ends[1], ends[0]), cut];
}

/** Carries frames with the faults of a bad network. */
function troubled(clock: Clock, trouble: { random: Random; faults(): LinkFaults }, deliver: (bytes: Buffer) => void) {
  const { random } = trouble;
  let lastInOrder = 0;
  return (bytes: Buffer) => {
    const faults = trouble.faults();
    const kind = kindOf(bytes);
    if (kind !== 'stream' && random.fraction() < faults.lose) return;
    const delay = () => Math.round(faults.delayMinMs + random.fraction() * (faults.delayMaxMs - faults.delayMinMs));
    if (kind === 'level') {
      clock.after(delay(), () => deliver(bytes));
      if (random.fraction() < faults.repeat) clock.after(delay(), () => deliver(bytes));
      return;
    }
    lastInOrder = Math.max(lastInOrder, clock.now() + delay());
    clock.after(lastInOrder - clock.now(), () => deliver(bytes));
  };
}

function kindOf(bytes: Buffer): 'level' | 'call' | 'stream' {
  const [frame] = new FrameReader().push(bytes);
  if (frame === undefined || frame.kind !== JSON_FRAME) return 'stream';
  const type = (JSON.parse(frame.payload.toString('utf8')) as { t: string }).t;
  if (type === 'request' || type === 'response') return 'call';
  return type.startsWith('stream-') ? 'stream' : 'level';
}
