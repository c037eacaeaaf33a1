/** WebSockets (RFC 6455) of the data channel, by ws: loaded at the first session. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { MessageSocket } from './channel.ts';

/** A peer that says nothing for long and answers no ping is gone: the socket then closes. One whose terminal stands still reads no pings either. */
export async function acceptSocket(clock: Clock, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<MessageSocket> {
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({ noServer: true, maxPayload: limits.execMessageBytes, perMessageDeflate: false });
  return await new Promise((resolve) => {
    server.handleUpgrade(request, socket, head, (made) => {
      let heardAt = clock.now();
      const heard = () => void (heardAt = clock.now());
      const ping = () => {
        // Nobody is heard who isn't listened to: how long that may go on is the session's to say.
        if (made.isPaused) heard();
        if (clock.now() - heardAt >= limits.execLostMs) return made.terminate();
        made.ping();
        timer = clock.after(limits.execPingMs, ping);
      };
      let timer = clock.after(limits.execPingMs, ping);
      made.on('pong', heard);
      made.on('message', heard);
      made.on('error', () => made.terminate());
      made.on('close', () => timer.cancel());
      resolve({
        send: (data) => made.send(data),
        hasLeft: () => made.bufferedAmount === 0,
        pause: () => made.pause(),
        resume: () => made.resume(),
        close: (code, reason) => made.close(code, reason),
        onMessage: (fn) => void made.on('message', fn),
        onClose: (fn) => void made.on('close', fn),
      });
    });
  });
}
