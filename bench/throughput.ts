/** A disk and a TCP stream from inside each kind of sandbox, and docker's: a table, that promises nothing. Each has one core. */
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { median } from './promises.ts';

const KINDS = ['container', 'gvisor', 'microvm'] as const;
const ROUNDS = 3;
const DISK_MIB = 128;
const PORT = 5201;
const TIMEOUT_MS = 40_000;
/** What a stream carries; software emulation is slow. */
const STREAM_MIB = { docker: 1024, container: 1024, gvisor: 256, microvm: 64 };
const SIZE = { program: '/throughput', cpu: '1024', memory: '2048' };
const SAME_SIZE = ['--cpus', '1', '--memory', '2g'];

/** MiB/s. */
type Rates = { write: number; read: number; stream: number };

export async function throughput(bed: Bed): Promise<boolean> {
  await bed.define('disk', ['disk', String(DISK_MIB)], SIZE);
  await bed.define('receive', ['receive', String(PORT)], SIZE);
  const found = new Map<string, Rates[]>();
  for (let round = 0; round < ROUNDS; round++) {
    add(found, 'docker', await dockerRates(bed));
    for (const kind of KINDS) add(found, kind, await kindRates(bed, kind));
  }
  console.log(`\nMiB/s, medians of ${ROUNDS}, one core and 2 GiB each; microvm under software emulation, which is slow:\n`);
  console.log('| | disk, written with fsync | disk, read | TCP stream between two |\n|---|---|---|---|');
  for (const [name, rates] of found) {
    const cell = (of: keyof Rates) => median(rates.map((one) => one[of])).toFixed(0);
    console.log(`| ${name} | ${cell('write')} | ${cell('read')} | ${cell('stream')} |`);
  }
  console.log(
    `\nThe disk is a new file of ${DISK_MIB} MiB in the root, read after the container's kernel was told to forget it. A task's writable layer`,
  );
  console.log(
    'goes with the task: in container and gvisor fsync waits for no disk, and what is not yet written is not forgotten either. A microVM',
  );
  console.log("writes to a file of the machine, which keeps it in memory. Docker's are the disk itself.\n");
  return true;
}

function add(found: Map<string, Rates[]>, name: string, rates: Rates): void {
  found.set(name, [...(found.get(name) ?? []), rates]);
}

async function kindRates(bed: Bed, kind: (typeof KINDS)[number]): Promise<Rates> {
  const family = `send-${kind}`;
  const disk = await lineOf(bed, 'disk', kind);
  const [receiver] = await bed.runTasks('receive', 1, kind);
  const arn = receiver?.taskArn ?? '';
  await bed.running([arn], TIMEOUT_MS);
  const address = await bed.addressOf(arn);
  await bed.define(family, ['send', `${address}:${PORT}`, String(STREAM_MIB[kind])], SIZE);
  const [sender] = await bed.runTasks(family, 1, kind);
  const stream = (await bed.arrived('receive', [arn], TIMEOUT_MS)).get(arn);
  if (stream === undefined) {
    const ends = `receiver: ${await bed.told('receive', [arn])}; sender: ${await bed.told(family, [sender?.taskArn ?? ''])}`;
    throw new Error(`the receiving task ${arn} (${kind}) said nothing; ${ends}`);
  }
  await bed.stopped([arn, sender?.taskArn ?? ''], TIMEOUT_MS);
  return ratesOf(disk, stream.line);
}

/** Of a task that measures something and ends. */
async function lineOf(bed: Bed, family: string, kind: string): Promise<string> {
  const [task] = await bed.runTasks(family, 1, kind);
  const arn = task?.taskArn ?? '';
  const arrived = (await bed.arrived(family, [arn], TIMEOUT_MS)).get(arn);
  if (arrived === undefined) throw new Error(`the task ${arn} (${family}, ${kind}) said nothing`);
  await bed.stopped([arn], TIMEOUT_MS);
  return arrived.line;
}

async function dockerRates(bed: Bed): Promise<Rates> {
  const { docker } = bed.docker;
  const disk = await docker(['run', '--rm', ...SAME_SIZE, IMAGE, '/throughput', 'disk', String(DISK_MIB)]);
  const receiver = await docker(['run', '-d', ...SAME_SIZE, IMAGE, '/throughput', 'receive', String(PORT)]);
  const address = await docker(['inspect', '--format', '{{.NetworkSettings.IPAddress}}', receiver]);
  const send = ['/throughput', 'send', `${address}:${PORT}`, String(STREAM_MIB.docker)];
  await docker(['run', '--rm', ...SAME_SIZE, IMAGE, ...send]);
  await docker(['wait', receiver]);
  const stream = await docker(['logs', receiver]);
  await docker(['rm', '-f', receiver]);
  return ratesOf(disk, stream);
}

function ratesOf(disk: string, stream: string): Rates {
  const [write, read] = disk.split(' ').map(Number);
  const rates = { write: write ?? NaN, read: read ?? NaN, stream: Number(stream) };
  if (!Object.values(rates).every((rate) => rate > 0)) throw new Error(`'${disk}' and '${stream}' are not MiB/s`);
  return rates;
}
