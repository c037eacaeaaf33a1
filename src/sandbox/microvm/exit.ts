/** How a machine ended, out of what its monitor process wrote down (exit.json in its directory): the reason that a user reads. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { checkVmExit } from '#supervisor/messages.ts';
import type { VmExit } from '#supervisor/protocol.ts';

const SIGKILL = 9;

/** null while it lives, and when its monitor died with it. */
export function readExit(dir: string): VmExit | null {
  try {
    return checkVmExit(JSON.parse(readFileSync(join(dir, 'exit.json'), 'utf8')), 'exit.json');
  } catch {
    return null;
  }
}

/** Pure: one sentence. The console is the guest's word: bounded, and only printable. */
export function describeExit(exit: VmExit): string {
  const panic = /Kernel panic - not syncing: ([^\n\r]*)/.exec(exit.console)?.[1];
  if (exit.oomKilled) return "the task's virtual machine ran out of the host memory it was given, and was killed";
  if (panic !== undefined) return `the guest kernel panicked: ${printable(panic)}`;
  const last = printable(exit.console.trimEnd().split('\n').at(-1) ?? '');
  const words = last === '' ? '' : `: ${last}`;
  // Whoever kills it by hand is not explained by what it said before.
  if (exit.signal === SIGKILL) return `the task's virtual machine (QEMU) was killed by signal ${exit.signal}`;
  if (exit.signal !== null) return `the task's virtual machine (QEMU) died of signal ${exit.signal}${words}`;
  if (exit.code === 0) return `the guest powered itself off${words}`;
  return `the task's virtual machine (QEMU) ended with ${exit.code}${words}`;
}

function printable(line: string): string {
  return line.replace(/[^\x20-\x7e]/g, '').slice(0, 200);
}

/** Waits a moment for the monitor's word; undefined when it doesn't come. */
export async function exitOf(clock: Clock, dir: string): Promise<string | undefined> {
  for (let waited = 0; waited < limits.vmExitMs; waited += 20) {
    const exit = readExit(dir);
    if (exit !== null) return describeExit(exit);
    await clock.sleep(20);
  }
  return undefined;
}

export async function endOf(clock: Clock, dir: string, otherwise: string): Promise<string> {
  return (await exitOf(clock, dir)) ?? otherwise;
}
