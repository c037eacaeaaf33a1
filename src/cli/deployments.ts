/** What `deploy` and `rollback` share: a service is brought to a task definition, followed to the end, and the end is told. */
import type { Client } from './client.ts';
import { exitCodes } from './command.ts';
import type { Context } from './command.ts';
import { showFailure } from './failure.ts';
import { eventText, findService, followDeployment, newestDeployment } from './services.ts';
import type { DeploymentRow } from './services.ts';
import { silentSteps } from './steps.ts';
import { listTasks } from './tasks.ts';

export type Rollout = { cluster: string; service: string; title: string; json: boolean; wait: boolean };

/** `begin` makes the deployment. Returns the exit code: 0 only when the deployment succeeded. */
export async function rollOut(client: Client, context: Context, rollout: Rollout, begin: () => Promise<void>): Promise<number> {
  const { cluster, service, json } = rollout;
  const since = context.clock.now();
  await begin();
  if (!rollout.wait) {
    context.terminal.line(json ? JSON.stringify({ name: service, status: 'IN_PROGRESS' }) : `${rollout.title} began.`);
    return exitCodes.ok;
  }
  const deploymentArn = await newestDeployment(client, context, cluster, service, since);
  const steps = json ? silentSteps : context.steps;
  const ended = await steps.run(
    rollout.title,
    (progress) => followDeployment(client, context, { cluster, service, deploymentArn }, progress),
    (deployment) => deployment.status.toLowerCase().replaceAll('_', ' '),
  );
  if (json) context.terminal.line(JSON.stringify({ name: service, status: ended.status, reason: ended.reason, deploymentArn }, null, 2));
  else if (ended.status !== 'SUCCESSFUL') await tellFailure(client, context, rollout, ended, since);
  return ended.status === 'SUCCESSFUL' ? exitCodes.ok : exitCodes.failed;
}

async function tellFailure(client: Client, context: Context, rollout: Rollout, ended: DeploymentRow, since: number): Promise<void> {
  const { cluster, service } = rollout;
  const now = await findService(client, cluster, service);
  const failed = (await listTasks(client, cluster, { stopped: true })).filter(
    (task) => task.service === service && task.createdAt >= since && task.status === 'STOPPED',
  );
  await showFailure(context, client, ended.reason ?? `the deployment ended as ${ended.status}`, failed);
  const events = (now?.events ?? []).filter((event) => event.at >= since).toReversed();
  for (const event of events.slice(-8)) context.terminal.line(`  ${context.terminal.style('dim', eventText(event, service))}`);
  if (now !== undefined) {
    context.terminal.line(`  ${service} runs ${now.definitionArn.split('/').at(-1)}: ${now.running} of ${now.desired} tasks.`);
  }
}
