/** Asks the machine's own resolvers: queries go on as they came, but for their id. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { Random } from '#base/random.ts';
import { readMessages, withLength } from './dns-stream.ts';

export type Upstream = { address: string; port: number };

/** How long one upstream has to answer, and how many of them are asked for one query. */
const UPSTREAM_TIMEOUT_MS = 2_000;
const UPSTREAMS_PER_QUERY = 3;
const DNS_PORT = 53;

/** The nameservers of a resolv.conf (resolv.conf(5)), at most three as in the C library. */
export function parseResolvConf(text: string): Upstream[] {
  const found: Upstream[] = [];
  for (const line of text.split('\n')) {
    const [keyword, address] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && address !== undefined) found.push({ address, port: DNS_PORT });
  }
  return found.slice(0, UPSTREAMS_PER_QUERY);
}

export type UpstreamDeps = { clock: Clock; random: Random };

/** The first upstream's answer, with the query's own id. Throws Unavailable when none answers in its time. */
export async function askUpstreams(deps: UpstreamDeps, upstreams: Upstream[], protocol: 'udp' | 'tcp', query: Buffer): Promise<Buffer> {
  const ask = protocol === 'udp' ? askByUdp : askByTcp;
  for (const upstream of upstreams.slice(0, UPSTREAMS_PER_QUERY)) {
    const id = Buffer.from(deps.random.bytes(2));
    const answer = await ask(deps.clock, upstream, Buffer.concat([id, query.subarray(2)]), id);
    if (answer !== undefined) return Buffer.concat([query.subarray(0, 2), answer.subarray(2)]);
  }
  throw new Fault('Unavailable', `None of the machine's ${upstreams.length} DNS servers answers.`);
}

function isAnswer(message: Buffer, id: Buffer): boolean {
  return message.length >= 12 && message.subarray(0, 2).equals(id) && ((message[2] ?? 0) & 0x80) !== 0;
}

/** A socket of its own for each query: its port is one more thing that a forger would have to guess. */
function askByUdp(clock: Clock, upstream: Upstream, query: Buffer, id: Buffer): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(upstream.address.includes(':') ? 'udp6' : 'udp4');
    let open = true;
    const done = (answer: Buffer | undefined) => {
      if (!open) return;
      open = false;
      timer.cancel();
      socket.close();
      resolve(answer);
    };
    const timer = clock.after(UPSTREAM_TIMEOUT_MS, () => done(undefined));
    socket.on('error', () => done(undefined));
    socket.on('message', (message) => {
      if (isAnswer(message, id)) done(message);
    });
    // Connected, so that the kernel lets nobody else's packets through and tells of a closed port.
    socket.connect(upstream.port, upstream.address, () => {
      if (open) socket.send(query);
    });
  });
}

function askByTcp(clock: Clock, upstream: Upstream, query: Buffer, id: Buffer): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect(upstream.port, upstream.address);
    const done = (answer: Buffer | undefined) => {
      timer.cancel();
      socket.destroy();
      resolve(answer);
    };
    const timer = clock.after(UPSTREAM_TIMEOUT_MS, () => done(undefined));
    socket.on('error', () => done(undefined));
    socket.on('close', () => done(undefined));
    readMessages(socket, (message) => {
      if (isAnswer(message, id)) done(message);
    });
    socket.write(withLength(query));
  });
}
