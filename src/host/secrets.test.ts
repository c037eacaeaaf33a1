import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { realClock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { TaskSecrets } from '#link/operations.ts';
import { secretsHook } from './hooks/secrets.ts';
import type { TaskRun } from './run.ts';
import { createSecretFiles } from './secret-files.ts';
import { containerSpec } from './testing.ts';
import type { Uplink } from './uplink.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-secrets-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const delivery = { mode: 'non-blocking' as const, bufferBytes: 1024 };
const ref = (name: string) => ({ name, valueFrom: 'x' });

/** Answers each call with the next of these. */
function uplinkOf(...answers: (TaskSecrets | Fault)[]): Uplink {
  const request = async () => {
    const answer = answers.shift();
    if (answer === undefined || answer instanceof Fault) throw answer ?? new Fault('Internal', 'asked too often');
    return answer;
  };
  return { connected: async () => ({ request }) } as unknown as Uplink;
}

function runOf(taskId: string, containers: ContainerSpec[]): TaskRun & { reasons: string[] } {
  const reasons: string[] = [];
  const run = {
    taskId,
    spec: { containers },
    signal: new AbortController().signal,
    secrets: {},
    logSecrets: {},
    registryAuth: {},
    reasons,
  };
  return { ...run, updateContainer: (_name: string, { reason }: { reason: string }) => void reasons.push(reason) } as never;
}

test('options of log drivers are fetched, outlive the agent in memory, and go with the task', async () => {
  const files = createSecretFiles(folder);
  const splunk = { driver: 'splunk' as const, options: {}, secretOptions: [ref('splunk-token')], delivery };
  const fluent = { driver: 'awsfirelens' as const, router: 'router', options: {}, secretOptions: [ref('api-key')], delivery };
  const containers = [
    { ...containerSpec({ name: 'a' }), log: splunk, secrets: [ref('A')], registrySecret: 'arn' },
    { ...containerSpec({ name: 'b' }), log: fluent },
    containerSpec({ name: 'router' }),
  ];
  const found: TaskSecrets = { environment: { A: '1' }, logOptions: { 'splunk-token': 't' }, registry: { username: 'u', password: 'p' } };
  const away = new Fault('Unavailable', 'away');
  const uplink = uplinkOf(away, found, { environment: {}, logOptions: { 'api-key': 'k' }, registry: null });
  const hook = secretsHook({ uplink, clock: { ...realClock(), sleep: async () => undefined }, files });
  const [a, ...others] = containers;
  const first = runOf('one', [a!]);
  await hook.prepare(first);
  assert.deepEqual([first.secrets, first.registryAuth], [{ a: { A: '1' } }, { a: { username: 'u', password: 'p' } }]);
  assert.equal(statSync(join(folder, 'one')).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder, 'one/log-options.json')).mode & 0o777, 0o600);
  const second = runOf('two', others);
  await hook.prepare(second);
  assert.deepEqual(second.secrets, { b: {}, router: { BERTH_LOG_b_api_key: 'k' } });

  const next = runOf('one', [a!]);
  await hook.recover?.(next);
  assert.deepEqual(next.logSecrets, { a: { 'splunk-token': 't' } });
  await hook.release?.(next);
  assert.deepEqual([existsSync(join(folder, 'one')), existsSync(join(folder, 'two'))], [false, true]);
  files.sweep(['three']);
  assert.ok(!existsSync(join(folder, 'two')));
});

test('what can not be had ends the task in the words of ECS; a task without secrets asks nobody', async () => {
  const why = 'execution resource retrieval failed: unable to retrieve secrets from ssm';
  const uplink = uplinkOf(new Fault('ResourceInitialization', why), new Fault('AccessDenied', 'ECS was unable to assume the role'));
  const hook = secretsHook({ uplink, clock: realClock(), files: createSecretFiles(folder) });
  await hook.prepare(runOf('plain', [containerSpec({ name: 'a' })]));
  const run = runOf('one', [{ ...containerSpec({ name: 'a' }), secrets: [ref('A')] }]);
  const message = `ResourceInitializationError: unable to pull secrets or registry auth: ${why}`;
  await assert.rejects(hook.prepare(run), { code: 'ResourceInitialization', message });
  await assert.rejects(hook.prepare(run), { code: 'ResourceInitialization', message: 'ECS was unable to assume the role' });
  assert.deepEqual(run.reasons, [message, 'ECS was unable to assume the role']);
});
