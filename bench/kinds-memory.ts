/** What an idle task takes of the machine in each kind of sandbox, and an idle container of docker's: a table, that promises nothing. */
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { grownMib, namespaceMates, pidsOf, settled, withDescendants } from './memory.ts';
import type { Grown } from './memory.ts';

/** Enough that what others do on the machine is small beside them. */
const KINDS = { container: 40, gvisor: 8, microvm: 4 } as const;
const CONTAINERS = 40;
const TIMEOUT_MS = 60_000;
/** A pool fills itself after a start, and rests then: it is on both sides of the difference. */
const POOL_MS = 8_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function kindsMemory(bed: Bed): Promise<boolean> {
  await bed.define('kinds-memory', ['3600']);
  const rows: [string, number, Grown][] = [['docker (runc)', CONTAINERS, await dockerMemory(bed)]];
  for (const [kind, count] of Object.entries(KINDS)) rows.push([kind, count, await kindMemory(bed, kind, count)]);
  console.log('\nAn idle task (256 CPU units, 512 MiB), MiB that the machine can give to nobody else; microvm under software emulation:\n');
  console.log('| | at once | processes | kernel | together |\n|---|---|---|---|---|');
  for (const [name, count, of] of rows)
    console.log(`| ${name} | ${count} | ${of.processes.toFixed(1)} | ${of.kernel.toFixed(1)} | ${of.all.toFixed(1)} |`);
  console.log('');
  if (rows.some(([, , of]) => of.kernel <= 0 || of.processes <= 0))
    console.log('Other work on the machine made its memory shrink: measure again.\n');
  return true;
}

async function kindMemory(bed: Bed, kind: string, count: number): Promise<Grown> {
  const ours = () => withDescendants(pidsOf(bed.berth.state, () => true));
  const started: string[] = [];
  const start = async (wanted: number) => {
    // RunTask takes ten at most.
    const tasks = await bed.runTasks('kinds-memory', wanted, kind);
    const arns = tasks.flatMap((task) => task.taskArn ?? []);
    started.push(...arns);
    const said = await bed.arrived('kinds-memory', arns, TIMEOUT_MS);
    if (said.size !== wanted) throw new Error(`${wanted - said.size} of ${wanted} tasks (${kind}) did not start`);
  };
  try {
    // The first one has the template made and the pool fill itself.
    await start(1);
    await pause(POOL_MS);
    const before = await settled(ours);
    for (let left = count; left > 0; left -= 10) await start(Math.min(10, left));
    await pause(POOL_MS);
    return grownMib(before, await settled(ours), count);
  } finally {
    await bed.stopTasks(started);
    await bed.stopped(started, TIMEOUT_MS);
  }
}

async function dockerMemory(bed: Bed): Promise<Grown> {
  const theirs = () => withDescendants(namespaceMates(bed.docker.pid));
  const before = await settled(theirs);
  const ids: string[] = [];
  for (let n = 0; n < CONTAINERS; n++) ids.push(await bed.docker.docker(['run', '-d', IMAGE, '/stamp', '3600']));
  const after = await settled(theirs);
  await bed.docker.docker(['rm', '-f', ...ids]);
  return grownMib(before, after, CONTAINERS);
}
