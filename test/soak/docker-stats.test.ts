/**
 * The task's own stats as an official client of Docker reads them: what `GET $ECS_CONTAINER_METADATA_URI_V4/stats` answers inside a task is handed to the docker
 * command line by a stand-in for its engine, whose types decode it and whose sums are made of it. Needs a docker command line (BERTH_DOCKER, default: docker).
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { it } from 'node:test';
import { script } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';

const { platform, sdk, dir } = await platformFixture();
const DOCKER = process.env['BERTH_DOCKER'] ?? 'docker';
const KINDS = (process.env['BERTH_STATS_KINDS'] ?? 'container,gvisor,microvm').split(',');

type Shown = { ID: string; Name: string; CPUPerc: string; MemUsage: string; MemPerc: string; NetIO: string; PIDs: string };

for (const kind of KINDS) {
  it(`docker stats reads those of a ${kind}`, { timeout: 300_000 }, async () => {
    const ask = 'wget -qO- $ECS_CONTAINER_METADATA_URI_V4/stats';
    // Busy, so that there is something to tell; asked twice, since a rate needs the look before.
    const text = `(while :; do :; done) & ${ask} >/dev/null; sleep 2; ${ask}; kill %1`;
    const wish = { tags: [{ key: 'berth:isolation', value: kind }] };
    const { printed } = await sdk.toEnd(`stats-${kind}`, [script(text)], {}, wish);
    const raw = (printed['main'] ?? []).join('');
    const stats = JSON.parse(raw) as { id: string; name: string };
    const shown = await dockerStats(raw, stats.id);
    assert.equal(shown.ID, stats.id);
    // The client takes off the slash that Docker puts ahead of a name; on Fargate there is none, and so it does there.
    assert.equal(shown.Name, stats.name.slice(1));
    const [cpu, memory] = [Number.parseFloat(shown.CPUPerc), Number.parseFloat(shown.MemPerc)];
    assert.ok(cpu > 1 && cpu <= 110, raw);
    assert.ok(memory > 0 && memory <= 100, raw);
    assert.match(shown.MemUsage, /^[\d.]+[KMG]?i?B \/ [\d.]+[KMG]iB$/);
    assert.ok(kind === 'microvm' || Number(shown.PIDs) >= 1, raw);
    assert.doesNotMatch(shown.NetIO, /^0B \/ 0B$/);
  });
}

/** What the command line shows of an engine whose only container has these stats. */
async function dockerStats(stats: string, id: string): Promise<Shown> {
  const socket = join(dir, 'engine.sock');
  const engine = createServer((request, response) => {
    const path = request.url ?? '';
    response.setHeader('Api-Version', '1.47');
    response.setHeader('Ostype', 'linux');
    response.setHeader('Content-Type', 'application/json');
    if (path.endsWith('/_ping')) return void response.end('OK');
    if (path.includes(`/containers/${id}/stats`)) return void response.end(stats);
    response.statusCode = 404;
    response.end(JSON.stringify({ message: `no ${path} here` }));
  });
  await new Promise<void>((resolve) => engine.listen(socket, resolve));
  try {
    const words = ['-H', `unix://${socket}`, 'stats', '--no-stream', '--no-trunc', '--format', 'json', id];
    const ran = await platform.command(DOCKER, words, { timeoutMs: 30_000 });
    assert.equal(ran.code, 0, `${ran.stdout}\n${ran.stderr}`);
    return JSON.parse(ran.stdout) as Shown;
  } finally {
    engine.closeAllConnections();
    await new Promise((resolve) => engine.close(resolve));
  }
}
