/** The DNS server of a host's tasks: on each uplink's host address, UDP and TCP. Knows berth's own names, and asks the machine's resolvers for the rest. */
import { createSocket } from 'node:dgram';
import type { Socket as DatagramSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import dnsPacket from 'dns-packet';
import type { Packet } from 'dns-packet';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { failure, namesOf, ownAnswer } from './dns-answers.ts';
import { readMessages, withLength } from './dns-stream.ts';
import { askUpstreams, parseResolvConf } from './dns-upstream.ts';
import type { Upstream } from './dns-upstream.ts';

const HEADER_BYTES = 12;
const IDLE_MS = 10_000;
const UNREAD_BYTES = 256 * 1024;
/** How old a reading of resolv.conf may be. */
const UPSTREAMS_AGE_MS = 5_000;
const RESOLV_CONF = '/etc/resolv.conf';

export type ResolverDeps = { clock: Clock; random: Random; log: Log };

export type ResolverOptions = {
  /** On every address that it listens on; 0 lets the kernel choose. */
  port: number;
  /** The resolvers for all other names; without it those of the machine's resolv.conf, read again now and then. */
  upstreams?: () => Upstream[];
};

export type Resolver = {
  /** Idempotent; resolves once both protocols are served, with their port. Throws Unavailable when the address can't be used. */
  listen(address: string): Promise<number>;
  /** Replaces all names: `NAME` or `NAME.berth.internal` -> addresses. */
  setNames(names: Record<string, readonly string[]>): void;
  close(): Promise<void>;
};

type Protocol = 'udp' | 'tcp';

export function createResolver(deps: ResolverDeps, options: ResolverOptions): Resolver {
  let names = namesOf({});
  const listeners = new Map<string, Promise<Listener>>();
  const upstreams = options.upstreams ?? machineUpstreams(deps.clock);
  const slots = createQuerySlots();
  const isOwn = (upstream: Upstream) => upstream.port === options.port && listeners.has(upstream.address);

  const forward = async (query: Buffer, packet: Packet, protocol: Protocol, client: string): Promise<Buffer> => {
    if (!slots.take(client)) return failure(packet, 'SERVFAIL');
    try {
      const others = upstreams().filter((upstream) => !isOwn(upstream));
      return await askUpstreams(deps, others, protocol, query);
    } catch (error) {
      deps.log.debug('dns.upstream', { name: packet.questions?.[0]?.name ?? '', reason: asFault(error).message });
      return failure(packet, 'SERVFAIL');
    } finally {
      slots.give(client);
    }
  };

  /** The answer to a message; undefined for what deserves none. */
  const respond = async (query: Buffer, protocol: Protocol, client: string): Promise<Buffer | undefined> => {
    const packet = decodeQuery(query);
    if (packet === undefined) return undefined;
    if (packet.opcode !== 'QUERY') return failure(packet, 'NOTIMP');
    if (packet.questions?.length !== 1) return failure({ ...packet, questions: [] }, 'FORMERR');
    try {
      return ownAnswer(packet, names, deps.random.fraction()) ?? (await forward(query, packet, protocol, client));
    } catch {
      // A name that can be read but not written again.
      return failure({ ...packet, questions: [] }, 'FORMERR');
    }
  };

  return {
    async listen(address) {
      const known = listeners.get(address);
      if (known !== undefined) return (await known).port;
      const made = openListener(address, options.port, respond);
      listeners.set(address, made);
      try {
        return (await made).port;
      } catch (error) {
        listeners.delete(address);
        throw new Fault('Unavailable', `The resolver can't listen on ${address} port ${options.port}: ${asFault(error).message}`, {
          cause: error,
        });
      }
    },
    setNames(next) {
      names = namesOf(next);
    },
    async close() {
      const open = [...listeners.values()];
      listeners.clear();
      for (const listener of open) (await listener.catch(() => undefined))?.close();
    },
  };
}

/** Undefined for answers and for what is too short to be told so; what can't be read otherwise comes back without questions. */
function decodeQuery(message: Buffer): Packet | undefined {
  if (message.length < HEADER_BYTES || (message.readUInt8(2) & 0x80) !== 0) return undefined;
  try {
    return dnsPacket.decode(message);
  } catch {
    return { id: message.readUInt16BE(0), opcode: 'QUERY', questions: [] };
  }
}

/** Bounds the queries under way, so that one task can't take them all. */
function createQuerySlots(): { take(client: string): boolean; give(client: string): void } {
  const byClient = new Map<string, number>();
  let all = 0;
  return {
    take(client) {
      const own = byClient.get(client) ?? 0;
      if (all >= limits.dnsQueries || own >= limits.dnsQueriesPerTask) return false;
      byClient.set(client, own + 1);
      all++;
      return true;
    },
    give(client) {
      const own = (byClient.get(client) ?? 1) - 1;
      if (own === 0) byClient.delete(client);
      else byClient.set(client, own);
      all--;
    },
  };
}

function machineUpstreams(clock: Clock): () => Upstream[] {
  let known: Upstream[] = [];
  let readAt = -Infinity;
  return () => {
    if (clock.now() - readAt >= UPSTREAMS_AGE_MS) {
      known = parseResolvConf(readFileSync(RESOLV_CONF, 'utf8'));
      readAt = clock.now();
    }
    return known;
  };
}

type Listener = { port: number; close(): void };
type Respond = (query: Buffer, protocol: Protocol, client: string) => Promise<Buffer | undefined>;

/** The kernel chooses a port for one protocol only: with port 0 the other may find it taken, and both are tried anew. */
async function openListener(address: string, port: number, respond: Respond): Promise<Listener> {
  for (let attempt = 0; ; attempt++) {
    const tcp = createServer();
    await listening(tcp, () => tcp.listen(port, address));
    const bound = tcp.address();
    const chosen = typeof bound === 'object' && bound !== null ? bound.port : port;
    const udp = createSocket('udp4');
    try {
      await listening(udp, () => udp.bind(chosen, address));
    } catch (error) {
      tcp.close();
      udp.close();
      if (port === 0 && attempt < 10) continue;
      throw error;
    }
    return serve(udp, tcp, chosen, respond);
  }
}

function listening(socket: DatagramSocket | Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('listening', () => {
      socket.removeListener('error', reject);
      resolve();
    });
    start();
  });
}

function serve(udp: DatagramSocket, tcp: Server, port: number, respond: Respond): Listener {
  const connections = new Set<Socket>();
  let open = true;
  udp.on('message', (query, client) => {
    void respond(query, 'udp', client.address).then((answer) => {
      // An answer that can't be sent is lost, as any datagram may be.
      if (answer !== undefined && open) udp.send(answer, client.port, client.address, () => undefined);
    });
  });
  udp.on('error', () => undefined);
  tcp.on('error', () => undefined);
  tcp.on('connection', (socket) => {
    const [oldest] = connections;
    if (connections.size >= limits.dnsConnections && oldest !== undefined) oldest.destroy();
    connections.add(socket);
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on('close', () => connections.delete(socket));
    socket.on('error', () => socket.destroy());
    const client = socket.remoteAddress ?? '';
    readMessages(socket, (query) => {
      void respond(query, 'tcp', client).then((answer) => {
        if (answer === undefined || socket.destroyed) return;
        // A client that asks without reading holds no more than this.
        if (socket.writableLength > UNREAD_BYTES) socket.destroy();
        else socket.write(withLength(answer));
      });
    });
  });
  return {
    port,
    close() {
      open = false;
      udp.close();
      tcp.close();
      for (const socket of connections) socket.destroy();
    },
  };
}
