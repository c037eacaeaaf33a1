/** `npm run bench [NAME...]`: runs the benchmarks that PROMISES.md names, and exits 1 when a promise is missed. */
import { cpus, loadavg, release } from 'node:os';
import { makeBed } from './bed.ts';
import { burst } from './burst.ts';
import { exec } from './exec.ts';
import { fullDefinition } from './full-definition.ts';
import { gvisorStart } from './gvisor-start.ts';
import { idle } from './idle.ts';
import { kindsMemory } from './kinds-memory.ts';
import { lbReady } from './lb-ready.ts';
import { lbThroughput } from './lb-throughput.ts';
import { logPath } from './log-path.ts';
import { microvmMachines } from './microvm-machines.ts';
import { microvmStart } from './microvm-start.ts';
import { logFilter } from './log-filter.ts';
import { metricsBench } from './metrics.ts';
import { policy } from './policy.ts';
import { registryBench } from './registry.ts';
import { rollingUpdate } from './rolling-update.ts';
import { runTaskLive } from './run-task-live.ts';
import { runTaskPolicies } from './run-task-policies.ts';
import { startLatency } from './start-latency.ts';
import { teardown } from './teardown.ts';
import { throughput } from './throughput.ts';

const benchmarks = {
  'start-latency': startLatency,
  'full-definition': fullDefinition,
  exec,
  burst,
  teardown,
  idle,
  'lb-ready': lbReady,
  'lb-throughput': lbThroughput,
  'rolling-update': rollingUpdate,
  'log-filter': logFilter,
  'log-path': logPath,
  metrics: metricsBench,
  'gvisor-start': gvisorStart,
  'microvm-start': microvmStart,
  'microvm-machines': microvmMachines,
  'kinds-memory': kindsMemory,
  policy,
  registry: registryBench,
  'run-task-policies': runTaskPolicies,
  'run-task-live': runTaskLive,
  throughput,
};
const load = () => `load ${loadavg()[0]?.toFixed(1)}`;
const asked = process.argv.slice(2);
for (const name of asked) {
  if (!(name in benchmarks)) {
    console.error(`no benchmark is called '${name}'; there are: ${Object.keys(benchmarks).join(', ')}`);
    process.exit(2);
  }
}
/** What has begun is taken down first, since no other process would; a second signal ends it at once. */
const brokenOff = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => reject(new Error(`broken off by ${signal}`)));
});
brokenOff.catch(() => undefined);
const bed = await makeBed();
let holds = true;
try {
  console.log(
    `${cpus().length} cores, kernel ${release()}, docker ${bed.docker.version}, node ${process.version}, ${load()} before anything was measured`,
  );
  for (const [name, benchmark] of Object.entries(benchmarks)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    holds = (await Promise.race([benchmark(bed), brokenOff])) && holds;
    console.log(`        after ${name}: ${load()} (others' work on the machine slows both sides, seldom by the same)`);
  }
} catch (error) {
  console.error(error);
  holds = false;
} finally {
  await bed.end();
}
// What a benchmark that was broken off still waits for would hold the process.
process.exit(holds ? 0 : 1);
