import { Fault, isFault } from '#base/fault.ts';
import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import type { Client } from '../client.ts';
import { logGroup, stopAll, waitStopped } from '../launch.ts';
import { deleteService } from '../launch-service.ts';
import { findService } from '../services.ts';
import { listTasks } from '../tasks.ts';

/** DeleteTaskDefinitions takes at most 10 (API reference). */
const DELETE_MAX = 10;

export const rm: Command = {
  name: 'rm',
  section: 'Run things',
  summary: 'forget a name: its service, its definitions and its logs',
  about:
    'Deletes the service NAME with what was made for it, deregisters and deletes every revision of the task definition NAME and deletes the log group /berth/NAME. Refused while tasks run, unless --force stops them.',
  positionals: [{ name: 'NAME', required: true, summary: 'a name that berth run made' }],
  options: [
    { name: 'force', short: 'f', summary: 'stop its tasks first' },
    { name: 'keep-logs', summary: 'leave the log group' },
    clusterOption,
    jsonOption,
  ],
  examples: [{ command: 'berth rm web --force', note: 'stop web and forget it' }],
  async run(args, context) {
    const client = await context.connect();
    const name = args.positional('NAME') ?? '';
    const cluster = args.text('cluster') ?? 'default';
    const tasks = await listTasks(client, cluster, { stopped: false, family: name });
    if (tasks.length > 0 && !args.has('force')) {
      throw new Fault('Conflict', `${tasks.length} task(s) of '${name}' run: stop them first (berth stop ${name}), or add --force`);
    }
    const service = await findService(client, cluster, name);
    if (service !== undefined) await deleteService(client, context, cluster, service);
    const lone = tasks.filter((task) => task.service === null);
    await stopAll(client, cluster, lone, 'Task stopped by berth rm');
    if (tasks.length > 0) await waitStopped(client, context, cluster, tasks, () => undefined);
    const definitions = await removeDefinitions(client, name);
    const logs = args.has('keep-logs') ? false : await removeLogs(client, name);
    if (definitions === 0 && !logs && tasks.length === 0 && service === undefined)
      throw new Fault('ResourceNotFound', `there is nothing called '${name}'`);
    if (args.has('json')) context.terminal.line(JSON.stringify({ name, stoppedTasks: tasks.length, definitions, logs }));
    else
      context.terminal.line(
        `Forgot ${name}: ${definitions} definition(s)${logs ? ', its logs' : ''}${tasks.length > 0 ? `, stopped ${tasks.length} task(s)` : ''}.`,
      );
    return exitCodes.ok;
  },
};

async function removeDefinitions(client: Client, family: string): Promise<number> {
  const arns: string[] = [];
  for (const status of ['ACTIVE', 'INACTIVE']) {
    let nextToken: string | undefined;
    do {
      const page = await client.call('ecs', 'ListTaskDefinitions', { familyPrefix: family, status, nextToken });
      const found: string[] = page.taskDefinitionArns.filter((arn: string) => arn.includes(`/${family}:`));
      if (status === 'ACTIVE') for (const taskDefinition of found) await client.call('ecs', 'DeregisterTaskDefinition', { taskDefinition });
      arns.push(...found);
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
  }
  const all = [...new Set(arns)];
  for (let from = 0; from < all.length; from += DELETE_MAX) {
    await client.call('ecs', 'DeleteTaskDefinitions', { taskDefinitions: all.slice(from, from + DELETE_MAX) });
  }
  return all.length;
}

async function removeLogs(client: Client, name: string): Promise<boolean> {
  try {
    await client.call('logs', 'DeleteLogGroup', { logGroupName: logGroup(name) });
    return true;
  } catch (error) {
    if (isFault(error, 'ResourceNotFound')) return false;
    throw error;
  }
}
