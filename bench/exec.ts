/**
 * A command in a container that runs: ExecuteCommand sent -> its first words in the caller's terminal, by AWS's plugin, against `docker exec -it`, one after
 * the other in turn. Starting the AWS CLI (half a second of Python) is nobody's doing here: its two calls are made by the SDK.
 */
import { createRequire } from 'node:module';
import { openTerminal, pluginDirectory, pluginSession, whyNoPlugin } from '../test/e2e/session-plugin.ts';
import type { Terminal } from '../test/e2e/session-plugin.ts';
import type { Bed } from './bed.ts';
import { IMAGE } from './bed.ts';
import { median, quantile, report } from './promises.ts';

const { ExecuteCommandCommand } = createRequire(import.meta.url)('@aws-sdk/client-ecs') as typeof import('@aws-sdk/client-ecs');
const ROUNDS = Number(process.env['BERTH_BENCH_ROUNDS'] ?? 25);
const WARM_UP = 3;

export async function exec(bed: Bed): Promise<boolean> {
  const why = whyNoPlugin();
  if (why !== undefined) throw new Error(why);
  pluginDirectory();
  await bed.define('entered', ['100000']);
  const [task] = await bed.runTasks('entered', 1, undefined, { enableExecuteCommand: true });
  const arn = task?.taskArn ?? '';
  await bed.running([arn], 20_000);
  const container = await bed.docker.docker(['run', '-d', IMAGE, '/stamp', '100000']);
  const [ours, dockers]: [number[], number[]] = [[], []];
  const shown = async (begin: () => Promise<Terminal>): Promise<number> => {
    const before = process.hrtime.bigint();
    const terminal = await begin();
    await terminal.shows(/\n\d{10,}\n/);
    const took = Number(process.hrtime.bigint() - before) / 1e6;
    await terminal.end();
    return took;
  };
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const our = await shown(async () => {
      const { session = {} } = await bed.ecs.send(new ExecuteCommandCommand({ task: arn, command: '/stamp', interactive: true }));
      return pluginSession(bed.berth, session, 'ecs:default');
    });
    const docker = await shown(async () => openTerminal(bed.docker.words(['exec', '-it', container, '/stamp']), {}));
    if (round < WARM_UP) continue;
    ours.push(our);
    dockers.push(docker);
  }
  await bed.stopTasks([arn]);
  await bed.docker.docker(['rm', '-f', container]);
  const line = (name: string, ms: number[]) => `${name} p50 ${median(ms).toFixed(1)} ms, p90 ${quantile(ms, 0.9).toFixed(1)} ms`;
  const detail = `${line('berth', ours)}; ${line('docker', dockers)}; ${ROUNDS} rounds`;
  const [prompt, ratio] = [report('exec-prompt', median(ours), detail), report('exec-docker', median(dockers) / median(ours), '')];
  return prompt && ratio;
}
