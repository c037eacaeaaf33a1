/** Services as the commands see them: found by name, followed through a deployment, and put into words. */
import { Fault } from '#base/fault.ts';
import type { Answer, Client } from './client.ts';
import type { Context } from './command.ts';
import { pause } from './launch.ts';

export type ServiceEvent = { id: string; at: number; message: string };

export type ServiceRow = {
  arn: string;
  name: string;
  status: string;
  desired: number;
  running: number;
  pending: number;
  definitionArn: string;
  /** ARN of the deployment that is under way or was the last. */
  deploymentArn: string | null;
  /** How many revisions have tasks: one when it is steady. */
  revisions: number;
  rolloutState: string;
  /** Newest first. */
  events: ServiceEvent[];
  /** Made in one call, with its load balancer. */
  express: boolean;
};

/** How a deployment ended, or where it is. */
export type DeploymentRow = { arn: string; status: string; reason: string | null; stage: string | null };

const POLL_MS = 150;
/** Statuses of a deployment that is over (ECS API reference, ServiceDeployment). */
const over = new Set(['SUCCESSFUL', 'STOPPED', 'ROLLBACK_SUCCESSFUL', 'ROLLBACK_FAILED']);

/** The service of this name that isn't gone; undefined when there is none. */
export async function findService(client: Client, cluster: string, name: string): Promise<ServiceRow | undefined> {
  const answer = await client.call('ecs', 'DescribeServices', { cluster, services: [name], include: ['TAGS'] });
  const service: Answer = answer.services?.[0];
  return service === undefined || service.status === 'INACTIVE' ? undefined : serviceRow(service);
}

/** Throws ResourceNotFound with the services that there are. */
export async function mustFindService(client: Client, cluster: string, name: string): Promise<ServiceRow> {
  const found = await findService(client, cluster, name);
  if (found !== undefined) return found;
  const names = (await listServices(client, cluster)).slice(0, 10);
  const hint = names.length === 0 ? 'there is none yet: berth run NAME --image REF --port N makes one' : `there are: ${names.join(', ')}`;
  throw new Fault('ResourceNotFound', `no service is called '${name}'; ${hint}`);
}

export async function listServices(client: Client, cluster: string): Promise<string[]> {
  const names: string[] = [];
  let nextToken: string | undefined;
  do {
    const page: Answer = await client.call('ecs', 'ListServices', { cluster, maxResults: 100, nextToken });
    names.push(...page.serviceArns.map((arn: string) => arn.split('/').at(-1) ?? ''));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return names.sort();
}

/** DescribeServices takes at most 10 (API reference). */
const DESCRIBE_MAX = 10;

export async function describeServices(client: Client, cluster: string, names: readonly string[]): Promise<ServiceRow[]> {
  const rows: ServiceRow[] = [];
  for (let from = 0; from < names.length; from += DESCRIBE_MAX) {
    const answer = await client.call('ecs', 'DescribeServices', { cluster, services: names.slice(from, from + DESCRIBE_MAX) });
    rows.push(...(answer.services ?? []).map(serviceRow));
  }
  return rows;
}

/** Names of those services of the tasks that were made in one call: each has its name on the front door. */
export async function expressServices(
  client: Client,
  cluster: string,
  tasks: readonly { service: string | null }[],
): Promise<ReadonlySet<string>> {
  const names = [...new Set(tasks.flatMap((task) => (task.service === null ? [] : [task.service])))];
  const rows = await describeServices(client, cluster, names);
  return new Set(rows.filter((service) => service.express).map((service) => service.name));
}

export function serviceRow(service: Answer): ServiceRow {
  const primary: Answer = service.deployments?.find((one: Answer) => one.status === 'PRIMARY');
  return {
    arn: service.serviceArn,
    name: service.serviceName,
    status: service.status,
    desired: service.desiredCount,
    running: service.runningCount,
    pending: service.pendingCount,
    definitionArn: service.taskDefinition ?? '',
    deploymentArn: service.currentServiceDeployment ?? null,
    revisions: service.deployments?.length ?? 0,
    rolloutState: primary?.rolloutState ?? '',
    events: (service.events ?? []).map((event: Answer) => ({
      id: event.id,
      at: Math.round(event.createdAt * 1000),
      message: event.message,
    })),
    express: service.resourceManagementType === 'ECS',
  };
}

export async function describeDeployment(client: Client, arn: string): Promise<DeploymentRow> {
  const answer = await client.call('ecs', 'DescribeServiceDeployments', { serviceDeploymentArns: [arn] });
  const deployment: Answer = answer.serviceDeployments?.[0];
  if (deployment === undefined) throw new Fault('ResourceNotFound', `the deployment ${arn} is gone`);
  return {
    arn,
    status: deployment.status,
    reason: deployment.statusReason ?? null,
    stage: deployment.lifecycleStage ?? null,
  };
}

/** The newest deployment made since; services are brought to it before long. Throws TimedOut when none shows up. */
export async function newestDeployment(client: Client, context: Context, cluster: string, service: string, since: number): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await client.call('ecs', 'ListServiceDeployments', { cluster, service, maxResults: 100 });
    const made: Answer[] = (answer.serviceDeployments ?? []).filter((one: Answer) => one.createdAt * 1000 >= since - 1);
    const newest = made.toSorted((a, b) => b.createdAt - a.createdAt)[0];
    if (newest !== undefined) return newest.serviceDeploymentArn;
    await pause(context, POLL_MS);
  }
  throw new Fault('TimedOut', `no deployment of '${service}' began: berth events ${service} may say why`);
}

