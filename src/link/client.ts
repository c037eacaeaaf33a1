/** A host's side of the link's life: dial, say hello, be welcomed, and all of it again when the connection breaks. */
import type { Clock, Timer } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { FromControl, FromHost, HostConnection, LinkDialer } from './types.ts';

export type Hello = Extract<FromHost, { t: 'hello' }>;
export type Welcome = Extract<FromControl, { t: 'welcome' }>;

export type LinkClientEvents = {
  /** The first message of each connection. */
  hello(): Hello;
  /** Register handlers here, before the first call of the peer can arrive. */
  dialled?(connection: HostConnection): void;
  /** Welcomed: from now on messages arrive at `message` and may be sent. */
  up(connection: HostConnection, welcome: Welcome): void;
  message(message: FromControl): void;
  /** A connection that was up is gone; the next is being made. */
  down(reason: string): void;
};

export type LinkClient = {
  /** The connection while it is up. */
  current(): HostConnection | null;
  stop(): void;
};

/** Keeps a host connected until stopped. Waits between tries grow from limits.linkRetryMinMs to linkRetryMaxMs, with jitter. */
export function keepConnected(deps: { dialer: LinkDialer; clock: Clock; random: Random; log: Log }, events: LinkClientEvents): LinkClient {
  const { dialer, clock, random, log } = deps;
  let stopped = false;
  let failures = 0;
  let dialled: HostConnection | null = null;
  let up: HostConnection | null = null;
  let retry: Timer | null = null;

  const again = (reason: string) => {
    if (stopped) return;
    const ceiling = Math.min(limits.linkRetryMaxMs, limits.linkRetryMinMs * 2 ** Math.min(failures, 10));
    failures++;
    const waitMs = Math.ceil(ceiling * (0.5 + random.fraction() / 2));
    log.debug('link-retry', { reason, waitMs });
    retry = clock.after(waitMs, () => void attempt());
  };
  const attempt = async () => {
    try {
      const connection = await dialer.dial();
      if (stopped) return connection.close('the host ends');
      greet(connection);
    } catch (error) {
      again(asFault(error).message);
    }
  };
  const greet = (connection: HostConnection) => {
    dialled = connection;
    const timer = clock.after(limits.linkHandshakeMs, () => connection.close('the control plane did not answer the hello in time'));
    connection.onClose((reason) => {
      timer.cancel();
      const wasUp = up === connection;
      dialled = null;
      up = null;
      if (wasUp) events.down(reason);
      again(reason);
    });
    connection.onMessage((message) => {
      if (up === connection) {
        if (message.t !== 'welcome') events.message(message);
      } else if (message.t === 'welcome') {
        timer.cancel();
        failures = 0;
        up = connection;
        events.up(connection, message);
      } else if (message.t === 'refused') {
        log.error('link-refused', { reason: message.fault.message });
        failures = Number.MAX_SAFE_INTEGER;
        connection.close(message.fault.message);
      }
    });
    events.dialled?.(connection);
    connection.send(events.hello());
  };
  void attempt();
  return {
    current: () => up,
    stop() {
      stopped = true;
      retry?.cancel();
      dialled?.close('the host ends');
    },
  };
}
