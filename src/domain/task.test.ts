import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { containerSpec, taskSpec } from './samples.ts';
import { newTaskObserved, taskHealth } from './task.ts';
import type { HealthStatus } from './task.ts';

describe('health of a task', () => {
  const spec = taskSpec({
    containers: [containerSpec({ name: 'a' }), containerSpec({ name: 'b' }), containerSpec({ name: 'side', essential: false })],
  });
  const of = (...healths: (HealthStatus | undefined)[]): HealthStatus => {
    const observed = newTaskObserved(spec);
    return taskHealth({ containers: observed.containers.map((container, index) => ({ ...container, health: healths[index] })) }, spec);
  };

  it('is that of its essential containers', () => {
    assert.equal(of('HEALTHY', 'HEALTHY', 'UNHEALTHY'), 'HEALTHY');
    assert.equal(of('HEALTHY', 'UNHEALTHY', 'HEALTHY'), 'UNHEALTHY');
    assert.equal(of('UNKNOWN', 'UNHEALTHY', 'HEALTHY'), 'UNHEALTHY');
    assert.equal(of('HEALTHY', 'UNKNOWN', 'HEALTHY'), 'UNKNOWN');
    assert.equal(taskHealth(newTaskObserved(spec), spec), 'UNKNOWN');
  });

  it('is UNKNOWN in a row of a former version', () => assert.equal(of(undefined, 'HEALTHY', 'HEALTHY'), 'UNKNOWN'));
});
