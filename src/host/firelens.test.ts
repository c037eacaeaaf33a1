import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { decodeMultiStream, encode, ExtData } from '@msgpack/msgpack';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import type { ContainerSpec, FirelensSpec, FirelensTarget } from '#domain/task-spec.ts';
import { freePort } from '#base/testing.ts';
import { routerConfig, secretVariables } from './firelens-config.ts';
import { createFirelensSink } from './firelens-sink.ts';
import { containerSpec } from './testing.ts';

const key = { account: '1', region: 'eu-north-1', cluster: 'blue', id: 'f00' };
const delivery = { mode: 'non-blocking' as const, bufferBytes: 1024 };
const logged = (name: string, options: Record<string, string>): ContainerSpec => ({
  ...containerSpec({ name }),
  log: { driver: 'awsfirelens', router: 'router', options, delivery },
});

test('a configuration for Fluent Bit as the ECS agent makes it', () => {
  const firelens: FirelensSpec = { type: 'fluentbit', metadata: true, include: '/extra.conf' };
  const app = logged('app', { Name: 'http', Host: 'sink', 'exclude-pattern': '^debug', 'log-driver-buffer-limit': '100' });
  assert.equal(
    routerConfig(firelens, 'router', [app, logged('quiet', {})], { key, definition: 'web:3' }),
    `[INPUT]
    Name forward
    unix_path /var/run/fluent.sock

[INPUT]
    Name forward
    Listen 0.0.0.0
    Port 24224

[INPUT]
    Name tcp
    Tag firelens-healthcheck
    Listen 127.0.0.1
    Port 8877

[FILTER]
    Name grep
    Match app-firelens*
    Exclude log ^debug

[FILTER]
    Name record_modifier
    Match *
    Record ecs_cluster blue
    Record ecs_task_arn arn:aws:ecs:eu-north-1:1:task/blue/f00
    Record ecs_task_definition web:3

@INCLUDE /extra.conf

[OUTPUT]
    Name null
    Match firelens-healthcheck

[OUTPUT]
    Name http
    Match app-firelens*
    Host sink
`,
  );
});

test('a configuration for Fluentd', () => {
  const firelens: FirelensSpec = { type: 'fluentd', metadata: false, include: null };
  assert.equal(
    routerConfig(firelens, 'router', [logged('app', { '@type': 'stdout', 'include-pattern': 'x' })], { key, definition: 'web:3' }),
    `<source>
    @type unix
    path /var/run/fluent.sock
</source>

<source>
    @type forward
    bind 0.0.0.0
    port 24224
</source>

<filter app-firelens**>
    @type grep
    <regexp>
        key log
        pattern x
    </regexp>
</filter>

<match app-firelens**>
    @type stdout
</match>
`,
  );
});

test('records reach the router once it listens, and a batch that it did not acknowledge comes again', async () => {
  const seen: unknown[] = [];
  const server = createServer((socket) => {
    void (async () => {
      for await (const message of decodeMultiStream(socket)) {
        seen.push(message);
        // The first is heard and lost.
        if (seen.length === 1) return void socket.destroy();
        const [, , option] = message as [string, unknown, { chunk: string }];
        socket.write(encode({ ack: option.chunk }));
      }
    })().catch(() => {});
  });
  // Nobody listens there yet.
  const port = await freePort();
  const done = Promise.withResolvers<number>();
  const source = { tag: 'app-firelens-f00', containerId: 'abc', containerName: 'app' };
  const sink = createFirelensSink({ clock: realClock(), log: silentLog }, { host: '127.0.0.1', port }, source, done.resolve);
  const event = { container: 'app', source: 'stderr' as const, time: 1_700_000_000_123, text: 'hello', end: 28 };
  sink.send({ key, lane: 1, from: 0, to: 28, events: [event] });
  await new Promise((resolve) => setTimeout(resolve, 30));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  try {
    assert.equal(await done.promise, 28);
    assert.equal(seen.length, 2);
    const [tag, entries] = seen[1] as [string, [ExtData, unknown][]];
    assert.equal(tag, 'app-firelens-f00');
    const [[time, record] = []] = entries;
    assert.deepEqual(record, { container_id: 'abc', container_name: '/app', source: 'stderr', log: 'hello' });
    assert.ok(time instanceof ExtData);
    const at = Buffer.from(time.data as Uint8Array);
    assert.deepEqual([time.type, at.readUInt32BE(0), at.readUInt32BE(4)], [0, 1_700_000_000, 123_000_000]);
  } finally {
    sink.close();
    server.close();
  }
});

test('a secret option is a variable of the router, whatever its kind', () => {
  const app = logged('my-app', { Name: 'http', '@type': 'http', Host: 'sink' });
  const log = { ...(app.log as FirelensTarget), secretOptions: [{ name: 'api-key', valueFrom: 'x' }] };
  const configOf = (type: FirelensSpec['type']) =>
    routerConfig({ type, metadata: false, include: null }, 'router', [{ ...app, log }], { key, definition: 'web:3' });
  assert.match(configOf('fluentbit'), /^ {4}api-key \$\{BERTH_LOG_my_app_api_key\}$/m);
  assert.match(configOf('fluentd'), /^ {4}api-key "#\{ENV\['BERTH_LOG_my_app_api_key'\]\}"$/m);
  assert.deepEqual(secretVariables('my-app', { 'api-key': 'v' }), { BERTH_LOG_my_app_api_key: 'v' });
});
