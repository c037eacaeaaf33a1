import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import type { Socket as DatagramSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import dnsPacket from 'dns-packet';
import type { Packet } from 'dns-packet';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { seededRandom } from '#base/random.ts';
import { readMessages, withLength } from './dns-stream.ts';
import { parseResolvConf } from './dns-upstream.ts';
import type { Upstream } from './dns-upstream.ts';
import { createResolver } from './resolver.ts';

const deps = { clock: realClock(), random: seededRandom(1), log: silentLog };

async function startResolver(t: TestContext, upstreams: Upstream[] = []) {
  const resolver = createResolver(deps, { port: 0, upstreams: () => upstreams });
  t.after(() => resolver.close());
  const port = await resolver.listen('127.0.0.1');
  return { resolver, port };
}

function query(name: string, type = 'A', id = 7): Buffer {
  return dnsPacket.encode({ id, type: 'query', flags: dnsPacket.RECURSION_DESIRED, questions: [{ name, type }] });
}

async function exchange(port: number, message: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4');
  try {
    socket.send(message, port, '127.0.0.1');
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
    return answer;
  } finally {
    socket.close();
  }
}

async function exchangeTcp(port: number, messages: Buffer[]): Promise<Packet[]> {
  const socket = connect(port, '127.0.0.1');
  try {
    const answers: Packet[] = [];
    const all = new Promise<void>((resolve) => {
      readMessages(socket, (message) => {
        answers.push(dnsPacket.decode(message));
        if (answers.length === messages.length) resolve();
      });
    });
    const bytes = Buffer.concat(messages.map(withLength));
    // In two pieces, cut in the middle of a message.
    socket.write(bytes.subarray(0, 9));
    socket.write(bytes.subarray(9));
    await all;
    return answers;
  } finally {
    socket.destroy();
  }
}

const ask = async (port: number, name: string, type?: string) => dnsPacket.decode(await exchange(port, query(name, type)));
const addresses = (packet: Packet) => (packet.answers ?? []).flatMap((answer) => (answer.type === 'A' ? [answer.data] : [])).toSorted();
const rcode = (packet: Packet) => packet.rcode;

/** The kernel chooses the port for TCP; for UDP it may be somebody else's, and then another one is tried. */
async function bindBoth(tcp: Server, udp: DatagramSocket): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    try {
      udp.bind(port, '127.0.0.1');
      await once(udp, 'listening');
      return port;
    } catch (error) {
      if (attempt === 10) throw error;
      tcp.close();
      await once(tcp, 'close');
    }
  }
}

/** A DNS server that tells what it was asked, on UDP and TCP. */
async function startUpstream(t: TestContext, answer: (packet: Packet) => Packet | undefined) {
  const asked: { id: number; name: string }[] = [];
  const respond = (message: Buffer): Buffer | undefined => {
    const packet = dnsPacket.decode(message);
    asked.push({ id: packet.id ?? 0, name: packet.questions?.[0]?.name ?? '' });
    const response = answer(packet);
    return response && dnsPacket.encode({ type: 'response', id: packet.id ?? 0, questions: packet.questions ?? [], ...response });
  };
  const udp = createSocket('udp4');
  const tcp = createServer((socket) => {
    readMessages(socket, (message) => {
      const response = respond(message);
      if (response !== undefined) socket.end(withLength(response));
    });
  });
  udp.on('message', (message, from) => {
    const response = respond(message);
    if (response !== undefined) udp.send(response, from.port, from.address);
  });
  // Before anything is opened: what stays open would keep the whole process from ending.
  t.after(() => {
    udp.close();
    tcp.close();
  });
  const port = await bindBoth(tcp, udp);
  return { asked, upstream: { address: '127.0.0.1', port } };
}

const found =
  (data: string) =>
  (packet: Packet): Packet => ({
    answers: [{ name: packet.questions?.[0]?.name ?? '', type: 'A', ttl: 60, data }],
  });

test('names of berth are answered, in any case, whole or short, and can be replaced', async (t) => {
  const { resolver, port } = await startResolver(t);
  resolver.setNames({ web: ['10.64.0.4', '10.64.0.5'], 'api.berth.internal': ['10.64.0.6'], down: [] });
  const web = await ask(port, 'WEB.berth.Internal');
  assert.deepEqual(addresses(web), ['10.64.0.4', '10.64.0.5']);
  assert.equal(web.questions?.[0]?.name, 'WEB.berth.Internal');
  assert.ok((web.answers ?? []).every((answer) => answer.ttl >= 1 && answer.ttl <= 5));
  assert.deepEqual(addresses(await ask(port, 'api.berth.internal')), ['10.64.0.6']);
  resolver.setNames({ web: ['10.64.0.9'] });
  assert.deepEqual(addresses(await ask(port, 'web.berth.internal')), ['10.64.0.9']);
  assert.equal(rcode(await ask(port, 'api.berth.internal')), 'NXDOMAIN');
});

test('inside the zone there is always an answer: none of another type, and NXDOMAIN for unknown names', async (t) => {
  const { resolver, port } = await startResolver(t);
  resolver.setNames({ web: ['10.64.0.4'], down: [] });
  for (const [name, type, code] of [
    ['web.berth.internal', 'AAAA', 'NOERROR'],
    ['down.berth.internal', 'A', 'NOERROR'],
    ['berth.internal', 'A', 'NOERROR'],
    ['nobody.berth.internal', 'A', 'NXDOMAIN'],
    ['a.web.berth.internal', 'A', 'NXDOMAIN'],
  ] as const) {
    const packet = await ask(port, name, type);
    assert.equal(rcode(packet), code, name);
    assert.deepEqual(packet.answers, [], name);
    assert.equal(packet.authorities?.[0]?.type, 'SOA', name);
  }
});

