import { clusterOption, exitCodes } from '../command.ts';
import type { Command } from '../command.ts';
import { findTasks } from '../tasks.ts';

export const inspect: Command = {
  name: 'inspect',
  section: 'Run things',
  summary: 'everything about a task, as the ECS API tells it',
  positionals: [{ name: 'NAME', required: true, summary: 'a name of berth ps, or the beginning of a task id' }],
  options: [clusterOption],
  examples: [{ command: 'berth inspect web | jq ".[0].task.attachments"', note: 'its network interface' }],
  async run(args, context) {
    const client = await context.connect();
    const cluster = args.text('cluster') ?? 'default';
    const found = (await findTasks(client, cluster, args.positional('NAME') ?? '', { stopped: true })).slice(0, 20);
    const { tasks } = await client.call('ecs', 'DescribeTasks', { cluster, tasks: found.map((task) => task.arn), include: ['TAGS'] });
    const whole = [];
    for (const task of tasks) {
      const { taskDefinition } = await client.call('ecs', 'DescribeTaskDefinition', { taskDefinition: task.taskDefinitionArn });
      whole.push({ task, taskDefinition });
    }
    context.terminal.line(JSON.stringify(whole, null, 2));
    return exitCodes.ok;
  },
};
