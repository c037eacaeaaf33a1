/**
 * What `run` with a port and `demo` do: an image becomes an Express gateway service (ECS: image in, URL out), which is followed until its tasks are
 * healthy behind the load balancer and its URL was seen to answer.
 */
import { Fault } from '#base/fault.ts';
import type { Answer, Client } from './client.ts';
import type { Context } from './command.ts';
import { checkUrl, endpointUrl } from './endpoint.ts';
import { definitionInput, stopAll, TaskFailure } from './launch.ts';
import type { Launch, Launched } from './launch.ts';
import { allowVolumes } from './run-volumes.ts';
import { findService, followDeployment, newestDeployment, waitGone } from './services.ts';
import type { ServiceRow } from './services.ts';
import { listTasks } from './tasks.ts';
import type { TaskRow } from './tasks.ts';

/** Tags of a service that say what an Express service has no member for. */
const TAGS = {
  isolation: 'berth:isolation',
  healthCodes: 'berth:health-codes',
  deployment: 'berth:deployment',
  exec: 'berth:exec',
} as const;
/** Any answer but a server's error shows that the program is up: not every service has something at `/`. */
const HEALTHY_CODES = '200-499';
const MOST_TASKS = 20;

/** What this run began: undone when it is interrupted or fails. */
type Begun = { definitionArn: string | null; deploymentArn: string | null; created: boolean };

export async function launchService(
  client: Client,
  context: Context,
  plan: Launch & { port: number },
  platform: Answer,
): Promise<Launched> {
  const begun: Begun = { definitionArn: null, deploymentArn: null, created: false };
  try {
    return await launchSteps(client, context, plan, platform, begun);
  } catch (error) {
    if (context.signal.aborted) await undo(context, plan, begun);
    else if (error instanceof TaskFailure && begun.created) await remove(client, plan);
    throw error;
  }
}

async function launchSteps(
  client: Client,
  context: Context,
  plan: Launch & { port: number },
  platform: Answer,
  begun: Begun,
): Promise<Launched> {
  const { steps } = context;
  const existing = await findService(client, plan.cluster, plan.name);
  assertOurs(existing, plan.name);
  const lone = (await listTasks(client, plan.cluster, { stopped: false, family: plan.name })).filter((task) => task.service === null);
  await allowVolumes(client, context, plan.cluster, plan.volumes);
  begun.definitionArn = await steps.run(
    'Task definition',
    async () =>
      (await client.call('ecs', 'RegisterTaskDefinition', definitionInput(plan, platform, 'Main'))).taskDefinition.taskDefinitionArn,
    (arn) => arn.split('/').at(-1) ?? '',
  );
  const definitionArn = begun.definitionArn ?? '';
  const since = context.clock.now();
  await steps.run(existing === undefined ? 'Service, load balancer and target group' : 'Service updated', async () => {
    await (existing === undefined ? create(client, plan, platform, definitionArn) : update(client, plan, existing, definitionArn));
    begun.created = existing === undefined;
  });
  const place = { cluster: plan.cluster, service: plan.name };
  begun.deploymentArn = await newestDeployment(client, context, plan.cluster, plan.name, since);
  const deploymentArn = begun.deploymentArn;
  await steps.run(
    plan.count === 1 ? 'Healthy behind its load balancer' : `${plan.count} tasks healthy behind their load balancer`,
    async (progress) => {
      const ended = await followDeployment(client, context, { ...place, deploymentArn }, progress);
      if (ended.status !== 'SUCCESSFUL')
        throw new TaskFailure(ended.reason ?? `the deployment ended as ${ended.status}`, await failedTasks(client, plan, since));
    },
  );
  const tasks = await runningTasks(client, plan);
  if (lone.length > 0) await steps.run('Former tasks stopped', () => stopAll(client, plan.cluster, lone, 'replaced by a newer berth run'));
  const address = { name: plan.name, listen: platform.endpoint.listen, port: platform.endpoint.port };
  const emulated = tasks.some((task) => task.accelerator === 'tcg');
  const alive = async () => {
    if ((await runningTasks(client, plan)).length === 0)
      throw new TaskFailure('its tasks ended before the URL answered', await failedTasks(client, plan, since));
  };
  const httpStatus = await steps.run(
    endpointUrl(address),
    () => checkUrl(context, address, alive, emulated),
    (status) => `answers ${status}`,
  );
  return { tasks, port: plan.port, url: endpointUrl(address), httpStatus, definitionArn, finished: false };
}

