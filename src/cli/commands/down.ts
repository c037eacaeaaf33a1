import { isFault } from '#base/fault.ts';
import { exitCodes, jsonOption } from '../command.ts';
import type { Command, Context } from '../command.ts';
import { stopAll, waitStopped } from '../launch.ts';
import { silentSteps } from '../steps.ts';
import { listTasks } from '../tasks.ts';
import type { TaskRow } from '../tasks.ts';

export const down: Command = {
  name: 'down',
  section: 'The platform',
  summary: 'stop the tasks, then the platform (needs root)',
  about:
    'Services, definitions, logs, history and images stay; the next up starts the services again. With --keep-tasks the tasks run on by themselves, and the next up takes them back.',
  options: [{ name: 'keep-tasks', summary: 'leave the tasks running' }, jsonOption],
  examples: [
    { command: 'sudo berth down', note: 'nothing of berth runs afterwards' },
    { command: 'sudo berth down --keep-tasks && sudo berth up', note: 'a restart that no task notices' },
  ],
  async run(args, context) {
    const platform = await context.platform();
    platform.requireRoot('down');
    const json = args.has('json');
    const steps = json ? silentSteps : context.steps;
    const keepTasks = args.has('keep-tasks');
    const stopped = keepTasks ? 0 : await stopEverything({ ...context, steps });
    const { wasRunning } = await platform.down(steps, { keepTasks });
    if (json) context.terminal.line(JSON.stringify({ wasRunning, stoppedTasks: stopped, keptTasks: keepTasks }));
    else context.terminal.line(wasRunning ? 'berth is down. Its definitions, logs and images stay.' : 'berth was not running.');
    return exitCodes.ok;
  },
};

/** Stops every task of every cluster over the API; a control plane that doesn't answer leaves it to the clean-up that follows. */
async function stopEverything(context: Context): Promise<number> {
  let tasks: { cluster: string; task: TaskRow }[];
  try {
    // Services would replace what is stopped; after the next up they do.
    await (await context.connect()).call('berth', 'PausePlacement', {});
    tasks = await everyTask(context);
  } catch (error) {
    if (isFault(error, 'Unavailable') || isFault(error, 'ResourceNotFound')) return 0;
    throw error;
  }
  if (tasks.length === 0) return 0;
  const client = await context.connect();
  await context.steps.run(tasks.length === 1 ? 'Stopped 1 task' : `Stopped ${tasks.length} tasks`, async (progress) => {
    const clusters = Map.groupBy(tasks, (one) => one.cluster);
    for (const [cluster, members] of clusters) {
      const rows = members.map((one) => one.task);
      const asked = rows.filter((task) => task.desired !== 'STOPPED');
      await stopAll(client, cluster, asked, 'berth was taken down');
      await waitStopped(client, context, cluster, rows, progress);
    }
  });
  return tasks.length;
}

async function everyTask(context: Context): Promise<{ cluster: string; task: TaskRow }[]> {
  const client = await context.connect();
  const all: { cluster: string; task: TaskRow }[] = [];
  let nextToken: string | undefined;
  do {
    const page = await client.call('ecs', 'ListClusters', { nextToken });
    for (const cluster of page.clusterArns as string[]) {
      // With those that are stopping: they have their time to end, too.
      const tasks = await listTasks(client, cluster, { stopped: true });
      // One without an address runs nowhere; it waits for the next up.
      all.push(
        ...tasks
          .filter((task) => task.status !== 'STOPPED' && !(task.service !== null && task.address === ''))
          .map((task) => ({ cluster, task })),
      );
    }
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return all;
}
