/**
 * 3,000 MiB in lines of 200 bytes from one task whose log driver blocks, into CloudWatch Logs: how fast they are taken, whether all are there,
 * and what the platform's memory grows by meanwhile. The same program then writes a part of it to docker's json-file driver.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { cpuMs, pidsOf, pssKib } from './memory.ts';
import { median, report } from './promises.ts';
import type { LogStream } from '@aws-sdk/client-cloudwatch-logs';

const { DescribeLogGroupsCommand, DescribeLogStreamsCommand, FilterLogEventsCommand, GetLogEventsCommand } = createRequire(import.meta.url)(
  '@aws-sdk/client-cloudwatch-logs',
) as typeof import('@aws-sdk/client-cloudwatch-logs');

const MIB = Number(process.env['BERTH_BENCH_MIB'] ?? 3000);
const DOCKER_MIB = Math.min(MIB, 500);
const LINE_BYTES = 200;
const TIMEOUT_MS = 15 * 60_000;
const LOOK_MS = 250;
const GROUP = '/bench/stamp';
/** What CloudWatch Logs counts beside each event's text. */
const EVENT_OVERHEAD = 26;
/** Of the looks at memory: after the first tenth, everything is warm; the last ones are what it grew to. */
const WARM = 0.1;
const LOOKS = 10;

export async function logPath(bed: Bed): Promise<boolean> {
  const lines = Math.floor((MIB * 1024 * 1024) / LINE_BYTES);
  await bed.define('chatter', [String(MIB)], { program: '/chatter', cpu: '1024', memory: '2048', logOptions: { mode: 'blocking' } });
  // Before it runs: on a busy machine it has written much by the time that somebody looks.
  const before = await storedBytes(bed);
  const [task] = await bed.runTasks('chatter', 1);
  const arn = task?.taskArn ?? '';
  const memory: number[] = [];
  const cpu = createCpuMeter(bed);
  let began = 0;
  let all: LogStream | undefined;
  const deadline = Date.now() + TIMEOUT_MS;
  const wanted = lines * (LINE_BYTES - 1 + EVENT_OVERHEAD);
  for (let bytes = 0; bytes < wanted && Date.now() < deadline; bytes = (await storedBytes(bed)) - before) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    all = await streamOf(bed, arn);
    if (all?.firstEventTimestamp === undefined) continue;
    began = all.firstEventTimestamp;
    memory.push(platformKib(bed) / 1024);
    cpu.look();
    if (memory.length % LOOKS === 0 && (await isOver(bed, arn))) break;
  }
  const seconds = ((all?.lastIngestionTime ?? Date.now()) - began) / 1000;
  const lost = lines - (await countLines(bed, arn, lines, before));
  const warm = memory.slice(Math.floor(memory.length * WARM));
  const grown = median(warm.slice(-LOOKS)) - median(warm.slice(0, LOOKS));
  // Before the peer has its turn, which a busy machine may not let end in time.
  const kept = [
    report('log-path-lost', lost, `of ${lines} lines`),
    report(
      'log-path-memory',
      grown,
      `MiB, from ${median(warm.slice(0, LOOKS)).toFixed(0)}; the most seen was ${Math.max(...memory).toFixed(0)}`,
    ),
  ];
  const rate = ((lines - lost) * LINE_BYTES) / 1e6 / seconds;
  const ours = `MB/s over ${seconds.toFixed(1)} s, CPU ${cpu.told((lines * LINE_BYTES) / 1e6)}`;
  console.log(`        ${rate.toFixed(1)} ${ours}`);
  const docker = await dockerRate(bed);
  kept.push(report('log-path-rate', rate, `${ours}; docker's json-file took ${docker.toFixed(0)} MB/s of ${DOCKER_MIB} MiB`));
  return kept.every(Boolean);
}

