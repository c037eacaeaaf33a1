import { clusterOption, exitCodes, jsonOption } from '../command.ts';
import type { Command } from '../command.ts';
import { endpointUrl } from '../endpoint.ts';
import { formatAge, formatCpu, formatMemory } from '../format.ts';
import { expressServices } from '../services.ts';
import { printTable } from '../table.ts';
import type { Column } from '../table.ts';
import { endReason, listTasks } from '../tasks.ts';
import type { TaskRow } from '../tasks.ts';
import type { Style } from '../terminal.ts';

export const ps: Command = {
  name: 'ps',
  section: 'Run things',
  summary: 'list tasks',
  positionals: [{ name: 'NAME', required: false, summary: 'only tasks of this name' }],
  options: [{ name: 'all', short: 'a', summary: 'stopped tasks too, with how they ended' }, clusterOption, jsonOption],
  examples: [
    { command: 'berth ps', note: 'what runs, where, and its URL' },
    { command: 'berth ps -a', note: 'what ended too, with exit codes and reasons' },
    { command: 'berth ps --json | jq -r ".[].address"', note: 'for programs' },
  ],
  async run(args, context) {
    const client = await context.connect();
    const cluster = args.text('cluster') ?? 'default';
    const [platform, all] = await Promise.all([
      client.call('berth', 'DescribePlatform', {}),
      listTasks(client, cluster, { stopped: args.has('all') }),
    ]);
    const name = args.positional('NAME');
    const tasks = name === undefined ? all : all.filter((task) => task.name === name || task.family === name);
    const express = await expressServices(client, cluster, tasks);
    const url = (task: TaskRow) => {
      const name = task.service !== null && express.has(task.service) ? task.service : task.endpoint;
      return name === null || task.status === 'STOPPED' ? '' : endpointUrl({ name, listen: '', port: platform.endpoint.port });
    };
    if (args.has('json')) {
      context.terminal.line(
        JSON.stringify(
          tasks.map((task) => ({ ...task, url: url(task) === '' ? null : url(task) })),
          null,
          2,
        ),
      );
    } else if (tasks.length === 0) {
      context.terminal.line(
        args.has('all') ? 'No tasks.' : 'Nothing runs. Start something: berth run --image nginx (berth ps -a shows what ended)',
      );
    } else {
      printTable(context.terminal, columns(context.clock.now(), url), tasks);
    }
    return exitCodes.ok;
  },
};

function columns(now: number, url: (task: TaskRow) => string): Column<TaskRow>[] {
  return [
    { title: 'NAME', value: (task) => task.name, style: () => 'bold', shrinkTo: 12 },
    { title: 'TASK', value: (task) => task.id.slice(0, 8) },
    { title: 'IMAGE', value: (task) => task.containers.map((container) => container.image).join(','), shrinkTo: 16, drop: 3 },
    { title: 'STATUS', value: (task) => task.status, style: statusStyle },
    { title: 'HEALTH', value: (task) => (task.health === 'UNKNOWN' ? '' : task.health), optional: true, style: healthStyle },
    { title: 'SIZE', value: (task) => `${formatCpu(task.cpu)} ${formatMemory(task.memory)}`, drop: 1 },
    { title: 'ISOLATION', value: isolationCell, optional: true, drop: 2 },
    { title: 'ADDRESS', value: (task) => task.address },
    { title: 'AGE', value: (task) => formatAge(now - task.createdAt), align: 'right' },
    { title: 'URL', value: url, optional: true, style: () => 'cyan' },
    { title: 'ENDED', value: (task) => (task.status === 'STOPPED' ? endReason(task) : ''), optional: true, shrinkTo: 24 },
  ];
}

/** Emulation is said, since it is no security border. */
function isolationCell(task: TaskRow): string {
  return task.accelerator === 'tcg' ? `${task.isolation} (tcg)` : task.isolation;
}

function healthStyle(task: TaskRow): Style {
  return task.health === 'HEALTHY' ? 'green' : 'red';
}

function statusStyle(task: TaskRow): Style {
  if (task.status === 'RUNNING') return 'green';
  return task.status === 'STOPPED' ? 'dim' : 'yellow';
}
