/** A rolling update of tasks behind a load balancer under load, against docker's with the same surge and no load. */
import { startLoad, summed, told } from '../test/load.ts';
import type { Bed } from './bed.ts';
import { median, report } from './promises.ts';
import { serve } from './served.ts';

const ROUNDS = Number(process.env['BERTH_BENCH_ROUNDS'] ?? 5);
const TASKS = 20;
/** Tasks of the new revision that may run beside all of the old one. */
const SURGE = 5;
const CLIENTS = 4;
const IMAGE = 'bench.local/serve:1';
const DOCKER_MS = 300_000;
const POLL_MS = 50;

export async function rollingUpdate(bed: Bed): Promise<boolean> {
  const deployment = { minimumHealthyPercent: 100, maximumPercent: 100 + (100 * SURGE) / TASKS };
  const served = await serve(bed, 'rolling', { port: 80, count: 0, deployment });
  const swarm = await startSwarm(bed);
  const [ours, theirs]: [number[], number[]] = [[], []];
  const counts = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      // One alone at a time: docker's checks of 20 containers each second are a core's work.
      await swarm.scale(0);
      await served.scale(TASKS);
      const common = { host: served.address, port: served.port, clients: CLIENTS };
      const loads = [startLoad({ ...common, keepAlive: true }), startLoad({ ...common, keepAlive: false })];
      ours.push(await served.roll());
      counts.push(...(await Promise.all(loads.map((load) => load.end()))));
      await served.scale(0);
      await swarm.scale(TASKS);
      theirs.push(await swarm.roll(round));
    }
  } finally {
    await swarm.end();
    await served.end();
  }
  const sum = summed(counts);
  const times = (all: number[]) => all.map((ms) => (ms / 1000).toFixed(2)).join(' ');
  const detail = `${TASKS} tasks, ${SURGE} more at a time; berth ${times(ours)} s under load; docker ${times(theirs)} s under none`;
  const holds = report('rolling-update', median(theirs) / median(ours), detail);
  return report('rolling-errors', sum.failures.length, told(sum)) && holds;
}

/** The same files as an image, with a check each second, as a service of as many tasks. */
async function startSwarm(bed: Bed) {
  const { docker } = bed.docker;
  const check = 'HEALTHCHECK --interval=1s CMD ["/serve", "check", "80"]';
  await docker(['import', '--change', 'ENTRYPOINT ["/serve", "80"]', '--change', check, bed.rootfs, IMAGE]);
  await docker(['swarm', 'init', '--advertise-addr', '127.0.0.1']);
  const update = ['--update-order', 'start-first', '--update-monitor', '0s', '--update-delay', '0s', '--update-parallelism', String(SURGE)];
  await docker(['service', 'create', '--detach', '--no-resolve-image', '--name', 'rolling', '--replicas', '0', ...update, IMAGE]);
  const running = async (count: number) => (await docker(['service', 'ls', '--format', '{{.Replicas}}'])) === `${count}/${count}`;
  const settled = (count: number) =>
    untilDocker(
      `${count} tasks`,
      async () => (await running(count)) && (await docker(['ps', '-q'])).split('\n').filter(Boolean).length === count,
    );
  return {
    async roll(round: number): Promise<number> {
      const before = performance.now();
      await docker(['service', 'update', '--detach', '--no-resolve-image', '--env-add', `ROUND=${round}`, 'rolling']);
      await untilDocker('the update', async () => {
        const [state, args] = (
          await docker(['service', 'inspect', '--format', '{{.UpdateStatus.State}} {{.Spec.TaskTemplate.ContainerSpec.Env}}', 'rolling'])
        ).split(' ');
        return state === 'completed' && args === `[ROUND=${round}]`;
      });
      const tookMs = performance.now() - before;
      await settled(TASKS);
      return tookMs;
    },
    async scale(count: number): Promise<void> {
      await docker(['service', 'scale', '--detach', `rolling=${count}`]);
      await settled(count);
    },
    async end() {
      await docker(['service', 'rm', 'rolling']);
      await untilDocker('the end of its containers', async () => (await docker(['ps', '-q'])) === '');
      await docker(['swarm', 'leave', '--force']);
    },
  };
}

async function untilDocker(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DOCKER_MS;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`docker: ${what} took more than ${DOCKER_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