async function streamOf(bed: Bed, arn: string): Promise<LogStream | undefined> {
  const logStreamNamePrefix = `chatter/stamp/${arn.split('/').at(-1)}`;
  const { logStreams } = await bed.logs.send(new DescribeLogStreamsCommand({ logGroupName: GROUP, logStreamNamePrefix }));
  // The program's last word on standard error goes to the same stream.
  return logStreams?.[0];
}

async function storedBytes(bed: Bed): Promise<number> {
  const { logGroups } = await bed.logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: GROUP }));
  return logGroups?.[0]?.storedBytes ?? 0;
}

async function isOver(bed: Bed, arn: string): Promise<boolean> {
  return bed.stopped([arn], 0).then(
    () => true,
    () => false,
  );
}

/** By the bytes of the group, which count each event; that the first and the last are what they should be is looked at. */
async function countLines(bed: Bed, arn: string, lines: number, before: number): Promise<number> {
  await bed.stopped([arn], TIMEOUT_MS);
  const place = { logGroupName: GROUP, logStreamName: (await streamOf(bed, arn))?.logStreamName ?? '' };
  const page = async (startFromHead: boolean) =>
    (await bed.logs.send(new GetLogEventsCommand({ ...place, startFromHead, limit: 3 }))).events ?? [];
  const gaps = await bed.logs.send(
    new FilterLogEventsCommand({
      logGroupName: GROUP,
      logStreamNames: [place.logStreamName],
      filterPattern: '"[berth: output is missing"',
    }),
  );
  if ((gaps.events ?? []).length > 0) console.log(`        ${gaps.events?.length} gaps in the log`);
  const told = `wrote ${lines}`;
  const [first, last] = [await page(true), await page(false)];
  if (!first[0]?.message?.startsWith('0000000000 ') || !last.some((one) => one.message === told)) {
    throw new Error(`the log begins with '${first[0]?.message?.slice(0, 20)}' and has no '${told}' at its end`);
  }
  const bytes = (await storedBytes(bed)) - before - told.length - EVENT_OVERHEAD;
  return bytes / (LINE_BYTES - 1 + EVENT_OVERHEAD);
}

async function dockerRate(bed: Bed): Promise<number> {
  const before = performance.now();
  await bed.docker.docker(['run', '-d', '--name', 'chatter', IMAGE, '/chatter', String(DOCKER_MIB)]);
  await bed.docker.docker(['wait', 'chatter']);
  const seconds = (performance.now() - before) / 1000;
  await bed.docker.docker(['rm', '-f', 'chatter']);
  return (DOCKER_MIB * 1024 * 1024) / 1e6 / seconds;
}

/** Control plane, host agent, and the supervisor that reads the task's pipe. */
function platformKib(bed: Bed): number {
  return pidsOf(bed.berth.state, (pid) => roleOf(pid) !== null).reduce((sum, pid) => sum + pssKib(pid), 0);
}

function roleOf(pid: string): string | null {
  const main = /main\/(control|host)\.ts/.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.[1];
  return main ?? (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'berth-task' ? 'supervisor' : null);
}

/** Processor time that the platform's processes take for the output, each by its role. */
function createCpuMeter(bed: Bed) {
  const before = new Map<string, number>();
  const now = new Map<string, { role: string; ms: number }>();
  for (const pid of pidsOf(bed.berth.state, (pid) => ['control', 'host'].includes(roleOf(pid) ?? ''))) before.set(pid, cpuMs(pid));
  return {
    look() {
      for (const pid of pidsOf(bed.berth.state, (one) => roleOf(one) !== null)) {
        const ms = cpuMs(pid) - (before.get(pid) ?? 0);
        if (ms >= (now.get(pid)?.ms ?? 0)) now.set(pid, { role: roleOf(pid) ?? '', ms });
      }
    },
    told(megabytes: number): string {
      const all = [...now.values()].reduce((sum, { ms }) => sum + ms, 0);
      const each = [...now.values()].map(({ role, ms }) => `${role} ${(ms / megabytes).toFixed(1)}`);
      return `${(all / megabytes).toFixed(1)} ms/MB (${each.join(', ')})`;
    },
  };
}
