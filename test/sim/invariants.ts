/** What must hold after every step of a simulation, and once it has come to rest. */
import assert from 'node:assert/strict';
import { taskStatuses } from '#domain/task.ts';
import type { DesiredStatus, TaskRecord, TaskStatus } from '#domain/task.ts';
import type { Cluster } from './cluster.ts';

/** What clients were told, by task id. */
export type Promises = Map<string, { desired: DesiredStatus; prints: number; ends: boolean }>;

export type Witness = {
  /** After every step. */
  check(): Promise<void>;
  /** After the faults have ended and time has passed. */
  checkRest(): Promise<void>;
};

export function createWitness(cluster: Cluster, promises: Promises): Witness {
  const seen = new Map<string, TaskStatus>();
  const tasks = async () => await cluster.store.read((tx) => tx.tasks.list({}));

  const checkRecords = (all: TaskRecord[]) => {
    const byId = new Map(all.map((task) => [task.key.id, task]));
    for (const [id, promise] of promises) {
      const task = byId.get(id);
      assert.ok(task !== undefined, `task ${id} was accepted and is gone`);
      if (promise.desired === 'STOPPED') assert.equal(task.desired.status, 'STOPPED', `the accepted stop of ${id} is gone`);
      const before = seen.get(id) ?? 'PROVISIONING';
      const now = task.observed.status;
      assert.ok(taskStatuses.indexOf(now) >= taskStatuses.indexOf(before), `task ${id} went from ${before} to ${now}`);
      seen.set(id, now);
    }
    const addresses = new Map<string, string>();
    for (const { key, placement, observed } of all) {
      if (placement === null || observed.status === 'STOPPED') continue;
      assert.equal(addresses.get(placement.ip), undefined, `${key.id} and ${addresses.get(placement.ip)} share ${placement.ip}`);
      addresses.set(placement.ip, key.id);
    }
  };
  const checkSandboxes = (all: TaskRecord[]) => {
    const hostOf = new Map(all.map((task) => [task.key.id, task.placement?.hostId]));
    const starts = new Map<string, number>();
    for (const host of cluster.hosts) {
      for (const [id, count] of host.world.starts()) {
        starts.set(id, (starts.get(id) ?? 0) + count);
        assert.equal(hostOf.get(id), host.id, `task ${id} ran on ${host.id}, which it was not placed on`);
      }
    }
    for (const [id, count] of starts) assert.ok(count === 1, `task ${id} was started ${count} times`);
  };
  const checkLines = () => {
    for (const [id, lines] of cluster.lines) {
      const expected = lines.map((_, n) => `line ${n}`);
      assert.deepEqual(lines, expected, `the output of ${id} has a gap or a repeat`);
    }
  };
  return {
    async check() {
      const all = await tasks();
      checkRecords(all);
      checkSandboxes(all);
      checkLines();
    },
    async checkRest() {
      const all = await tasks();
      for (const task of all) {
        const { id } = task.key;
        assert.ok(['RUNNING', 'STOPPED'].includes(task.observed.status), `task ${id} rests in ${task.observed.status}`);
        if (task.desired.status === 'STOPPED') assert.equal(task.observed.status, 'STOPPED', `task ${id} was to stop`);
        assert.equal(task.observed.connectivity, 'CONNECTED');
        const promise = promises.get(id);
        const ranToItsEnd = task.observed.stop?.code === 'EssentialContainerExited' && !cluster.cutShort.has(id);
        if (ranToItsEnd && promise?.ends === true) {
          assert.equal(cluster.lines.get(id)?.length ?? 0, promise.prints, `task ${id} ended by itself and its output is not whole`);
        }
      }
      for (const host of cluster.hosts) {
        const live = all
          .filter((task) => task.observed.status === 'RUNNING' && task.placement?.hostId === host.id)
          .map((task) => task.key.id);
        assert.deepEqual(host.world.alive().toSorted(), live.toSorted(), `${host.id} does not run what it should`);
        assert.deepEqual(host.journal.ids().toSorted(), live.toSorted(), `the journal of ${host.id} is not what it should be`);
      }
    },
  };
}
