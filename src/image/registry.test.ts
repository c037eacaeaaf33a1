import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { failure, makeStore } from '../../test/image/fixtures.ts';
import { parseChallenges } from './authorize.ts';
import { platformMatches, type Descriptor } from './manifest.ts';

describe('a challenge', () => {
  it('is taken apart whatever its order, quotes and number', () => {
    assert.deepEqual(parseChallenges('Bearer realm="https://a/token",service="s",scope="repository:x/y:pull,push"'), [
      { scheme: 'bearer', params: { realm: 'https://a/token', service: 's', scope: 'repository:x/y:pull,push' } },
    ]);
    assert.deepEqual(parseChallenges('Basic realm="a \\"b\\""'), [{ scheme: 'basic', params: { realm: 'a "b"' } }]);
    assert.deepEqual(
      parseChallenges('Negotiate, Basic realm=x, Bearer Realm = "r"').map((c) => [c.scheme, c.params['realm']]),
      [
        ['negotiate', undefined],
        ['basic', 'x'],
        ['bearer', 'r'],
      ],
    );
    assert.deepEqual(parseChallenges(''), []);
  });
});

describe('a platform', () => {
  it('is matched exactly first; attestations never are', () => {
    const entry = (arch: string | null, variant = '', annotations: Record<string, string> = {}): Descriptor => ({
      mediaType: '',
      digest: `${arch}/${variant}`,
      size: 1,
      urls: [],
      data: null,
      annotations,
      platform: arch === null ? null : { os: 'linux', arch, variant },
    });
    const list = [
      entry(null),
      entry('unknown'),
      entry('arm64', 'v8'),
      entry('amd64', 'v3'),
      entry('amd64'),
      entry(null, '', { 'vnd.docker.reference.type': 'attestation-manifest' }),
    ];
    assert.deepEqual(
      platformMatches(list, { os: 'linux', arch: 'amd64' }).map((d) => d.digest),
      ['amd64/', 'null/'],
    );
    assert.deepEqual(
      platformMatches(list, { os: 'linux', arch: 'arm64' }).map((d) => d.digest),
      ['arm64/v8', 'null/'],
    );
  });
});

describe('a registry that takes the connection and says nothing', () => {
  it('is given up on within the time that a person waits', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'berth-silent-'));
    const sockets = new Set<Socket>();
    const server = createServer((socket) => void sockets.add(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const clock = virtualClock();
    const { images } = await makeStore(dir, { clock });
    try {
      const asked = once(server, 'connection');
      const ended = failure(
        images.prepare(`127.0.0.1:${(server.address() as AddressInfo).port}/app`, { taskId: null, check: 'if-missing' }),
      );
      await asked;
      await clock.advance(15_000);
      assert.match(
        (await ended).message,
        /^CannotPullContainerError: pull image manifest has been retried \d time\(s\): failed to resolve ref .*(timeout|no answer within)/,
      );
    } finally {
      await images.close();
      sockets.forEach((socket) => socket.destroy());
      server.close();
      await rm(dir, { recursive: true, force: true });
    }
  });
});
