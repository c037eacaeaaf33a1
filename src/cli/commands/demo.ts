import { isFault } from '#base/fault.ts';
import type { Answer, Client } from '../client.ts';
import { exitCodes } from '../command.ts';
import type { Command, Context } from '../command.ts';
import { ask, endpointUrl } from '../endpoint.ts';
import { showFailure } from '../failure.ts';
import { formatSeconds } from '../format.ts';
import { isolationLine, isolationOf } from '../isolation.ts';
import { pullImage, TaskFailure } from '../launch.ts';
import type { Launch } from '../launch.ts';
import { launchService } from '../launch-service.ts';
import { listTasks } from '../tasks.ts';
import { importStep } from './image.ts';

const NAME = 'demo';
/** Two, so that there is something to balance, and one may die unnoticed. */
const COUNT = 2;
const REGISTRY_IMAGE = 'docker.io/library/nginx:latest';
/** What berth builds where Docker Hub can't be reached. */
const LOCAL_IMAGE = 'berth.local/nginx:debian';

export const demo: Command = {
  name: 'demo',
  section: 'Start here',
  summary: 'from a bare machine to two tasks behind one URL (needs root)',
  about:
    'Sets up, starts the platform, gets nginx (from Docker Hub where that is reachable, else built from the distribution’s own package), runs ' +
    'two tasks of it behind a load balancer, and checks the URL. Run again, it only checks and takes seconds.',
  options: [],
  examples: [{ command: 'sudo berth demo', note: 'a minute or two the first time: it compiles the supervisor' }],
  async run(_args, context) {
    const began = context.clock.now();
    const platform = await context.platform();
    await platform.setUp(context.steps, { quiet: false });
    await platform.up({}, context.steps);
    const client = await context.connect();
    const described = await client.call('berth', 'DescribePlatform', {});
    const url = (await alreadyRuns(client, context, described)) ?? (await runNginx(client, context, described));
    if (url === undefined) return exitCodes.failed;
    finish(context, url, context.clock.now() - began);
    return exitCodes.ok;
  },
};

async function alreadyRuns(client: Client, context: Context, described: Answer): Promise<string | undefined> {
  const tasks = await listTasks(client, 'default', { stopped: false, family: NAME });
  if (!tasks.some((task) => task.status === 'RUNNING')) return undefined;
  const address = { name: NAME, listen: described.endpoint.listen, port: described.endpoint.port };
  const answer = await ask(context, address);
  if (answer === undefined || answer.waiting) return undefined;
  context.steps.already(endpointUrl(address), `runs since the last demo, answers ${answer.status}`);
  return endpointUrl(address);
}

async function runNginx(client: Client, context: Context, described: Answer): Promise<string | undefined> {
  const image = await getImage(client, context);
  const plan: Launch & { port: number } = {
    name: NAME,
    image,
    checkTag: 'if-missing',
    size: { cpu: 256, memory: 512 },
    port: 80,
    environment: [],
    volumes: [],
    command: null,
    entryPoint: null,
    count: COUNT,
    isolation: null,
    cluster: 'default',
  };
  const defaults: [string, string][] = [
    ['size 0.25 vCPU, 512 MB', 'Fargate’s smallest; a web server needs no more'],
    [`${COUNT} tasks`, 'behind one URL: one of them may die, and nobody notices'],
    ['port 80', 'what nginx listens on, in a network of its own: no clash with this machine'],
    isolationLine(await isolationOf(client, plan, described)),
    ['cluster default', 'exists in every region from the start'],
  ];
  for (const [what, why] of defaults) context.terminal.line(`  ${what.padEnd(24)}${context.terminal.style('dim', why)}`);
  try {
    return (await launchService(client, context, plan, described)).url ?? undefined;
  } catch (error) {
    if (!(error instanceof TaskFailure)) throw error;
    await showFailure(context, client, error.message, error.tasks);
    return undefined;
  }
}

/** What is here already, else Docker Hub's, else one built on the spot. */
async function getImage(client: Client, context: Context): Promise<string> {
  const { images } = await client.call('berth', 'ListImages', {});
  const here = [REGISTRY_IMAGE, LOCAL_IMAGE].find((ref) => images.some((image: Answer) => image.refs.includes(ref)));
  if (here !== undefined) {
    context.steps.already(`Image ${here}`);
    return here;
  }
  const platform = await context.platform();
  if (await platform.registryAnswers()) {
    try {
      await pullImage(client, context, REGISTRY_IMAGE, 'if-missing');
      return REGISTRY_IMAGE;
    } catch (error) {
      // Docker Hub turns away who pulls too often.
      if (!isFault(error, 'CannotPullContainer')) throw error;
      context.terminal.line(context.terminal.style('dim', `  ${error.message}`));
    }
  }
  const built = await context.steps.run('Image built from the distribution’s nginx package (no image from Docker Hub)', (progress) =>
    platform.buildNginx(progress),
  );
  await importStep(context, built.path, built.ref);
  return built.ref;
}

function finish(context: Context, url: string, tookMs: number): void {
  const { terminal, self } = context;
  terminal.line();
  terminal.line(`${terminal.style('bold', url)}  answers; the whole demo took ${formatSeconds(tookMs)}`);
  terminal.line();
  terminal.line('Next:');
  const next: [string, string][] = [
    [`curl ${url}`, 'or open it in a browser'],
    [`${self} deploy ${NAME} --env COLOR=blue`, 'roll out a change without losing a request'],
    [`${self} logs ${NAME} -f`, 'see the requests come in'],
    [`eval "$(${self} env)"; aws ecs list-tasks`, 'the stock AWS tools, pointed here'],
  ];
  const width = Math.max(...next.map(([command]) => command.length)) + 3;
  for (const [command, note] of next) terminal.line(`  ${terminal.style('cyan', command.padEnd(width))}${terminal.style('dim', note)}`);
}
