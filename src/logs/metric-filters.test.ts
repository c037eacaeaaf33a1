import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import type { VirtualClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { silentLog } from '#base/log.ts';
import { createLogs } from './logs.ts';
import type { FilterValues, Logs, MetricFilter, MetricTransformation } from './types.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const MINUTE = 60_000;
const plain: MetricTransformation = { name: 'Errors', namespace: 'App', value: '1', unit: 'Count', defaultValue: null, dimensions: {} };
const filterOf = (pattern: string, changes: Partial<MetricTransformation> = {}, name = 'f'): Omit<MetricFilter, 'createdAt'> => ({
  name,
  pattern,
  transformations: [{ ...plain, ...changes }],
});

describe('metric filters', () => {
  let dir: string;
  let clock: VirtualClock;
  let found: FilterValues[];
  let logs: Logs;
  const open = () => createLogs({ dir, clock, log: silentLog, metricSink: async (values) => void found.push(...values) });
  const put = (...messages: string[]) =>
    logs.put(
      scope,
      'app',
      's',
      messages.map((message) => ({ timestamp: clock.now(), message })),
    );
  const seen = () => found.splice(0).map(({ name, at, dimensions, values }) => ({ name, at, dimensions, values: [...values] }));

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'berth-filters-'));
    clock = virtualClock(1_700_000_040_000); // a minute begins
    found = [];
    logs = open();
    await logs.createGroup(scope, 'app', { tags: {} });
    await logs.createStream(scope, 'app', 's');
  });
  afterEach(async () => {
    await logs.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('count what matches, by the minute of the event, also after a restart', async () => {
    await logs.putMetricFilter(scope, 'app', filterOf('ERROR'));
    assert.equal((await logs.getGroup(scope, 'app'))?.metricFilters, 1);
    await put('ERROR 1', 'fine', 'ERROR 2');
    assert.deepEqual(seen(), []);
    await clock.advance(limits.logFilterEveryMs);
    assert.deepEqual(seen(), [{ name: 'Errors', at: 1_700_000_040_000, dimensions: {}, values: [[1, 2]] }]);
    await logs.close();
    logs = open();
    await put('ERROR 3');
    await logs.close();
    assert.deepEqual(seen(), [{ name: 'Errors', at: 1_700_000_040_000, dimensions: {}, values: [[1, 1]] }]);
    logs = open();
    await logs.deleteMetricFilter(scope, 'app', 'f');
    await put('ERROR 4');
    await clock.advance(MINUTE);
    assert.deepEqual(seen(), []);
  });

  it('take values and dimensions out of JSON and out of fields, and nothing where they lack', async () => {
    await logs.putMetricFilter(scope, 'app', filterOf('{ $.ms > 0 }', { value: '$.ms', dimensions: { Path: '$.req.path' } }));
    await logs.putMetricFilter(scope, 'app', filterOf('[..., size > 10]', { name: 'Size', value: '$size', dimensions: {} }, 'g'));
    await put(
      '{"ms":5,"req":{"path":"/a"}}',
      '{"ms":7.5,"req":{"path":"/a"}}',
      '{"ms":9}',
      '{"ms":9,"req":{"path":""}}',
      'GET /x 12',
      'GET /x y',
    );
    await clock.advance(limits.logFilterEveryMs);
    assert.deepEqual(
      seen().map(({ name, dimensions, values }) => [name, dimensions, values]),
      [
        ['Errors', { Path: '/a' }, [[5, 1], [7.5, 1]]], // prettier-ignore
        ['Size', {}, [[12, 1]]],
      ],
    );
  });

  it('tell the default value of a minute that brought events and no match', async () => {
    await logs.putMetricFilter(scope, 'app', filterOf('ERROR', { defaultValue: 0 }));
    await put('fine');
    await clock.advance(MINUTE - 1000);
    assert.deepEqual(seen(), []);
    await clock.advance(2000);
    assert.deepEqual(seen(), [{ name: 'Errors', at: 1_700_000_040_000, dimensions: {}, values: [[0, 1]] }]);
    await put('fine', 'ERROR');
    await clock.advance(2 * MINUTE);
    assert.deepEqual(
      seen().map(({ values }) => values),
      [[[1, 1]]],
    );
  });

  it('keep the sum where a second brings more values than are held apart', async () => {
    await logs.putMetricFilter(scope, 'app', filterOf('{ $.v = * }', { value: '$.v' }));
    const many = Array.from({ length: limits.logFilterValues + 500 }, (_, v) => v);
    await put(...many.map((v) => JSON.stringify({ v })));
    await clock.advance(limits.logFilterEveryMs);
    const values = found[0]?.values ?? new Map<number, number>();
    let [count, sum] = [0, 0];
    for (const [value, times] of values) [count, sum] = [count + times, sum + value * times];
    assert.equal(count, many.length);
    assert.ok(Math.abs(sum - many.reduce((a, b) => a + b, 0)) < 1);
    assert.ok(values.size <= limits.logFilterValues);
  });

  it('are refused where AWS refuses them, and nothing changes', async () => {
    const refused = (filter: Omit<MetricFilter, 'createdAt'>) =>
      assert.rejects(logs.putMetricFilter(scope, 'app', filter), (error) => isFault(error, 'InvalidParameter'));
    await refused(filterOf('{ $.a'));
    await refused(filterOf('x', {}, 'a:b'));
    await refused(filterOf('x', { namespace: 'AWS/X' }));
    await refused(filterOf('x', { value: 'one' }));
    await refused(filterOf('x', { value: '$.a' }));
    await refused(filterOf('[a, b]', { value: '$c' }));
    await refused(filterOf('{ $.a = 1 }', { defaultValue: 0, dimensions: { A: '$.a' } }));
    await refused(filterOf('{ $.a = 1 }', { dimensions: { A: '$.a', B: '$.a', C: '$.a', D: '$.a' } }));
    await refused({ name: 'f', pattern: 'x', transformations: [] });
    assert.deepEqual(logs.metricFilters(scope, 'app'), []);
    await assert.rejects(logs.deleteMetricFilter(scope, 'app', 'f'), (error) => isFault(error, 'ResourceNotFound'));
    await logs.createGroup(scope, 'rare', { tags: {}, class: 'INFREQUENT_ACCESS' });
    await assert.rejects(logs.putMetricFilter(scope, 'rare', filterOf('x')), { message: /INFREQUENT_ACCESS/ });
  });

  it('a protected group stays, and so do its streams', async () => {
    await logs.setProtection(scope, 'app', true);
    await assert.rejects(logs.deleteGroup(scope, 'app'), { message: /deletion protection/ });
    await assert.rejects(logs.deleteStream(scope, 'app', 's'), { message: /deletion protection/ });
    await logs.setProtection(scope, 'app', false);
    await logs.deleteGroup(scope, 'app');
    assert.deepEqual(logs.metricFilters(scope), []);
  });
});
