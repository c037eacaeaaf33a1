import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import { stopAll, waitStopped } from '../launch.ts';
import { findTasks } from '../tasks.ts';

export const stop: Command = {
  name: 'stop',
  section: 'Run things',
  summary: 'stop tasks',
  about:
    'Sends the stop signal, gives each container its time (30 s unless its definition says otherwise), then SIGKILL; waits until all is gone.',
  positionals: [{ name: 'NAME', required: true, summary: 'a name of berth ps (all its tasks), or the beginning of a task id' }],
  options: [{ name: 'no-wait', summary: 'return at once' }, clusterOption, jsonOption],
  examples: [
    { command: 'berth stop web', note: 'all tasks of web' },
    { command: 'berth stop 3f2a91c0', note: 'one task' },
  ],
  async run(args, context) {
    const client = await context.connect();
    const cluster = args.text('cluster') ?? 'default';
    const tasks = await findTasks(client, cluster, args.positional('NAME') ?? '', { stopped: false });
    await stopAll(client, cluster, tasks, 'Task stopped by berth stop');
    const what = tasks.length === 1 ? `${tasks[0]?.name} (${tasks[0]?.id.slice(0, 8)})` : `${tasks.length} tasks of ${tasks[0]?.name}`;
    const quiet = args.has('json');
    if (args.has('no-wait')) {
      if (!quiet) context.terminal.line(`${what} will stop.`);
    } else if (quiet) await waitStopped(client, context, cluster, tasks, () => undefined);
    else await context.steps.run(`Stopped ${what}`, (progress) => waitStopped(client, context, cluster, tasks, progress));
    if (quiet) context.terminal.line(JSON.stringify(tasks.map((task) => task.arn)));
    return exitCodes.ok;
  },
};
