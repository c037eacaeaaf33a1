/** Registers an application's definition as it is, runs it, and sees that it does its job. */
import assert from 'node:assert/strict';
import { get } from 'node:http';
import type { Task } from '@aws-sdk/client-ecs';
import { addressOf } from '../aws-sdk.ts';
import type { Sdk } from '../aws-sdk.ts';
import { until } from '../platform.ts';
import type { Platform } from '../platform.ts';
import { RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import type { Application } from './applications.ts';
import { importImages } from './images.ts';

/** `slow`: how many times longer it may take, where instructions are emulated. Leaves the task running unless it ends by itself. */
export async function runApplication(platform: Platform, sdk: Sdk, application: Application, kind = 'container', slow = 1): Promise<Task> {
  const { definition } = application;
  const containers = definition.containerDefinitions ?? [];
  await importImages(
    platform,
    containers.map((container) => container.image ?? ''),
  );
  await sdk.ecs.send(new RegisterTaskDefinitionCommand(definition));
  const started = await sdk.run(definition.family ?? '', { tags: [{ key: 'berth:isolation', value: kind }] });
  return doesItsJob(sdk, application, started, slow).catch(async (cause: unknown) => {
    const [task] = await sdk.describe(started);
    const said = containers.map(async ({ name = '' }) => {
      const { exitCode, reason = '', healthStatus } = task?.containers?.find((one) => one.name === name) ?? {};
      const lines = await sdk.lines(started[0] ?? '', name).catch(() => []);
      return `${name} (${exitCode} ${reason} ${healthStatus}): ${lines.slice(-8).join('\n  ')}`;
    });
    throw new Error(`${definition.family}: ${(cause as Error).message}\n${(await Promise.all(said)).join('\n')}`, { cause });
  });
}

async function doesItsJob(sdk: Sdk, { asks, prints }: Application, started: Task[], slow: number): Promise<Task> {
  const seconds = 120 * slow;
  if (prints !== undefined) {
    const [task] = await sdk.stopped(started, seconds);
    assert.ok(task !== undefined);
    assert.equal(task.stopCode, 'EssentialContainerExited', `${task.stopCode}: ${task.stoppedReason}`);
    const lines = await sdk.lines(task, prints.container);
    assert.ok(lines.some((line) => prints.line.test(line)), `${prints.container} printed ${JSON.stringify(lines)}`); // prettier-ignore
    assert.equal(task.containers?.find((container) => container.name === prints.container)?.exitCode, 0);
    return task;
  }
  const [task] = await sdk.running(started, seconds);
  assert.ok(task !== undefined && asks !== undefined);
  const url = `http://${addressOf(task)}:${asks.port}${asks.path}`;
  let last = '';
  for (const answer of asks.answers) {
    await until(`${url} answers ${answer}, after ${last}`, async () => answer.test((last = await body(url))), 60_000 * slow);
  }
  return task;
}

/** Empty when nobody answers. */
export function body(url: string): Promise<string> {
  return new Promise((resolve) => {
    const call = get(url, { agent: false, timeout: 5000 }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve(text)).on('error', () => resolve(''));
    });
    call.on('timeout', () => call.destroy()).on('error', () => resolve(''));
  });
}
