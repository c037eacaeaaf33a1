import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command, Context } from '../command.ts';
import { stopAll, waitStopped } from '../launch.ts';
import type { Arguments } from '../arguments.ts';
import type { Client } from '../client.ts';
import { findService, waitSteady } from '../services.ts';
import type { ServiceRow } from '../services.ts';
import { findTasks, listTasks } from '../tasks.ts';
import type { TaskRow } from '../tasks.ts';

export const stop: Command = {
  name: 'stop',
  section: 'Run things',
  summary: 'stop a service or tasks',
  about:
    'A service is scaled to 0, so that nothing starts its tasks anew; berth scale NAME N starts it again. Sends the stop signal, gives each container its time (30 s unless its definition says otherwise), then SIGKILL; waits until all is gone.',
  positionals: [{ name: 'NAME', required: true, summary: 'a name of berth ps (all its tasks), or the beginning of a task id' }],
  options: [{ name: 'no-wait', summary: 'return at once' }, clusterOption, jsonOption],
  examples: [
    { command: 'berth stop web', note: 'all tasks of web' },
    { command: 'berth stop 3f2a91c0', note: 'one task' },
  ],
  async run(args, context) {
    const client = await context.connect();
    const cluster = args.text('cluster') ?? 'default';
    const name = args.positional('NAME') ?? '';
    const service = await findService(client, cluster, name);
    if (service !== undefined) return stopService(args, context, client, cluster, service);
    const tasks = await findTasks(client, cluster, name, { stopped: false });
    await stopAll(client, cluster, tasks, 'Task stopped by berth stop');
    const what = tasks.length === 1 ? `${tasks[0]?.name} (${tasks[0]?.id.slice(0, 8)})` : `${tasks.length} tasks of ${tasks[0]?.name}`;
    const quiet = args.has('json');
    if (args.has('no-wait')) {
      if (!quiet) context.terminal.line(`${what} will stop.`);
    } else if (quiet) await waitStopped(client, context, cluster, tasks, () => undefined);
    else await context.steps.run(`Stopped ${what}`, (progress) => waitStopped(client, context, cluster, tasks, progress));
    if (quiet) context.terminal.line(JSON.stringify(tasks.map((task) => task.arn)));
    else tellReplaced(context, tasks);
    return exitCodes.ok;
  },
};

async function stopService(args: Arguments, context: Context, client: Client, cluster: string, service: ServiceRow): Promise<number> {
  const { name } = service;
  const tasks = (await listTasks(client, cluster, { stopped: false })).filter((task) => task.service === name);
  await client.call('ecs', 'UpdateService', { cluster, service: name, desiredCount: 0 });
  const quiet = args.has('json');
  const wait = (progress: (detail: string) => void) => waitSteady(client, context, cluster, name, progress);
  if (args.has('no-wait')) {
    if (!quiet) context.terminal.line(`${name} will stop.`);
  } else if (quiet) await wait(() => undefined);
  else await context.steps.run(`Stopped ${name} (${tasks.length} task${tasks.length === 1 ? '' : 's'})`, wait);
  if (quiet) context.terminal.line(JSON.stringify(tasks.map((task) => task.arn)));
  return exitCodes.ok;
}

/** A task of a service doesn't stay away for long. */
function tellReplaced(context: Context, tasks: TaskRow[]): void {
  const services = [...new Set(tasks.flatMap((task) => (task.service === null ? [] : [task.service])))];
  for (const service of services)
    context.terminal.note(`The service ${service} starts another in its place: berth stop ${service} stops it all.`);
}
