import { Fault } from '#base/fault.ts';
import type { Answer, Client } from '../client.ts';
import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command, Context } from '../command.ts';
import { rollOut } from '../deployments.ts';
import { followDeployment, mustFindService } from '../services.ts';
import { silentSteps } from '../steps.ts';

export const rollback: Command = {
  name: 'rollback',
  section: 'Run things',
  summary: 'bring a service back to what it ran before',
  about:
    'While a deployment is under way it is stopped and undone (StopServiceDeployment). Otherwise the service is brought to the task definition of the deployment that succeeded before ' +
    'the last one.',
  positionals: [{ name: 'NAME', required: true, summary: 'a service' }],
  options: [{ name: 'no-wait', summary: 'return once the rollback began' }, clusterOption, jsonOption],
  examples: [{ command: 'berth rollback web', note: 'one step back' }],
  async run(args, context) {
    const client = await context.connect();
    const place = { cluster: args.text('cluster') ?? 'default', service: args.positional('NAME') ?? '' };
    const json = args.has('json');
    const wait = !args.has('no-wait');
    await mustFindService(client, place.cluster, place.service);
    const answer = await client.call('ecs', 'ListServiceDeployments', { ...place, maxResults: 100 });
    const newestFirst: Answer[] = (answer.serviceDeployments ?? []).toSorted((a: Answer, b: Answer) => b.createdAt - a.createdAt);
    const running = newestFirst.find((one) => one.status === 'PENDING' || one.status === 'IN_PROGRESS');
    if (running !== undefined) return undo(client, context, { ...place, deploymentArn: running.serviceDeploymentArn }, json, wait);
    const before = await formerDefinition(client, place.service, newestFirst);
    const title = `${place.service} back to ${before.split('/').at(-1)}`;
    return rollOut(client, context, { ...place, title, json, wait }, async () => {
      await client.call('ecs', 'UpdateService', { ...place, taskDefinition: before });
    });
  },
};

type Place = { cluster: string; service: string; deploymentArn: string };

async function undo(client: Client, context: Context, place: Place, json: boolean, wait: boolean): Promise<number> {
  await client.call('ecs', 'StopServiceDeployment', { serviceDeploymentArn: place.deploymentArn, stopType: 'ROLLBACK' });
  const { terminal } = context;
  if (!wait) {
    terminal.line(
      json ? JSON.stringify({ name: place.service, status: 'ROLLBACK_REQUESTED' }) : `The deployment of ${place.service} is being undone.`,
    );
    return exitCodes.ok;
  }
  const steps = json ? silentSteps : context.steps;
  const ended = await steps.run(
    `Deployment of ${place.service} undone`,
    (progress) => followDeployment(client, context, place, progress),
    (deployment) => deployment.status.toLowerCase().replaceAll('_', ' '),
  );
  if (json) terminal.line(JSON.stringify({ name: place.service, status: ended.status, reason: ended.reason }, null, 2));
  return ended.status === 'ROLLBACK_SUCCESSFUL' ? exitCodes.ok : exitCodes.failed;
}

/** The task definition of the successful deployment before the one that holds now. */
async function formerDefinition(client: Client, service: string, newestFirst: Answer[]): Promise<string> {
  const well = newestFirst.filter((one) => one.status === 'SUCCESSFUL' || one.status === 'ROLLBACK_SUCCESSFUL');
  const arns: string[] = [...new Set(well.map((one) => one.targetServiceRevisionArn as string))].slice(0, 20);
  if (arns.length > 1) {
    const { serviceRevisions } = await client.call('ecs', 'DescribeServiceRevisions', { serviceRevisionArns: arns });
    const definitions = arns.map((arn) => serviceRevisions.find((one: Answer) => one.serviceRevisionArn === arn)?.taskDefinition);
    const [now, ...former] = definitions.filter((one): one is string => one !== undefined);
    const before = former.find((one) => one !== now);
    if (before !== undefined) return before;
  }
  throw new Fault('Conflict', `'${service}' has nothing to go back to: no other task definition was deployed to the end`);
}
