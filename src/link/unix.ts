/** The link over a Unix socket: control plane and host on one machine. Who may connect is decided by the socket's directory and mode. */
import { chmod, unlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { FrameReader } from '#base/frames.ts';
import type { Frame } from '#base/frames.ts';
import { limits } from '#base/limits.ts';
import { controlConnection, hostConnection } from './connection.ts';
import type { ChannelEvents, ControlConnection, FrameChannel, LinkDialer, LinkServer } from './types.ts';

/**
 * Listens on `path` with this mode; a socket that nobody listens on is replaced. Throws Fault Unavailable when another process listens
 * there, or the directory can't be written.
 */
export async function listenUnix(path: string, clock: Clock, options: { mode: number }): Promise<LinkServer> {
  await removeStale(path);
  const open = new Set<ControlConnection>();
  const early: ControlConnection[] = [];
  let accept: ((connection: ControlConnection) => void) | null = null;
  const server = createServer((socket) => {
    const connection = controlConnection(socketChannel(socket, clock), clock);
    open.add(connection);
    connection.onClose(() => open.delete(connection));
    if (accept === null) early.push(connection);
    else accept(connection);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Fault('Unavailable', `can't listen on ${path}: ${error.message}`, { cause: error })));
    server.listen(path, resolve);
  });
  await chmod(path, options.mode);
  return {
    onConnection(fn) {
      accept = fn;
      for (const connection of early.splice(0)) fn(connection);
    },
    close() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      for (const connection of open) connection.close('the control plane ends');
      return closed;
    },
  };
}

export function unixDialer(path: string, clock: Clock): LinkDialer {
  return {
    async dial() {
      return hostConnection(socketChannel(await connected(path), clock), clock);
    },
  };
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) => reject(new Fault('Unavailable', `nobody answers on ${path}: ${error.message}`, { cause: error })));
  });
}

async function removeStale(path: string): Promise<void> {
  const alive = await connected(path).catch(() => null);
  if (alive !== null) {
    alive.destroy();
    throw new Fault('Unavailable', `another control plane listens on ${path} already`);
  }
  await unlink(path).catch(() => {}); // not there, or listen() will say why
}

/** Frames over a connected socket. */
export function socketChannel(socket: Socket, clock: Clock): FrameChannel {
  const reader = new FrameReader();
  const early: Frame[] = [];
  let events: ChannelEvents | null = null;
  let reason: string | null = null;
  let queued = 0;
  let corked = false;
  const written = () => {
    if (--queued === 0) events?.drained();
  };
  const close = (why: string) => {
    if (reason !== null) return;
    reason = why;
    // What was written before (a refusal, an answer) still goes out, but a peer that does not read must not keep us.
    const timer = clock.after(limits.linkLingerMs, () => socket.destroy());
    socket.end(() => {
      timer.cancel();
      socket.destroy();
    });
    events?.closed(why);
  };
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const frame of reader.push(chunk)) {
        if (events === null) early.push(frame);
        else if (reason === null) events.frame(frame);
      }
    } catch (error) {
      close(asFault(error).message);
    }
  });
  socket.on('error', (error) => close(error.message));
  socket.on('close', () => close('the peer closed the connection'));
  return {
    send(frame) {
      if (reason !== null) return;
      queued++;
      // What is sent in one turn of the event loop goes out in one system call: a burst is hundreds of small messages.
      if (!corked) {
        corked = true;
        socket.cork();
        process.nextTick(() => {
          corked = false;
          socket.uncork();
        });
      }
      socket.write(frame, written);
    },
    queued: () => queued,
    listen(given) {
      events = given;
      for (const frame of early.splice(0)) given.frame(frame);
      if (reason !== null) given.closed(reason);
    },
    close,
  };
}
