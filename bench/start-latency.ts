/** RunTask sent -> first instruction in the container, against `docker run`, one after the other in turn. */
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { median, quantile, report } from './promises.ts';

const ROUNDS = 25;
const WARM_UP = 3;

export async function startLatency(bed: Bed): Promise<boolean> {
  await bed.define('start', []);
  const ours: number[] = [];
  const dockers: number[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const before = process.hrtime.bigint();
    const [task] = await bed.runTasks('start', 1);
    const arn = task?.taskArn ?? '';
    const first = (await bed.stamps('start', [arn], 20_000)).get(arn);
    if (first === undefined) throw new Error(`task ${arn} did not say when it began within 20 s`);
    const beforeDocker = process.hrtime.bigint();
    const said = await bed.docker.docker(['run', '--rm', IMAGE, '/stamp']);
    if (round < WARM_UP) continue;
    ours.push(Number(first - before) / 1e6);
    dockers.push(Number(BigInt(said) - beforeDocker) / 1e6);
  }
  const line = (name: string, ms: number[]) => `${name} p50 ${median(ms).toFixed(1)} ms, p90 ${quantile(ms, 0.9).toFixed(1)} ms`;
  return report('start-latency', median(dockers) / median(ours), `${line('berth', ours)}; ${line('docker', dockers)}; ${ROUNDS} rounds`);
}