/** Until the deployment is over; `progress` hears of the counts and of what was said last. */
export async function followDeployment(
  client: Client,
  context: Context,
  place: { cluster: string; service: string; deploymentArn: string },
  progress: (detail: string) => void,
): Promise<DeploymentRow> {
  for (;;) {
    const deployment = await describeDeployment(client, place.deploymentArn);
    if (over.has(deployment.status)) return deployment;
    const service = await findService(client, place.cluster, place.service);
    if (service === undefined) throw new Fault('Conflict', `the service '${place.service}' was deleted meanwhile`);
    progress(standing(service, deployment));
    await pause(context, POLL_MS);
  }
}

function standing(service: ServiceRow, deployment: DeploymentRow): string {
  const counts = `${service.running} of ${service.desired} running`;
  const stage = deployment.stage === null ? [] : [deployment.stage.toLowerCase().replaceAll('_', ' ')];
  return [counts, ...stage].join(', ');
}

/** Until as many run as are wanted and no other revision has tasks. */
export async function waitSteady(
  client: Client,
  context: Context,
  cluster: string,
  name: string,
  progress: (detail: string) => void,
): Promise<ServiceRow> {
  for (;;) {
    const service = await mustFindService(client, cluster, name);
    if (service.running === service.desired && service.pending === 0 && service.revisions <= 1) return service;
    progress(`${service.running} of ${service.desired} running${service.pending > 0 ? `, ${service.pending} starting` : ''}`);
    await pause(context, POLL_MS);
  }
}

/** Until the service is INACTIVE, and with it its last task is gone. */
export async function waitGone(client: Client, context: Context, cluster: string, name: string): Promise<void> {
  while ((await findService(client, cluster, name)) !== undefined) await pause(context, POLL_MS);
}

/** `(service web) has started 1 tasks: (task 3f2a...).` reads better without its own name, and with short ids. */
export function eventText(event: ServiceEvent, service: string): string {
  return event.message
    .replace(`(service ${service}) `, '')
    .replaceAll(/\(task ([0-9a-f]{8})[0-9a-f]{24}\)/g, '(task $1)')
    .replaceAll(/arn:aws:elasticloadbalancing:[^ )]*:targetgroup\/([^/ )]+)\/[0-9a-f]{16}/g, '$1');
}
