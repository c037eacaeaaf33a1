/**
 * Push and pull of an image of three layers of 100 MB (random bytes, as they come compressed) by the same client (curl, a PATCH and a PUT for each layer), through berth's
 * registry and Debian's docker-registry, in turn. BERTH_BENCH_PAIRS (10) makes it quick to try.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ECR } from '@aws-sdk/client-ecr';
import { until } from '../test/e2e/platform.ts';
import { freePort } from '#base/testing.ts';
import type { Bed } from './bed.ts';
import { medianBound, middle, report } from './promises.ts';

const run = promisify(execFile);
const PEER = '/usr/bin/docker-registry';
const PAIRS = Number(process.env['BERTH_BENCH_PAIRS'] ?? 10);
const LAYERS = 3;
const LAYER_BYTES = 100_000_000;

type Side = { url: string; user: string | null; begin(repository: string): Promise<void>; end(repository: string): Promise<void> };
type Layer = { path: string; digest: string };
type Times = { push: number; pull: number };

export async function registryBench(bed: Pick<Bed, 'berth' | 'settings'>): Promise<boolean> {
  if (!existsSync(PEER)) throw new Error('the peer is missing: apt-get install docker-registry');
  const dir = mkdtempSync(join(tmpdir(), 'berth-bench-registry-'));
  const ecr = new ECR(bed.settings);
  const peer = await startPeer(dir);
  try {
    const layers = Array.from({ length: LAYERS }, (_, i) => makeLayer(join(dir, `layer-${i}`)));
    const ours = await berthSide(bed, ecr);
    const pairs: { ours: Times; theirs: Times }[] = [];
    for (let n = 0; n < PAIRS; n++) {
      const order = n % 2 === 0 ? [ours, peer.side] : [peer.side, ours];
      const times = new Map<Side, Times>();
      for (const side of order) times.set(side, await once(side, `bench/r${n}`, layers));
      pairs.push({ ours: times.get(ours) as Times, theirs: times.get(peer.side) as Times });
    }
    const of = (what: keyof Times) => {
      const ratios = pairs.map((pair) => pair.theirs[what] / pair.ours[what]);
      const time = (side: 'ours' | 'theirs') => middle(pairs.map((pair) => pair[side][what])).toFixed(2);
      const detail = `median ratio ${middle(ratios).toFixed(2)}; docker-registry ${time('theirs')} s, berth ${time('ours')} s, ${PAIRS} pairs of ${(LAYERS * LAYER_BYTES) / 1e6} MB`;
      return { bound: medianBound(ratios, 0.05), detail };
    };
    const push = of('push');
    const pull = of('pull');
    const held = [report('registry-push', push.bound, push.detail), report('registry-pull', pull.bound, pull.detail)];
    return held.every(Boolean);
  } finally {
    ecr.destroy();
    await peer.end();
    rmSync(dir, { recursive: true, force: true });
  }
}

function makeLayer(path: string): Layer {
  const bytes = randomBytes(LAYER_BYTES);
  writeFileSync(path, bytes);
  return { path, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

async function berthSide({ berth }: Pick<Bed, 'berth'>, ecr: ECR): Promise<Side> {
  const [data] = (await ecr.getAuthorizationToken({})).authorizationData ?? [];
  return {
    url: berth.env['AWS_ENDPOINT_URL'] ?? '',
    user: Buffer.from(data?.authorizationToken ?? '', 'base64').toString(),
    begin: async (repositoryName) => void (await ecr.createRepository({ repositoryName })),
    // The blobs themselves would be there for the next push, which would then be no push.
    async end(repositoryName) {
      await ecr.deleteRepository({ repositoryName, force: true });
      execFileSync('find', [join(berth.state, 'registry/blobs'), '-size', '+1M', '-delete']);
    },
  };
}

async function startPeer(dir: string): Promise<{ side: Side; end(): Promise<void> }> {
  const port = await freePort();
  const root = join(dir, 'peer');
  const config = `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${root}}}\nhttp: {addr: "127.0.0.1:${port}"}\n`;
  writeFileSync(join(dir, 'peer.yml'), config);
  const peer = spawn(PEER, ['serve', join(dir, 'peer.yml')], { stdio: 'ignore' });
  const ended = new Promise((resolve) => peer.once('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  await until('docker-registry', async () => ((await fetch(`${url}/v2/`).catch(() => undefined))?.status === 200 ? true : undefined));
  return {
    side: {
      url,
      user: null,
      begin: async () => undefined,
      end: async () => rmSync(join(root, 'docker/registry/v2'), { recursive: true, force: true }),
    },
    async end() {
      peer.kill('SIGTERM');
      await ended;
    },
  };
}

async function once(side: Side, repository: string, layers: Layer[]): Promise<Times> {
  await side.begin(repository);
  const started = performance.now();
  for (const layer of layers) await pushLayer(side, repository, layer);
  const pushed = performance.now();
  for (const { digest } of layers) await curl(side, ['-o', '/dev/null', `${side.url}/v2/${repository}/blobs/${digest}`], '200');
  const pulled = performance.now();
  await side.end(repository);
  return { push: (pushed - started) / 1000, pull: (pulled - pushed) / 1000 };
}

async function pushLayer(side: Side, repository: string, { path, digest }: Layer): Promise<void> {
  const begun = await curl(side, ['-X', 'POST', `${side.url}/v2/${repository}/blobs/uploads/`], '202');
  const sent = await curl(side, ['-X', 'PATCH', '-H', 'Expect:', '-T', path, begun], '202');
  await curl(side, ['-X', 'PUT', `${sent}${sent.includes('?') ? '&' : '?'}digest=${digest}`], '201');
}

/** One request; returns where its Location leads. */
async function curl({ url, user }: Side, args: string[], status: string): Promise<string> {
  const credentials = user === null ? [] : ['-u', user];
  const { stdout } = await run('curl', ['-s', ...credentials, '-o', '/dev/null', '-w', '%{http_code} %header{location}', ...args]);
  const [code, location = ''] = stdout.trim().split(' ');
  if (code !== status) throw new Error(`curl ${args.join(' ')} met ${code}`);
  return location === '' ? '' : new URL(location, url).href;
}