function assertOurs(existing: ServiceRow | undefined, name: string): void {
  if (existing === undefined || existing.express) return;
  throw new Fault(
    'Conflict',
    `'${name}' is a service that was not made by berth run: use berth deploy ${name} --image REF, or another name`,
  );
}

async function create(client: Client, plan: Launch, platform: Answer, taskDefinitionArn: string): Promise<void> {
  await client.call('ecs', 'CreateExpressGatewayService', {
    serviceName: plan.name,
    cluster: plan.cluster,
    infrastructureRoleArn: `arn:aws:iam::${platform.account}:role/ecsInfrastructureRoleForExpressServices`,
    taskDefinitionArn,
    healthCheckPath: '/',
    networkConfiguration: { subnets: platform.network.subnetIds, securityGroups: platform.network.securityGroupIds },
    scalingTarget: scalingOf(plan),
    tags: [
      { key: TAGS.healthCodes, value: HEALTHY_CODES },
      { key: TAGS.deployment, value: 'ROLLING' },
      { key: TAGS.exec, value: 'on' },
      ...(plan.isolation === null ? [] : [{ key: TAGS.isolation, value: plan.isolation }]),
    ],
  });
}

async function update(client: Client, plan: Launch, existing: ServiceRow, taskDefinitionArn: string): Promise<void> {
  if (plan.isolation !== null) {
    await client.call('ecs', 'TagResource', { resourceArn: existing.arn, tags: [{ key: TAGS.isolation, value: plan.isolation }] });
  }
  await client.call('ecs', 'UpdateExpressGatewayService', { serviceArn: existing.arn, taskDefinitionArn, scalingTarget: scalingOf(plan) });
}

const scalingOf = (plan: Launch) => ({ minTaskCount: plan.count, maxTaskCount: Math.max(plan.count, MOST_TASKS) });

async function runningTasks(client: Client, plan: Launch): Promise<TaskRow[]> {
  return (await listTasks(client, plan.cluster, { stopped: false, family: plan.name })).filter((task) => task.service === plan.name);
}

async function failedTasks(client: Client, plan: Launch, since: number): Promise<TaskRow[]> {
  const tasks = await listTasks(client, plan.cluster, { stopped: true, family: plan.name });
  return tasks.filter((task) => task.service === plan.name && task.createdAt >= since - 1 && task.status === 'STOPPED');
}

/** A first run that failed leaves no service that goes on trying. */
async function remove(client: Client, plan: Launch): Promise<void> {
  const service = await findService(client, plan.cluster, plan.name);
  if (service !== undefined) await client.call('ecs', 'DeleteExpressGatewayService', { serviceArn: service.arn });
}

async function undo(context: Context, plan: Launch, begun: Begun): Promise<void> {
  if (begun.definitionArn === null) return;
  const client = await context.connectForCleanUp();
  if (begun.created) await remove(client, plan);
  else if (begun.deploymentArn !== null) {
    await client.call('ecs', 'StopServiceDeployment', { serviceDeploymentArn: begun.deploymentArn, stopType: 'ROLLBACK' });
    context.terminal.note(`The deployment of ${plan.name} is being undone: ${context.self} events ${plan.name}`);
    return;
  }
  await client.call('ecs', 'DeregisterTaskDefinition', { taskDefinition: begun.definitionArn });
  if (begun.created) context.terminal.note(`What this run began is being removed (${plan.name}).`);
}

/** Deletes a service, whoever made it, and waits until its tasks are gone. */
export async function deleteService(client: Client, context: Context, cluster: string, service: ServiceRow): Promise<void> {
  if (service.express) await client.call('ecs', 'DeleteExpressGatewayService', { serviceArn: service.arn });
  else await client.call('ecs', 'DeleteService', { cluster, service: service.name, force: true });
  await waitGone(client, context, cluster, service.name);
}
