import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import type { SplunkTarget } from '#domain/task-spec.ts';
import type { OutputBatch } from '#link/protocol.ts';
import { containerSpec } from './testing.ts';
import { createSplunkSink, verifySplunk } from './splunk-sink.ts';

type Call = { method: string; path: string; token: string; body: string };

/** A collector; `answers`: status of each call in turn, 200 behind the last. */
async function collector(answers: number[]) {
  const calls: Call[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const bytes = Buffer.concat(parts);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes).toString() : bytes.toString();
      calls.push({ method: request.method ?? '', path: request.url ?? '', token: request.headers.authorization ?? '', body });
      response.writeHead(answers.shift() ?? 200).end('{"text":"Success","code":0}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { calls, url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}

const batch: OutputBatch = {
  key: { account: '1', region: 'r', cluster: 'c', id: 't' },
  lane: 1,
  from: 0,
  to: 90,
  events: [
    { container: 'app', source: 'stdout', time: 1_700_000_000_123, text: 'plain', end: 30 },
    { container: 'app', source: 'stderr', time: 1_700_000_000_124, text: '{"a":1}', end: 60 },
    { container: 'app', source: 'stdout', time: 1_700_000_000_125, text: '   ', end: 90 },
  ],
};
const source = { container: containerSpec({ name: 'app' }), runtimeId: 'a'.repeat(32), hostname: 'ip-10-0-0-1' };
const targetOf = (url: string, options: Record<string, string> = {}): SplunkTarget => ({
  driver: 'splunk',
  options: { 'splunk-url': url, 'splunk-token': 'secret', ...options },
  delivery: { mode: 'non-blocking', bufferBytes: 1024 },
});

/** Sends the batch and waits until it is acknowledged. */
async function deliver(target: SplunkTarget): Promise<number> {
  const done = Promise.withResolvers<number>();
  const sink = createSplunkSink({ clock: realClock(), log: silentLog }, target, source, done.resolve);
  assert.equal(sink.send(batch), true);
  // The same again is the one that is under way.
  assert.equal(sink.send(batch), true);
  const to = await done.promise;
  sink.close();
  return to;
}

test('events go to the collector as Docker sends them, and what is away is tried again', async () => {
  const hec = await collector([503, 401]);
  try {
    const to = await deliver(targetOf(hec.url, { tag: '{{.Name}}/{{.ID}}', 'splunk-index': 'main', 'splunk-format': 'json' }));
    assert.equal(to, 90);
    assert.deepEqual(
      hec.calls.map(({ method, path, token }) => [method, path, token]),
      Array.from({ length: 3 }, () => ['POST', '/services/collector/event/1.0', 'Splunk secret']),
    );
    const tag = 'app/aaaaaaaaaaaa';
    const expected = [
      { event: { line: 'plain', source: 'stdout', tag }, time: '1700000000.123000', host: 'ip-10-0-0-1', index: 'main' },
      { event: { line: { a: 1 }, source: 'stderr', tag }, time: '1700000000.124000', host: 'ip-10-0-0-1', index: 'main' },
    ];
    assert.equal(hec.calls[2]?.body, expected.map((event) => JSON.stringify(event)).join(''));
  } finally {
    hec.stop();
  }
});

test('compressed, raw, to a path of its own; what will never be taken is given up', async () => {
  const hec = await collector([]);
  const never = await collector([413]);
  try {
    const raw = { 'splunk-gzip': 'true', 'splunk-gzip-level': '1', 'splunk-format': 'raw', tag: 't' };
    await deliver(targetOf(`${hec.url}/own/path`, raw));
    assert.equal(hec.calls[0]?.path, '/own/path');
    assert.match(hec.calls[0]?.body ?? '', /^\{"event":"t plain",.*\}\{"event":"t \{\\"a\\":1\}"/);
    assert.equal(await deliver(targetOf(never.url)), 90);
    assert.equal(never.calls.length, 1);
  } finally {
    hec.stop();
    never.stop();
  }
});

test('labels and variables are attributes, by name and by expression', async () => {
  const hec = await collector([]);
  try {
    const container = containerSpec({
      name: 'app',
      labels: { team: 'red', 'org.a': '1', other: '2' },
      environment: { STAGE: 'test', X_A: '1', X: '2' },
    });
    const target = targetOf(hec.url, { tag: '', labels: 'team, gone', 'labels-regex': '^org', env: 'STAGE', 'env-regex': '_A$' });
    const done = Promise.withResolvers<number>();
    const sink = createSplunkSink({ clock: realClock(), log: silentLog }, target, { ...source, container }, done.resolve);
    sink.send(batch);
    await done.promise;
    sink.close();
    const [first] = (hec.calls[0]?.body ?? '').split('}{');
    const attrs = { team: 'red', 'org.a': '1', STAGE: 'test', X_A: '1' };
    assert.ok(first?.includes(`"attrs":${JSON.stringify(attrs)}`), first ?? 'nothing came');
  } finally {
    hec.stop();
  }
});

test('a connection that is to be verified is', async () => {
  const hec = await collector([200, 403]);
  try {
    await verifySplunk(targetOf(hec.url), source);
    await assert.rejects(verifySplunk(targetOf(hec.url), source), /failed to verify connection - 403 Forbidden/);
    assert.equal(hec.calls[0]?.method, 'OPTIONS');
  } finally {
    hec.stop();
  }
});
