import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import type { TaskProtectionAnswer } from '#link/operations.ts';
import type { TaskReport } from '#link/protocol.ts';
import type { TaskEntry } from '../journal.ts';
import { assignmentOf } from '../testing.ts';
import type { Uplink } from '../uplink.ts';
import { protectionResponse } from './protection.ts';

const TASK = 't'.repeat(32);
const assignment = assignmentOf(TASK);
const arn = assignment.labels.taskArn;
const entry = { version: 1, assignment, report: { taskId: TASK } as TaskReport, runtimeIds: {}, ackedOffset: 0 } as TaskEntry;

/** `answer`: the control plane's; null: there is no connection. */
async function ask(method: string, body: unknown, answer: TaskProtectionAnswer | Fault | null) {
  const calls: Json[] = [];
  const request = async (_op: string, call: Json) => {
    calls.push(call);
    if (answer instanceof Fault) throw answer;
    return answer as unknown as Json;
  };
  const uplink = { current: () => (answer === null ? null : { request }) } as unknown as Uplink;
  const said = await protectionResponse(uplink, entry, method, typeof body === 'string' ? body : JSON.stringify(body));
  assert.ok('json' in said);
  return { status: said.status, json: said.json, calls };
}

test('a task is told how it is protected, and that it is after it asked to be', async () => {
  const off = await ask('GET', '', { until: null });
  assert.deepEqual(off.json, { protection: { ExpirationDate: null, ProtectionEnabled: false, TaskArn: arn } });
  const on = await ask('PUT', { ProtectionEnabled: true, ExpiresInMinutes: 5 }, { until: Date.UTC(2026, 0, 1) });
  assert.deepEqual(on.calls, [{ taskId: TASK, enabled: true, minutes: 5 }]);
  assert.deepEqual(on.json, { protection: { ExpirationDate: '2026-01-01T00:00:00.000Z', ProtectionEnabled: true, TaskArn: arn } });
});

test('what can’t be protected, and what isn’t asked rightly, is told in the agent’s shapes', async () => {
  const failure = await ask('PUT', { ProtectionEnabled: true }, { failure: 'TASK_NOT_VALID' });
  assert.deepEqual([failure.status, failure.json], [200, { failure: { Arn: arn, Detail: null, Reason: 'TASK_NOT_VALID' } }]);
  for (const body of [
    '',
    '{',
    '[]',
    { ProtectionEnabled: 'yes' },
    { ProtectionEnabled: true, X: 1 },
    { ProtectionEnabled: true, ExpiresInMinutes: 1.5 },
  ]) {
    const bad = await ask('PUT', body, { until: null });
    assert.deepEqual([bad.status, bad.calls], [400, []], JSON.stringify(body));
    assert.equal((bad.json as { error: { Code: string } }).error.Code, 'InvalidParameterException');
  }
  const missing = await ask('PUT', {}, { until: null });
  assert.match((missing.json as { error: { Message: string } }).error.Message, /does not contain 'ProtectionEnabled' field/);
});

test('a control plane that is away, slow, or refuses', async () => {
  const codes = async (answer: Fault | null) => {
    const { status, json } = await ask('GET', '', answer);
    return [status, (json as { error: { Code: string } }).error.Code];
  };
  assert.deepEqual(await codes(null), [504, 'RequestCanceled']);
  assert.deepEqual(await codes(new Fault('TimedOut', 'late')), [504, 'RequestCanceled']);
  assert.deepEqual(await codes(new Fault('InvalidParameter', 'no')), [400, 'InvalidParameterException']);
  assert.deepEqual(await codes(new Fault('Internal', 'broken')), [500, 'ServerException']);
});
