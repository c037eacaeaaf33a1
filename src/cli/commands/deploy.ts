import { Fault } from '#base/fault.ts';
import type { Answer, Client } from '../client.ts';
import { clusterOption, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import { rollOut } from '../deployments.ts';
import { pullImage } from '../launch.ts';
import { parseEnvironment } from '../names.ts';
import { mustFindService } from '../services.ts';
import { silentSteps } from '../steps.ts';

export const deploy: Command = {
  name: 'deploy',
  section: 'Run things',
  summary: 'bring a service to a new image, without losing a request',
  about:
    'Registers the service’s task definition anew with the image (and environment) given, updates the service, and follows the deployment to its end. A deployment that ' +
    'fails says why, with the last log lines, and exits with 1; what ran before goes on.',
  positionals: [{ name: 'NAME', required: true, summary: 'a service' }],
  options: [
    { name: 'image', short: 'i', value: 'REF', summary: 'the new image (default: the same again, its tag looked up anew)' },
    { name: 'container', value: 'NAME', summary: 'which container gets it (default: the first essential one)' },
    { name: 'env', short: 'e', value: 'K=V', repeat: true, summary: 'set an environment variable; may be repeated' },
    { name: 'no-wait', summary: 'return once the deployment began' },
    clusterOption,
    jsonOption,
  ],
  examples: [
    { command: 'berth deploy web --image ghcr.io/me/web:1.3', note: 'roll out a version' },
    { command: 'berth deploy web --env LOG=debug', note: 'the same image, another setting' },
  ],
  async run(args, context) {
    const client = await context.connect();
    const cluster = args.text('cluster') ?? 'default';
    const name = args.positional('NAME') ?? '';
    const json = args.has('json');
    const service = await mustFindService(client, cluster, name);
    const change = { image: args.text('image'), container: args.text('container'), environment: parseEnvironment(args.list('env')) };
    const definition = await changedDefinition(client, service.definitionArn, change);
    // A pull that fails changes nothing.
    await pullImage(client, json ? { ...context, steps: silentSteps } : context, definition.image, 'always');
    const title = `${name} to ${definition.image}`;
    return rollOut(client, context, { cluster, service: name, title, json, wait: !args.has('no-wait') }, async () => {
      const { taskDefinition } = await client.call('ecs', 'RegisterTaskDefinition', definition.input);
      const update = { taskDefinition: taskDefinition.taskDefinitionArn, forceNewDeployment: true };
      await client.call('ecs', 'UpdateService', { cluster, service: name, ...update });
    });
  },
};

type Change = { image: string | undefined; container: string | undefined; environment: { name: string; value: string }[] };

/** The definition as RegisterTaskDefinition takes it, with the change made. */
async function changedDefinition(client: Client, arn: string, change: Change): Promise<{ input: Record<string, unknown>; image: string }> {
  const { taskDefinition, tags } = await client.call('ecs', 'DescribeTaskDefinition', { taskDefinition: arn, include: ['TAGS'] });
  const containers: Answer[] = taskDefinition.containerDefinitions;
  const chosen =
    change.container === undefined
      ? (containers.find((container) => container.essential !== false) ?? containers[0])
      : containers.find((container) => container.name === change.container);
  if (chosen === undefined) {
    const names = containers.map((container) => container.name).join(', ');
    throw new Fault('InvalidParameter', `no container is called '${change.container}'; there are: ${names}`, { details: { usage: true } });
  }
  const set = new Set(change.environment.map((entry) => entry.name));
  const environment = [...(chosen.environment ?? []).filter((entry: Answer) => !set.has(entry.name)), ...change.environment];
  const changed = { ...chosen, image: change.image ?? chosen.image, environment };
  const input = Object.fromEntries(
    registered.flatMap((member) => (taskDefinition[member] === undefined ? [] : [[member, taskDefinition[member]]])),
  );
  return {
    input: {
      ...input,
      containerDefinitions: containers.map((container) => (container === chosen ? changed : container)),
      ...((tags ?? []).length > 0 ? { tags } : {}),
    },
    image: changed.image,
  };
}

/** Members of a described definition that RegisterTaskDefinition takes (API reference). */
const registered = [
  'family',
  'taskRoleArn',
  'executionRoleArn',
  'networkMode',
  'volumes',
  'placementConstraints',
  'requiresCompatibilities',
  'cpu',
  'memory',
  'pidMode',
  'ipcMode',
  'proxyConfiguration',
  'inferenceAccelerators',
  'ephemeralStorage',
  'runtimePlatform',
  'enableFaultInjection',
];
