import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { openMetrics, statisticSet } from './index.ts';
import { runQueries } from './queries.ts';
import { parseSearch } from './search-terms.ts';
import type { Metrics, Series } from './types.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-search-'));
const START = 20_000 * 86_400_000;
const scope = { account: '123456789012', region: 'us-east-1' };
const of = (namespace: string, name: string, dimensions: Record<string, string>) => ({
  ...scope,
  namespace,
  name,
  dimensions,
  unit: 'None',
});
const all = [
  of('AWS/ECS', 'CPUUtilization', { ClusterName: 'c', ServiceName: 'web' }),
  of('AWS/ECS', 'CPUUtilization', { ClusterName: 'c', ServiceName: 'api-web' }),
  of('AWS/ECS', 'MemoryUtilization', { ClusterName: 'c', ServiceName: 'web' }),
  of('My/App', 'Requests', { Path: '/a b' }),
  of('My/App', 'Requests', {}),
].map((series, id): Series => ({ ...series, id: id + 1, lastAt: START }));
let metrics: Metrics;

before(async () => {
  metrics = openMetrics({ clock: virtualClock(START + 3600_000) }, { path: join(folder, 'metrics.db') });
  await metrics.put(all.map((series) => ({ series, at: START, values: statisticSet([[series.id, 1]]) })));
});
after(async () => {
  await metrics.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a search finds', () => {
  const cases: [text: string, ids: number[]][] = [
    ['{AWS/ECS,ClusterName,ServiceName} MetricName="CPUUtilization"', [1, 2]],
    // As Grafana writes it.
    ['{"AWS/ECS","ServiceName","ClusterName"} MetricName="CPUUtilization" "ServiceName"=("web" OR "other")', [1]],
    ['{AWS/ECS,ClusterName}', []],
    ['{My/App}', [5]],
    ['Namespace="AWS/ECS" NOT MetricName="CPUUtilization"', [3]],
    ['Utilization', [1, 2, 3]],
    ['cpu web', [1, 2]],
    ['ServiceName=web', [1, 2, 3]],
    ['ServiceName="web"', [1, 3]],
    ['(Requests OR memory) AND NOT Path="/a b"', [3, 5]],
    ['Path="/a b"', [4]],
    [':aws.AccountId="123456789012" "Requests"', [4, 5]],
    [':aws.AccountId="2"', []],
  ];
  for (const [text, ids] of cases) {
    it(text, () => assert.deepEqual(all.filter(parseSearch(text)).map(({ id }) => id), ids)); // prettier-ignore
  }
  for (const text of ['', '{}', '(a', 'a)', 'a=', 'NOT', 'a=(b', '=', 'x'.repeat(2000), '('.repeat(50)]) {
    it(`nothing, and says so: ${text.slice(0, 20)}`, () => assert.throws(() => parseSearch(text), (error) => isFault(error, 'InvalidParameter'))); // prettier-ignore
  }
});

describe('SEARCH', () => {
  const run = (expression: string, label?: string) =>
    runQueries(metrics, scope, [{ id: 'e1', label, returned: true, periodS: 300, expression }], { start: START, end: START + 600_000 });
  const shown = (expression: string, label?: string) => run(expression, label).map((one) => [one.label, [...one.values.values()]]);

  it('is a list of series, each with its own label', () => {
    const text = `SEARCH('{AWS/ECS,ClusterName,ServiceName} MetricName="CPUUtilization"', 'Average', 300)`;
    assert.deepEqual(shown(text), [['web', [1]], ['api-web', [2]]]); // prettier-ignore
    assert.deepEqual(shown(`SUM(${text})`), [['e1', [3]]]);
    assert.deepEqual(shown(`REMOVE_EMPTY(${text})`, "${PROP('MetricName')} of ${PROP('Dim.ServiceName')}, ${LABEL}: ${MAX}"), [
      ['CPUUtilization of web, web: 1', [1]],
      ['CPUUtilization of api-web, api-web: 2', [2]],
    ]);
    assert.deepEqual(shown(`SEARCH('Utilization ServiceName="web"', 'Maximum')`), [['CPUUtilization', [1]], ['MemoryUtilization', [3]]]); // prettier-ignore
    assert.deepEqual(shown(`SEARCH('{None}', 'Sum', 60)`), []);
  });

  it('refuses what it can’t mean', () => {
    for (const text of ['SEARCH()', "SEARCH('x')", "SEARCH('x', 3)", "SEARCH('x', 'Mean', 300)", "SEARCH('x', 'Sum', 10)", "SEARCH('x', 'Sum', 'y')"])
      assert.throws(() => run(text), (error) => isFault(error, 'InvalidParameter'), text); // prettier-ignore
  });
});
