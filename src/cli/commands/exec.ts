import { Fault } from '#base/fault.ts';
import { clusterOption } from '../command.ts';
import type { Command } from '../command.ts';
import { execSession } from '../exec-session.ts';
import { findTasks } from '../tasks.ts';

export const exec: Command = {
  name: 'exec',
  section: 'Run things',
  summary: 'run a command inside a container that runs',
  about:
    'Runs it in the newest running task of NAME, or in one task, with the streams and the exit code of the command. What is piped in is its input. Without a command, ' +
    'or with -t, your terminal is its terminal. The task must have been started with enableExecuteCommand, as berth run does.',
  positionals: [{ name: 'NAME', required: true, summary: 'a name of berth ps, or the beginning of a task id' }],
  rest: 'the command and its arguments (default: sh)',
  options: [
    { name: 'container', short: 'c', value: 'NAME', summary: 'which container, where the task has several essential ones' },
    { name: 'tty', short: 't', summary: 'with a terminal' },
    { name: 'interactive', short: 'i', summary: 'hand on what you type also without a terminal' },
    { name: 'user', short: 'u', value: 'USER', summary: "name, uid or user:group (default: the container's)" },
    clusterOption,
  ],
  examples: [
    { command: 'berth exec web', note: 'a shell' },
    { command: 'berth exec web -- cat /etc/os-release', note: 'one command; its exit code is yours' },
    { command: 'cat site.tar | berth exec web -- tar x -C /srv', note: 'its input from a pipe' },
  ],
  async run(args, context) {
    const client = await context.connectForCleanUp();
    const name = args.positional('NAME') ?? '';
    const tasks = await findTasks(client, args.text('cluster') ?? 'default', name, { stopped: false });
    const task = tasks.find((candidate) => candidate.status === 'RUNNING');
    if (task === undefined) throw new Fault('ResourceNotFound', `'${name}' does not run yet: it is ${String(tasks[0]?.status)}`);
    const terminal = process.stdin.isTTY && process.stdout.isTTY;
    const tty = args.has('tty') || (args.rest.length === 0 && terminal);
    if (tty && !terminal)
      throw new Fault('InvalidParameter', 'standard input and output are no terminal: leave out -t', { details: { usage: true } });
    const input = tty || args.has('interactive') || !process.stdin.isTTY;
    const command = args.rest.length === 0 ? ['sh'] : args.rest;
    const wish = { taskId: task.id, container: args.text('container'), user: args.text('user'), command, tty, input };
    return await execSession(client, wish, context.signal);
  },
};
