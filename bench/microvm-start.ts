/**
 * RunTask sent -> first instruction in a microVM from the pool, against `docker run`, one after the other in turn. A guest's clocks aren't the
 * machine's, so the end is when the control plane had the task's first line, which comes later; docker's is its first instruction itself.
 */
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { machineOf, untilPoolRests } from './microvm-pool.ts';
import { median, quantile, report } from './promises.ts';

const ROUNDS = 12;
const WARM_UP = 1;
const TIMEOUT_MS = 60_000;
const LOOK_MS = 5;

export async function microvmStart(bed: Bed): Promise<boolean> {
  await bed.define('microvm', []);
  // The first one has the template made, and the pool fill itself.
  await start(bed);
  const ours: number[] = [];
  const dockers: number[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const pool = await untilPoolRests(bed);
    const { ms, vmId } = await start(bed);
    if (vmId === undefined || !pool.has(vmId)) throw new Error(`the pool was full, and the task got the machine ${vmId}`);
    // While the pool fills itself again it would slow docker.
    await untilPoolRests(bed);
    const beforeDocker = process.hrtime.bigint();
    const said = await bed.docker.docker(['run', '--rm', IMAGE, '/stamp']);
    if (round < WARM_UP) continue;
    ours.push(ms);
    dockers.push(Number(BigInt(said) - beforeDocker) / 1e6);
  }
  const line = (name: string, ms: number[]) => `${name} p50 ${median(ms).toFixed(0)} ms, p90 ${quantile(ms, 0.9).toFixed(0)} ms`;
  const detail = `${line('from the pool, software emulation', ours)}; ${line('docker', dockers)}; ${ROUNDS} rounds`;
  return report('microvm-start', median(dockers) / median(ours), detail);
}

async function start(bed: Bed): Promise<{ ms: number; vmId: string | undefined }> {
  const before = Date.now();
  const [task] = await bed.runTasks('microvm', 1, 'microvm');
  const arn = task?.taskArn ?? '';
  let vmId: string | undefined;
  const looking = setInterval(() => (vmId ??= machineOf(bed, arn.split('/').at(-1) ?? '')), LOOK_MS);
  const arrived = (await bed.arrived('microvm', [arn], TIMEOUT_MS)).get(arn);
  clearInterval(looking);
  if (arrived === undefined) throw new Error(`task ${arn} said nothing within ${TIMEOUT_MS / 1000} s`);
  return { ms: arrived.atMs - before, vmId };
}