test('private names of addresses are their addresses', async (t) => {
  const { port } = await startResolver(t);
  assert.deepEqual(addresses(await ask(port, 'ip-10-0-1-2.eu-west-1.compute.internal')), ['10.0.1.2']);
  assert.deepEqual(addresses(await ask(port, 'ip-172-31-16-9.ec2.internal')), ['172.31.16.9']);
});

test('many addresses fit a datagram, and the first one changes', async (t) => {
  const { resolver, port } = await startResolver(t);
  const all = Array.from({ length: 40 }, (_, i) => `10.64.0.${i}`);
  resolver.setNames({ web: all });
  const firsts = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const answer = await exchange(port, query('web.berth.internal'));
    assert.ok(answer.length <= 512);
    const [first] = dnsPacket.decode(answer).answers ?? [];
    if (first?.type === 'A') firsts.add(first.data);
  }
  assert.ok(firsts.size > 3);
});

test('all other names go to the upstreams, by UDP and TCP, with another id', async (t) => {
  const { asked, upstream } = await startUpstream(t, found('198.51.100.7'));
  const { port } = await startResolver(t, [upstream]);
  const answer = await exchange(port, query('example.com', 'A', 0xbeef));
  assert.equal(answer.readUInt16BE(0), 0xbeef);
  assert.deepEqual(addresses(dnsPacket.decode(answer)), ['198.51.100.7']);
  const answers = await exchangeTcp(port, [query('example.org', 'A', 1), query('web.berth.internal', 'A', 2)]);
  assert.deepEqual(answers.map((packet) => [packet.id, packet.rcode]).toSorted(), [
    [1, 'NOERROR'],
    [2, 'NXDOMAIN'],
  ]);
  assert.deepEqual(asked.map((one) => one.name).toSorted(), ['example.com', 'example.org']);
  assert.ok(asked.every((one) => one.id !== 0xbeef));
});

test('a dead upstream is passed over, and with none left the answer is SERVFAIL', async (t) => {
  const { upstream } = await startUpstream(t, found('198.51.100.7'));
  const silent = await startUpstream(t, () => undefined);
  const closed = createSocket('udp4').bind(0, '127.0.0.1');
  await once(closed, 'listening');
  const dead = { address: '127.0.0.1', port: closed.address().port };
  closed.close();
  await once(closed, 'close');
  const first = await startResolver(t, [dead, silent.upstream, upstream]);
  assert.deepEqual(addresses(await ask(first.port, 'example.com')), ['198.51.100.7']);
  const second = await startResolver(t, [dead]);
  assert.equal(rcode(await ask(second.port, 'example.com')), 'SERVFAIL');
  const third = await startResolver(t, []);
  assert.equal(rcode(await ask(third.port, 'example.com')), 'SERVFAIL');
});

test('a forged answer with another id is not taken', async (t) => {
  const udp = createSocket('udp4');
  udp.on('message', (message, from) => {
    const packet = dnsPacket.decode(message);
    for (const [id, data] of [
      [((packet.id ?? 0) + 1) & 0xffff, '203.0.113.66'],
      [packet.id ?? 0, '198.51.100.7'],
    ] as const) {
      udp.send(
        dnsPacket.encode({ type: 'response', id, questions: packet.questions ?? [], ...found(data)(packet) }),
        from.port,
        from.address,
      );
    }
  });
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  t.after(() => udp.close());
  const { port } = await startResolver(t, [{ address: '127.0.0.1', port: udp.address().port }]);
  assert.deepEqual(addresses(await ask(port, 'example.com')), ['198.51.100.7']);
});

test('one task cannot take all the places', async (t) => {
  const { asked, upstream } = await startUpstream(t, () => undefined);
  const { port } = await startResolver(t, [upstream]);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  const refused = new Promise<Packet>((resolve) => socket.on('message', (message) => resolve(dnsPacket.decode(message))));
  for (let i = 0; i < 160; i++) socket.send(query(`n${i}.example.com`, 'A', i), port, '127.0.0.1');
  assert.equal(rcode(await refused), 'SERVFAIL');
  assert.ok(asked.length <= 128);
});

test('what is no query is refused or dropped, and the server goes on', async (t) => {
  const { resolver, port } = await startResolver(t);
  resolver.setNames({ web: ['10.64.0.4'] });
  const garbage = Buffer.concat([query('web.berth.internal').subarray(0, 12), Buffer.from([0xff, 0xff, 0xff])]);
  assert.equal(rcode(dnsPacket.decode(await exchange(port, garbage))), 'FORMERR');
  const notify = query('web.berth.internal');
  notify.writeUInt8(0x20, 2);
  assert.equal(rcode(dnsPacket.decode(await exchange(port, notify))), 'NOTIMP');
  const socket = createSocket('udp4');
  for (const bytes of [Buffer.alloc(3), dnsPacket.encode({ type: 'response', questions: [] })]) socket.send(bytes, port, '127.0.0.1');
  socket.close();
  assert.deepEqual(addresses(await ask(port, 'web.berth.internal')), ['10.64.0.4']);
});

test('listening twice is once, and an address that is not there is a clear error', async (t) => {
  const { resolver, port } = await startResolver(t);
  assert.equal(await resolver.listen('127.0.0.1'), port);
  await assert.rejects(resolver.listen('198.51.100.1'), /can't listen on 198\.51\.100\.1/);
});

test('resolv.conf names the upstreams', () => {
  const text = '# comment\nsearch example.com\nnameserver 10.0.0.2\n nameserver  fd00::53\nnameserver\noptions edns0\n';
  assert.deepEqual(parseResolvConf(text), [
    { address: '10.0.0.2', port: 53 },
    { address: 'fd00::53', port: 53 },
  ]);
});
