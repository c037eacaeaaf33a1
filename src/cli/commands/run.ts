import { checkName, nameOfImage, parseEnvironment } from '../names.ts';
import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command, Context } from '../command.ts';
import type { Arguments } from '../arguments.ts';
import { splitWords } from '../arguments.ts';
import type { Answer, Client } from '../client.ts';
import { isolationLine, isolationOf, isolationWishes } from '../isolation.ts';
import type { Isolation } from '../isolation.ts';
import { exposedTcpPort, launch, pullImage, TaskFailure } from '../launch.ts';
import type { Launch, Launched, PulledImage } from '../launch.ts';
import { launchService } from '../launch-service.ts';
import { parseCpu, parseMemory, smallestSize } from '../sizes.ts';
import { formatCpu, formatMemory } from '../format.ts';
import { showFailure, showOutput } from '../failure.ts';
import { parseVolumes } from '../run-volumes.ts';
import { silentSteps } from '../steps.ts';
import { Fault } from '#base/fault.ts';

const DEFAULT_CPU = 256;
const DEFAULT_MEMORY = 512;
const RUN_MAX = 200;

export const run: Command = {
  name: 'run',
  section: 'Run things',
  summary: 'run an image, and wait until its URL answers',
  about:
    'Registers a task definition named NAME and runs it on Fargate terms (its own address, size and log group /berth/NAME). With a port it becomes a service ' +
    '(an ECS Express gateway service): so many tasks, kept alive, behind a load balancer, at http://NAME.localhost:8080 and, inside other tasks, at ' +
    'https://NAME.ecs.REGION.berth.internal. Run again, it is brought to the new image without losing a request. Without a port it is a job: tasks that run or end. ' +
    'A failed run prints why and the last log lines, leaves what ran before as it was, and exits with 1.',
  positionals: [
    { name: 'NAME', required: false, summary: 'name of the service, its URL and its task definitions (default: made of the image)' },
  ],
  rest: 'COMMAND is run instead of the image’s own, word by word',
  options: [
    { name: 'image', short: 'i', value: 'REF', summary: 'image: nginx, ghcr.io/me/app:1.2, or one of berth image ls (required)' },
    { name: 'port', short: 'p', value: 'N', summary: 'port that the program listens on (default: what the image exposes)' },
    { name: 'env', short: 'e', value: 'K=V', repeat: true, summary: 'environment variable; may be repeated' },
    {
      name: 'volume',
      short: 'v',
      value: 'NAME:/PATH',
      repeat: true,
      summary: 'volume that outlives the tasks, made when it isn’t there; :ro to read only; may be repeated',
    },
    { name: 'cpu', value: 'AMOUNT', summary: 'CPU: 256 units, 0.25, "1 vCPU"; rounded up to a Fargate size (default: 0.25 vCPU)' },
    { name: 'memory', short: 'm', value: 'AMOUNT', summary: 'memory: 512, 512MB, 2GB; rounded up to a Fargate size (default: 512 MB)' },
    { name: 'count', short: 'n', value: 'N', summary: `how many tasks (1 to ${RUN_MAX}, default: 1)` },
    { name: 'command', value: 'LINE', summary: 'command instead of the image’s own, split as a shell would; or put it after --' },
    { name: 'entrypoint', value: 'LINE', summary: 'entry point instead of the image’s own' },
    {
      name: 'isolation',
      value: 'KIND',
      summary: 'auto, container, gvisor or microvm (default: the cluster’s, else auto: the strongest that works)',
    },
    { name: 'check-tag', value: 'WHEN', summary: 'always: ask the registry whether the tag moved; if-missing (default): use what is here' },
    clusterOption,
    jsonOption,
  ],
  examples: [
    { command: 'berth run --image nginx', note: 'a web server at http://nginx.localhost:8080' },
    {
      command: 'berth run api --image ghcr.io/me/api:3 --port 3000 --env LOG=debug --memory 1GB',
      note: 'your own service, with its own size',
    },
    { command: 'berth run hello --image busybox -- sh -c "echo hello; date"', note: 'a job that ends; its output: berth logs hello' },
    {
      command: 'berth run db --image postgres --volume data:/var/lib/postgresql/data',
      note: 'what it writes is there at the next run: berth volumes ls',
    },
    { command: 'berth run web --image nginx --count 3', note: 'three tasks behind one URL; later: berth scale web 5' },
  ],
  async run(args, context) {
    const wish = readWish(args);
    const client = await context.connect();
    const platform = await client.call('berth', 'DescribePlatform', {});
    const quiet = args.has('json') ? { ...context, steps: silentSteps } : context;
    try {
      const image = await pullImage(client, quiet, wish.image, wish.checkTag);
      const plan = { ...wish, port: wish.port ?? exposedTcpPort(image.exposedPorts) };
      const isolation = await isolationOf(client, plan, platform);
      if (!args.has('json')) explain(args, context, plan, image, isolation);
      const launched = await start(client, quiet, plan, platform);
      report(args, context, plan, launched);
      if (launched.finished && !args.has('json')) await showOutput(context, client, launched.tasks);
      return exitCodes.ok;
    } catch (error) {
      if (error instanceof TaskFailure) return await failed(context, client, error, args.has('json'));
      throw error;
    }
  },
};

