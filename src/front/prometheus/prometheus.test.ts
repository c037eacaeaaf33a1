/** GET /metrics through the real gateway; the host is a function. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import { createMeters } from '#base/meters.ts';
import { realRandom } from '#base/random.ts';
import { newTaskObserved } from '#domain/task.ts';
import { authorizeRoot, createGateway, rootPrincipal } from '#gateway/index.ts';
import type { AccessKey, Gateway } from '#gateway/index.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { scope, taskDesired, taskKey, taskPlacement } from '../../../test/conformance/store.ts';
import { createPrometheusRoute } from './index.ts';

const clock = virtualClock();
const root = rootPrincipal(scope.account, 'AKIAROOT');
const keys: Record<string, AccessKey> = {
  AKIAROOT: { secret: 'se:cret', principal: root },
  AKIAUSER: { secret: 'other', principal: { ...root, arn: `arn:aws:iam::${scope.account}:user/u`, accessKeyId: 'AKIAUSER' } },
  ASIATEMP: { secret: 'third', sessionToken: 't', principal: root },
};
let store: Store;
let gateway: Gateway;
let url: string;
let asked = 0;

before(async () => {
  store = await createSqliteStore({ path: ':memory:' });
  const desired = taskDesired({ service: { name: 'w"eb', revisionId: 'r', taskSetId: null } });
  await store.write(async (tx) => {
    for (const id of ['a', 'b', 'c']) {
      await tx.tasks.insert(taskKey(id), desired, newTaskObserved(desired.spec));
      const placed = await tx.tasks.setPlacement(taskKey(id), taskPlacement({ ip: `10.0.0.${id}` }), 1);
      await tx.tasks.setObserved(taskKey(id), { ...newTaskObserved(desired.spec), status: 'RUNNING', startedAt: 5000 }, placed.revision);
    }
    await tx.tasks.insert({ ...taskKey('x'), account: '999999999999' }, desired, newTaskObserved(desired.spec));
  });
  const meters = createMeters();
  meters.counter('berth_api_requests', 'Calls.', ['code'])(['ok'], 7);
  const route = createPrometheusRoute({
    store,
    clock,
    meters,
    metrics: { bytes: () => 99 },
    traffic: () => ({ listeners: [], groups: [] }),
    version: '1',
    hosts: {
      async request(_host, _op, body) {
        asked += 1;
        if ((body as { taskId: string }).taskId === 'b') throw new Fault('Unavailable', 'its host is away');
        const container = { name: 'main', cpuNs: 1.5e9, memoryBytes: 10, memoryLimitBytes: 20, pids: 2, oomKills: 0 };
        const network = { rxBytes: 7, txBytes: 8, rxPackets: 1, txPackets: 2 };
        return { readAtMs: 1, containers: [container], task: { cpuNs: 2e9, memoryBytes: 11, pids: 3 }, network };
      },
    },
  });
  gateway = createGateway({
    apis: [],
    httpRoutes: [route],
    keys: { lookup: (id) => keys[id] },
    authorize: authorizeRoot,
    clock,
    random: realRandom(),
    log: silentLog,
    version: '1',
  });
  url = `http://127.0.0.1:${await gateway.listen({ host: '127.0.0.1', port: 0 })}/metrics`;
});
after(async () => {
  await gateway.close();
  await store.close();
});

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
const get = async (headers: Record<string, string> = {}) => {
  const answer = await fetch(url, { headers });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};

it('is for whoever has a key and may', async () => {
  const bad = ['AKIAROOT:wrong', 'AKIANONE:se:cret', 'AKIANONE:', 'ASIATEMP:third', 'AKIAROOT', ':'].map(basic);
  for (const headers of [{}, { authorization: 'Bearer x' }, { authorization: 'Basic' }, ...bad]) {
    const answer = await get(headers as Record<string, string>);
    assert.equal(answer.status, 401, JSON.stringify(headers));
    assert.equal(answer.headers.get('www-authenticate'), 'Basic realm="berth"');
  }
  const denied = await get(basic('AKIAUSER:other'));
  assert.equal(denied.status, 403);
  assert.match(denied.text, /is not authorized to perform: berth:GetMetrics/);
  assert.equal((await fetch(url, { method: 'POST', headers: basic('AKIAROOT:se:cret') })).status, 405);
  assert.equal(asked, 0, 'hosts are asked for nobody');
});

it('tells tasks of the caller’s account, and of those that do not answer what is known', async () => {
  const { status, headers, text } = await get({ ...basic('AKIAROOT:se:cret'), accept: 'text/plain' });
  assert.equal(status, 200);
  assert.equal(headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const labels = (task: string) => `region="us-east-1",cluster="default",service="w\\"eb",family="web",task="${task}"`;
  const lines = text.split('\n');
  for (const line of [
    `berth_task_cpu_seconds_total{${labels('a')}} 2`,
    `berth_task_network_receive_bytes_total{${labels('c')}} 7`,
    `berth_container_cpu_seconds_total{${labels('a')},container="main"} 1.5`,
    `berth_task_memory_limit_bytes{${labels('b')}} ${512 * 1024 ** 2}`,
    `berth_task_start_time_seconds{${labels('b')}} 5`,
    'berth_tasks{region="us-east-1",cluster="default",status="RUNNING"} 3',
    'berth_api_requests_total{code="ok"} 7',
    'berth_metrics_database_bytes 99',
    'berth_tasks_left_out 0',
  ]) {
    assert.ok(lines.includes(line), `${line} is missing in\n${text}`);
  }
  assert.ok(!text.includes(`berth_task_cpu_seconds_total{${labels('b')}`));
  assert.ok(!text.includes('task="x"'), 'of another account');
});

it('looks once for those who come at once, and anew later', async () => {
  await clock.advance(10_000);
  const before = asked;
  const headers = { ...basic('AKIAROOT:se:cret'), accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' };
  const all = await Promise.all(Array.from({ length: 5 }, () => get(headers)));
  assert.equal(asked, before + 3);
  for (const { headers: told, text } of all) {
    assert.match(told.get('content-type') ?? '', /^application\/openmetrics-text; version=1\.0\.0/);
    assert.ok(text.endsWith('# EOF\n'));
  }
  await clock.advance(10_000);
  await get(headers);
  assert.equal(asked, before + 6);
});
