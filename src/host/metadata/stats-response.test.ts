import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerStats, TaskStats } from '#supervisor/protocol.ts';
import { statsResponse } from './stats-response.ts';
import type { Sample } from './stats-response.ts';

const AT = Date.UTC(2026, 10, 27, 12);
const detail = {
  userNs: 700,
  kernelNs: 300,
  periods: 10,
  throttledPeriods: 4,
  throttledNs: 5_000,
  memory: { anon: 4096, inactive_file: 8192 },
  io: [{ major: 8, minor: 0, readBytes: 512, writtenBytes: 1024, reads: 1, writes: 2 }],
};
const web: ContainerStats = { name: 'web', cpuNs: 1000, memoryBytes: 4096, memoryLimitBytes: 8192, pids: 3, oomKills: 1, detail };
const of = { container: 'web', id: 'id-1', cpus: 2 };

function sample(readAtMs: number, containers: ContainerStats[], network: TaskStats['network'] = null): Sample {
  return { stats: { readAtMs, containers, task: { cpuNs: 0, memoryBytes: 0, pids: 0 }, network }, systemCpuNs: readAtMs };
}
type Told = Record<string, Record<string, unknown>>;
const told = (...args: Parameters<typeof statsResponse>) => (statsResponse(...args) ?? assert.fail('nothing is told')) as Told;

test('a container reads as Docker tells it, with all that the kernel keeps', () => {
  const all = told(sample(AT, [web]), { startedAtMs: AT - 1000 }, of, true);
  assert.deepEqual(all['cpu_stats'], {
    cpu_usage: { total_usage: 1000, usage_in_kernelmode: 300, usage_in_usermode: 700 },
    system_cpu_usage: AT,
    online_cpus: 2,
    throttling_data: { periods: 10, throttled_periods: 4, throttled_time: 5_000 },
  });
  assert.deepEqual(all['memory_stats'], { usage: 4096, stats: detail.memory, limit: 8192, failcnt: 1 });
  assert.deepEqual(all['blkio_stats']?.['io_service_bytes_recursive'], [
    { major: 8, minor: 0, op: 'read', value: 512 },
    { major: 8, minor: 0, op: 'write', value: 1024 },
  ]);
  const serviced = (all['blkio_stats'] ?? {})['io_serviced_recursive'] as { value: number }[];
  assert.deepEqual(
    serviced.map((one) => one.value),
    [1, 2],
  );
  assert.deepEqual([all['pids_stats'], all['id'], all['name']], [{ current: 3 }, 'id-1', 'web']);
});

test('what is not known in parts is still there, as nothing', () => {
  const all = told(sample(AT, [{ ...web, detail: undefined }]), { startedAtMs: AT - 1000 }, of, false);
  assert.deepEqual((all['cpu_stats'] as Told)['cpu_usage'], { total_usage: 1000, usage_in_kernelmode: 0, usage_in_usermode: 0 });
  assert.deepEqual([all['memory_stats']?.['stats'], all['blkio_stats']?.['io_serviced_recursive']], [{}, []]);
  assert.equal(statsResponse(sample(AT, []), { startedAtMs: AT }, of, true), null, 'a container that does not run');
});

test('differences are to the look before; before the first a task had used nothing', () => {
  const network = (rxBytes: number, txBytes: number) => ({ rxBytes, txBytes, rxPackets: 1, txPackets: 2 });
  const first = sample(AT, [web], network(1000, 500));
  const fresh = told(first, { startedAtMs: AT - 2000 }, of, true);
  assert.equal(fresh['preread'], '0001-01-01T00:00:00Z');
  assert.deepEqual((fresh['precpu_stats'] as Told)['cpu_usage']?.['total_usage'], 0);
  assert.deepEqual(fresh['network_rate_stats'], { rx_bytes_per_sec: 500, tx_bytes_per_sec: 250 });
  const next = told(sample(AT + 1000, [{ ...web, cpuNs: 3000 }], network(1100, 500)), first, of, true);
  assert.equal(next['preread'], new Date(AT).toISOString());
  assert.deepEqual((next['precpu_stats'] as Told)['cpu_usage']?.['total_usage'], 1000);
  assert.deepEqual(next['network_rate_stats'], { rx_bytes_per_sec: 100, tx_bytes_per_sec: 0 });
  // Counters that begin anew are no negative rate; version 3 has no rates.
  assert.deepEqual(told(sample(AT + 1000, [web], network(0, 0)), first, of, true)['network_rate_stats'], {
    rx_bytes_per_sec: 0,
    tx_bytes_per_sec: 0,
  });
  assert.equal('network_rate_stats' in told(first, { startedAtMs: AT }, of, false), false);
});
