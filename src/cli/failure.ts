/** A failed run, told so that the next step is plain: why it stopped, each container's end, its last lines. */
import { asFault } from '#base/fault.ts';
import type { Client } from './client.ts';
import type { Context } from './command.ts';
import { logSources, tailLines } from './log-lines.ts';
import { printable } from './terminal.ts';
import type { TaskRow } from './tasks.ts';

const LAST_LINES = 20;

export async function showFailure(context: Context, client: Client, message: string, tasks: TaskRow[]): Promise<void> {
  const { terminal } = context;
  terminal.line();
  terminal.line(`${terminal.style('red', 'Failed:')} ${printable(message)}`);
  const ended = tasks.filter((task) => task.status === 'STOPPED' || task.stoppedReason !== null);
  for (const task of ended.slice(0, 3)) {
    terminal.line(
      `  task ${task.id}: ${printable(task.stoppedReason ?? task.status)}${task.stopCode === null ? '' : ` (${task.stopCode})`}`,
    );
    for (const container of task.containers) {
      const exit = container.exitCode === null ? [] : [`exit code ${container.exitCode}`];
      const facts = [...exit, ...(container.reason === null ? [] : [container.reason])].join(', ');
      if (facts !== '') terminal.line(`    ${container.name}: ${printable(facts)}`);
    }
  }
  await showLastLines(context, client, ended);
}

/** What a job printed that has ended well. */
export async function showOutput(context: Context, client: Client, tasks: TaskRow[]): Promise<void> {
  const lines = await tailLines(client, await logSources(client, tasks.slice(0, 3)), { limit: LAST_LINES });
  for (const line of lines) context.terminal.line(`  ${context.terminal.style('dim', '│')} ${printable(line.text)}`);
}

async function showLastLines(context: Context, client: Client, tasks: TaskRow[]): Promise<void> {
  const { terminal } = context;
  try {
    const lines = await tailLines(client, await logSources(client, tasks.slice(0, 3)), { limit: LAST_LINES });
    terminal.line(lines.length === 0 ? '  It printed nothing.' : '  Its last lines:');
    for (const line of lines) terminal.line(`    ${terminal.style('dim', '│')} ${printable(line.text)}`);
  } catch (error) {
    terminal.line(`  Its last lines can't be read: ${asFault(error).message}`);
  }
}
