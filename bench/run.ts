/** `npm run bench [NAME...]`: runs the benchmarks that PROMISES.md names, and exits 1 when a promise is missed. */
import { cpus, release } from 'node:os';
import { makeBed } from './bed.ts';
import { burst } from './burst.ts';
import { idle } from './idle.ts';
import { startLatency } from './start-latency.ts';

const benchmarks = { 'start-latency': startLatency, burst, idle };
const asked = process.argv.slice(2);
for (const name of asked) {
  if (!(name in benchmarks)) {
    console.error(`no benchmark is called '${name}'; there are: ${Object.keys(benchmarks).join(', ')}`);
    process.exit(2);
  }
}
const bed = await makeBed();
let holds = true;
try {
  console.log(`${cpus().length} cores, kernel ${release()}, docker ${bed.docker.version}, node ${process.version}`);
  for (const [name, benchmark] of Object.entries(benchmarks)) {
    if (asked.length === 0 || asked.includes(name)) holds = (await benchmark(bed)) && holds;
  }
} finally {
  await bed.end();
}
process.exitCode = holds ? 0 : 1;
