/**
 * Requests through a berth load balancer against the same HAProxy configured by hand, on the same servers, in turn. BERTH_BENCH_PAIRS (20) and
 * BERTH_BENCH_SECONDS (10) make it quick to try.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../test/e2e/platform.ts';
import type { Bed } from './bed.ts';
import { medianBound, middle, report } from './promises.ts';
import { serve } from './served.ts';

const run = promisify(execFile);
const PAIRS = Number(process.env['BERTH_BENCH_PAIRS'] ?? 20);
const SECONDS = Number(process.env['BERTH_BENCH_SECONDS'] ?? 10);
const CONNECTIONS = 64;
const SERVERS = 2;
const BY_HAND_PORT = 8081;

export async function lbThroughput(bed: Bed): Promise<boolean> {
  const served = await serve(bed, 'throughput', { port: 80, count: SERVERS, cpu: '2048' });
  const peer = await byHand(bed, served.address, await served.addresses());
  const ours = `http://${served.address}:${served.port}/`;
  const theirs = `http://${served.address}:${BY_HAND_PORT}/`;
  try {
    for (const url of [ours, theirs]) await wrk(url, CONNECTIONS, 1);
    const rates = await pairs((url) => wrk(url, CONNECTIONS, SECONDS).then((one) => one.rate), ours, theirs);
    const times = await pairs((url) => wrk(url, 1, SECONDS).then((one) => one.p50Us), ours, theirs);
    const ratios = rates.map(([a, b]) => a / b);
    const more = times.map(([a, b]) => a - b);
    const of = (all: [number, number][], at: 0 | 1) => middle(all.map((one) => one[at])).toFixed(0);
    const holds = report(
      'lb-throughput',
      medianBound(ratios, 0.05),
      `median ratio ${middle(ratios).toFixed(3)}; berth ${of(rates, 0)}/s, by hand ${of(rates, 1)}/s, ${CONNECTIONS} connections, ${PAIRS} pairs of ${SECONDS} s`,
    );
    const late = `median ${middle(more).toFixed(1)} us more; p50 berth ${of(times, 0)} us, by hand ${of(times, 1)} us (wrk tells whole microseconds), one connection, ${PAIRS} pairs of ${SECONDS} s`;
    return report('lb-latency', medianBound(more, 0.95), late) && holds;
  } finally {
    await peer.end();
    await served.end();
  }
}

/** The first of a pair is now one, now the other. */
async function pairs(measure: (url: string) => Promise<number>, ours: string, theirs: string): Promise<[number, number][]> {
  const found: [number, number][] = [];
  for (let n = 0; n < PAIRS; n++) {
    if (n % 2 === 0) found.push([await measure(ours), await measure(theirs)]);
    else {
      const b = await measure(theirs);
      found.push([await measure(ours), b]);
    }
  }
  return found;
}

async function wrk(url: string, connections: number, seconds: number): Promise<{ rate: number; p50Us: number }> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-wrk-'));
  const lua = `done = function(summary, latency) io.write(string.format("p50 %d errors %d\\n", latency:percentile(50), summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout)) end\n`;
  writeFileSync(`${dir}/p50.lua`, lua);
  try {
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', `${dir}/p50.lua`, url];
    const { stdout } = await run('/usr/bin/wrk', args, { timeout: (seconds + 30) * 1000 }).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? new Error('wrk is missing: apt-get install wrk') : error;
    });
    const rate = Number(/^Requests\/sec:\s+([\d.]+)$/m.exec(stdout)?.[1]);
    const [, p50Us, errors] = /^p50 (\d+) errors (\d+)$/m.exec(stdout) ?? [];
    if (!(rate > 0) || errors !== '0') throw new Error(`wrk ${args.join(' ')} met errors:\n${stdout}`);
    return { rate, p50Us: Number(p50Us) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** As one would write it who wants the headers that AWS's load balancers add, with as many threads as berth's, at the same address. */
async function byHand(bed: Bed, address: string, servers: string[]) {
  const dir = mkdtempSync(join(tmpdir(), 'berth-haproxy-'));
  const threads = /nbthread (\d+)/.exec(readFileSync(join(bed.berth.state, 'haproxy/haproxy.cfg'), 'utf8'))?.[1] ?? '1';
  const config = `global
    nbthread ${threads}
defaults
    mode http
    timeout connect 3s
    timeout client 60s
    timeout server 60s
frontend web
    bind ${address}:${BY_HAND_PORT}
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Port ${BY_HAND_PORT}
    default_backend servers
backend servers
    balance roundrobin
    option httpchk GET /
${servers.map((ip, n) => `    server s${n} ${ip}:80 check inter 5s\n`).join('')}`;
  writeFileSync(`${dir}/haproxy.cfg`, config);
  const haproxy = spawn('/usr/sbin/haproxy', ['-db', '-f', `${dir}/haproxy.cfg`], { stdio: 'ignore' });
  const ended = new Promise((resolve) => haproxy.once('exit', resolve));
  const end = async () => {
    haproxy.kill('SIGKILL');
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  await until('HAProxy configured by hand', () => connects(address, BY_HAND_PORT)).catch(async (error: unknown) => {
    await end();
    throw error;
  });
  return { end };
}

const connects = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host, port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
