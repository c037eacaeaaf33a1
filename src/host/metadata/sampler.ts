/** Looks at tasks when they ask for their stats, and remembers the look before for the differences: one pair for each task that runs. */
import { cpus } from 'node:os';
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Runner } from '../runner.ts';
import type { Before, Sample } from './stats-response.ts';

type Looks = { last: Sample; before: Before };

export type Sampler = {
  /** Throws Fault Unavailable unless the task runs. */
  look(runner: Runner): Promise<Looks>;
  /** How many processors the machine has. */
  processors(): number;
};

export function createSampler(clock: Clock): Sampler {
  // Goes with the runner that it is about.
  const looks = new WeakMap<Runner, Looks>();
  const running = new WeakMap<Runner, Promise<Looks>>();

  const take = async (runner: Runner): Promise<Looks> => {
    const stats = await runner.stats();
    const former = looks.get(runner);
    const before = former?.last ?? { startedAtMs: runner.entry.report.startedAt ?? clock.now() };
    const taken = { last: { stats, systemCpuNs: systemCpuNs() }, before };
    looks.set(runner, taken);
    return taken;
  };

  return {
    look(runner) {
      const former = looks.get(runner);
      if (former !== undefined && clock.now() - former.last.stats.readAtMs < limits.metadataStatsMs) return Promise.resolve(former);
      const begun = running.get(runner) ?? take(runner).finally(() => running.delete(runner));
      running.set(runner, begun);
      return begun;
    },
    processors: () => cpus().length,
  };
}

/** Of all processors, idle time too, as Docker's `system_cpu_usage`. */
function systemCpuNs(): number {
  const ms = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.idle + times.irq, 0);
  return ms * 1_000_000;
}
