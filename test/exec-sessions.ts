/**
 * Many sessions of ExecuteCommand at the same time, by AWS's own session-manager-plugin, each with something else to do: somebody types, much is printed,
 * the terminal changes its size, the caller is killed. `test/e2e/way-in.test.ts` has a few of them, the soak many.
 */
import assert from 'node:assert/strict';
import { ExecuteCommandCommand } from '@aws-sdk/client-ecs';
import type { ExecuteCommandCommandOutput, Task } from '@aws-sdk/client-ecs';
import { taskId } from './e2e/aws-sdk.ts';
import type { Sdk } from './e2e/aws-sdk.ts';
import { until } from './e2e/platform.ts';
import type { Platform } from './e2e/platform.ts';
import { pluginSession } from './e2e/session-plugin.ts';
import type { Terminal } from './e2e/session-plugin.ts';

export type Entrance = {
  /** ExecuteCommand, in the task's container `main`. */
  call(task: Task, command: string): Promise<ExecuteCommandCommandOutput>;
  /** A session by the plugin alone: what the AWS CLI does before it costs a second each. */
  session(task: Task, command: string): Promise<Terminal>;
  /** The command lines of all that runs in there. */
  inside(task: Task): Promise<string>;
  /** Ended by `close`. */
  kept(terminal: Terminal): Terminal;
  /** Ends what is still open. */
  close(): void;
};

/** `where`: asked at each call, since a platform may come later. */
export function createEntrance(where: () => { platform: Platform; sdk: Sdk }): Entrance {
  const open: Terminal[] = [];
  const entrance: Entrance = {
    call: (task, command) =>
      where().sdk.ecs.send(new ExecuteCommandCommand({ task: taskId(task), container: 'main', command, interactive: true })),
    async session(task, command) {
      const { session } = await entrance.call(task, command);
      const runtimeId = task.containers?.[0]?.runtimeId ?? '';
      return entrance.kept(pluginSession(where().platform, session ?? {}, `ecs:default_${taskId(task)}_${runtimeId}`));
    },
    inside: (task) => where().platform.ok(['exec', taskId(task), '--', 'sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "']),
    kept: (terminal) => (open.push(terminal), terminal),
    close: () => open.forEach((terminal) => terminal.kill()),
  };
  return entrance;
}

const PROMPT = /# $/;
const PATIENCE_MS = 120_000;

type Role = (shell: Terminal, n: number, lines: number) => Promise<void>;
const roles: Record<string, Role> = {
  async typed(shell, n) {
    shell.type(`echo $((${n} + 1000)); exit\r`);
    await shell.end();
    assert.match(shell.seen(), new RegExp(`\\n${n + 1000}\\n`));
  },
  async printed(shell, n, lines) {
    shell.type(`seq ${n * 1_000_000 + 1} ${n * 1_000_000 + lines}; exit\r`);
    await shell.end();
    const numbers = shell.seen().match(/^\d+$/gm) ?? [];
    assert.equal(numbers.length, lines, `of ${lines} lines there are ${numbers.length}, up to:\n${shell.seen().slice(-300)}`);
    assert.ok(numbers.every((number, at) => Number(number) === n * 1_000_000 + at + 1));
  },
  async resized(shell, n) {
    for (let rows = 30; rows < 40; rows++) shell.resize(rows, 100 + n);
    shell.type(`until stty size | grep "^39"; do sleep 0.1; done; exit\r`);
    await shell.end();
    assert.match(shell.seen(), new RegExp(`\\n39 ${100 + n}\\n`));
  },
  /** Nothing of it may stay: the number of `sleep` is looked for in the end. */
  async killed(shell, n) {
    shell.type(`echo sl""eeps; exec sleep ${markOf(n)}\r`);
    await shell.shows(/\nsleeps\n/, PATIENCE_MS);
    shell.kill();
    await shell.end();
  },
  async killedAsItPrints(shell, n) {
    shell.type(`echo pr""ints; exec yes ${markOf(n)}\r`);
    await shell.shows(/\nprints\n/, PATIENCE_MS);
    shell.kill();
    await shell.end();
  },
};
const markOf = (n: number) => 7_000_000 + n;

/** As many sessions in each task as is said: all are open at once before any of them does what it is there for. `lines`: that one prints. */
export async function manyAtOnce(entrance: Entrance, counts: readonly { task: Task; count: number }[], lines: number): Promise<void> {
  const names = Object.keys(roles);
  const wishes = counts.flatMap(({ task, count }) => Array.from({ length: count }, (_, n) => ({ task, n })));
  const shells = await Promise.all(wishes.map(async ({ task, n }) => ({ n, shell: await entrance.session(task, 'sh') })));
  for (const { shell } of shells) await shell.shows(PROMPT, PATIENCE_MS);
  await Promise.all(shells.map(({ shell, n }) => roles[names[n % names.length] ?? '']?.(shell, n, lines)));
  for (const { task } of counts) {
    await until(
      `what was killed is gone from ${taskId(task)}`,
      async () => !/(sleep|yes) 7\d{6}\b/.test(await entrance.inside(task)),
      PATIENCE_MS,
    );
  }
}