/** With a port it is a service behind a load balancer; without one, tasks that run or end. */
function start(client: Client, context: Context, plan: Launch, platform: Answer): Promise<Launched> {
  const { port } = plan;
  return port === null ? launch(client, context, plan, platform) : launchService(client, context, { ...plan, port }, platform);
}

async function failed(context: Context, client: Client, failure: TaskFailure, json: boolean): Promise<number> {
  if (json) context.terminal.line(JSON.stringify({ error: failure.message, tasks: failure.tasks }, null, 2));
  else await showFailure(context, client, failure.message, failure.tasks);
  return exitCodes.failed;
}

/** What the command line asks for; a port that was left out is decided by the image. */
export function readWish(args: Arguments): Launch {
  const image = args.text('image');
  if (image === undefined)
    throw new Fault('InvalidParameter', 'berth run needs an image: --image REF (for example --image nginx)', { details: { usage: true } });
  const line = args.text('command');
  const entryPoint = args.text('entrypoint');
  const command = args.rest.length > 0 ? args.rest : line === undefined ? null : splitWords(line);
  return {
    name: checkName(args.positional('NAME') ?? nameOfImage(image)),
    image,
    checkTag: args.oneOf('check-tag', ['if-missing', 'always']) ?? 'if-missing',
    size: smallestSize(parseCpu(args.text('cpu') ?? String(DEFAULT_CPU)), parseMemory(args.text('memory') ?? String(DEFAULT_MEMORY))),
    port: args.integer('port', { min: 1, max: 65_535 }) ?? null,
    environment: parseEnvironment(args.list('env')),
    volumes: parseVolumes(args.list('volume')),
    command,
    entryPoint: entryPoint === undefined ? null : splitWords(entryPoint),
    count: args.integer('count', { min: 1, max: RUN_MAX }) ?? 1,
    isolation: args.oneOf('isolation', isolationWishes) ?? null,
    cluster: args.text('cluster') ?? 'default',
  };
}

/** The defaults that were taken, each with its reason. */
export function explainDefaults(
  given: (option: string) => boolean,
  plan: Launch,
  image: PulledImage,
  isolation: Isolation,
): [string, string][] {
  const lines: [string, string][] = [];
  const size = `${formatCpu(plan.size.cpu)}, ${formatMemory(plan.size.memory)}`;
  if (!given('cpu') && !given('memory')) lines.push([`size ${size}`, 'Fargate’s smallest; --cpu and --memory give more']);
  else lines.push([`size ${size}`, 'the smallest Fargate size that holds what you asked']);
  if (!given('port') && plan.port !== null)
    lines.push([`port ${plan.port}`, `the image exposes ${image.exposedPorts.join(', ')}; --port names another`]);
  if (plan.port === null) lines.push(['no URL', 'the image exposes no port; --port N gives it one']);
  lines.push(isolationLine(isolation));
  return lines;
}

function explain(args: Arguments, context: Context, plan: Launch, image: PulledImage, isolation: Isolation): void {
  const { terminal } = context;
  for (const [what, why] of explainDefaults((option) => args.has(option), plan, image, isolation)) {
    const shown = what.startsWith('isolation ') && isolation.warning !== null ? 'yellow' : 'dim';
    terminal.line(`  ${what.padEnd(24)}${terminal.style(shown, why)}`);
  }
}

function report(args: Arguments, context: Context, plan: Launch, launched: Launched): void {
  const { terminal } = context;
  if (args.has('json')) {
    terminal.line(
      JSON.stringify(
        {
          name: plan.name,
          url: launched.url,
          httpStatus: launched.httpStatus,
          taskDefinitionArn: launched.definitionArn,
          tasks: launched.tasks,
        },
        null,
        2,
      ),
    );
    return;
  }
  terminal.line();
  if (launched.url !== null) terminal.line(`${terminal.style('bold', launched.url)}  answers`);
  else if (launched.finished) terminal.line(`${plan.name} ran and ended with exit code 0`);
  else terminal.line(`${plan.name} runs at ${launched.tasks.map((task) => task.address).join(', ')}`);
}
