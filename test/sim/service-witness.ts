/** What must hold of services after every step of a simulation, and once it has come to rest. */
import assert from 'node:assert/strict';
import { limits } from '#base/limits.ts';
import { readService, scope } from '#control/services/testing.ts';
import { serviceGroup } from '#domain/service.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { Cluster } from './cluster.ts';
import type { Owned, Wish } from './service-actor.ts';

export type ServiceWitness = { check(): Promise<void>; checkRest(): Promise<void>; checkGone(): Promise<void> };

export function createServiceWitness(cluster: Cluster, services: readonly Owned[]): ServiceWitness {
  /** Of each service: the ids of its live tasks at the last look, and stops that were looked at. */
  const live = new Map<string, Set<string>>();
  const judged = new Set<string>();
  /** Of each task: since when it was seen to run, and its health at the last look. What the control plane hasn't heard of it can't heed. */
  const seen: Seen = new Map();
  let lookedAt = 0;
  const tasksOf = async () => {
    const all = await cluster.store.read((tx) => tx.tasks.list({}));
    return Map.groupBy(all, (task) => task.desired.group);
  };
  return {
    async check() {
      const byGroup = await tasksOf();
      for (const owned of services) {
        const tasks = byGroup.get(serviceGroup(owned.name)) ?? [];
        const now = new Set(tasks.filter((task) => task.observed.status !== 'STOPPED').map((task) => task.key.id));
        checkMaximum(owned, now, live.get(owned.name) ?? new Set(), lookedAt);
        live.set(owned.name, now);
        for (const task of tasks) {
          if (judged.has(task.key.id) || task.desired.stop === null) continue;
          judged.add(task.key.id);
          if (isScaling(task)) checkMinimum(owned, tasks, task, seen);
        }
        for (const task of tasks) note(seen, task, cluster.clock.now());
      }
      lookedAt = cluster.clock.now();
    },
    async checkRest() {
      const byGroup = await tasksOf();
      for (const { name, revision, wishes } of services) {
        const tasks = (byGroup.get(serviceGroup(name)) ?? []).filter((task) => task.observed.status !== 'STOPPED');
        const { desired, observed } = await readService(cluster.store, name);
        const states = tasks.map((task) => `${task.desired.service?.revisionId} ${task.observed.status} ${task.desired.status}`);
        const expected = Array(wishes.at(-1)?.count).fill(`${String(revision).padStart(19, '0')} RUNNING RUNNING`);
        assert.deepEqual(states, expected, `${name} does not rest at what was wished`);
        assert.equal(observed.targetRevisionId, desired.revisionId);
        assert.equal(observed.stableRevisionId, desired.revisionId);
        assert.notEqual(observed.steadyAt, null, `${name} is not steady`);
        const open = await cluster.store.read((tx) => tx.openDeployments({ ...scope, cluster: 'default', name }));
        assert.deepEqual(open, [], `${name} has deployments that never ended`);
      }
    },
    async checkGone() {
      const all = await cluster.store.read((tx) => tx.tasks.list({}));
      assert.ok(all.every((task) => task.observed.status === 'STOPPED'));
      for (const { name } of services) assert.equal((await readService(cluster.store, name)).observed.status, 'INACTIVE');
    },
  };
}

const most = ({ count, max }: Wish): number => Math.max(count, Math.floor((count * max) / 100));

/** Where tasks were added there are no more than one of the wishes since the last look lets there be: the planner may have seen any of them. */
function checkMaximum({ name, wishes }: Owned, now: ReadonlySet<string>, before: ReadonlySet<string>, lookedAt: number): void {
  if ([...now].every((id) => before.has(id))) return;
  const inForce = wishes.slice(
    Math.max(
      0,
      wishes.findLastIndex((wish) => wish.at < lookedAt),
    ),
  );
  const bound = Math.max(...inForce.map(most));
  assert.ok(now.size <= bound, `${name} has ${now.size} tasks, more than ${bound}`);
}

type Seen = Map<string, { runningAt: number; health: string | undefined }>;

function note(seen: Seen, { key, observed }: TaskRecord, now: number): void {
  if (observed.status !== 'RUNNING') return;
  seen.set(key.id, { runningAt: seen.get(key.id)?.runningAt ?? now, health: observed.containers[0]?.health });
}

const isScaling = (task: TaskRecord): boolean => task.desired.stop?.reason.startsWith('Scaling activity') ?? false;

/**
 * A healthy task that the scheduler stopped left as many as the minimum: of tasks that had run long enough and that nobody had asked to stop.
 * One that ended by itself counts as long as the control plane may not have heard of it.
 */
function checkMinimum({ name, wishes, checked }: Owned, tasks: readonly TaskRecord[], stopped: TaskRecord, seen: Seen): void {
  const at = stopped.desired.stop?.at ?? 0;
  const provenMs = checked ? 0 : limits.serviceProvenMs;
  const proven = ({ observed }: TaskRecord) => observed.startedAt !== null && observed.startedAt + provenMs <= at;
  const known = seen.get(stopped.key.id);
  if (known === undefined || known.runningAt + provenMs > at || (checked && known.health !== 'HEALTHY')) return;
  const left = tasks.filter((task) => proven(task) && (task.desired.stop === null || task.desired.stop.at > at)).length;
  const inForce = wishes.filter((wish, index) => wish.at >= at - 1 || index === wishes.findLastIndex((w) => w.at < at - 1));
  const min = Math.min(
    ...inForce.filter((wish) => wish.at <= at).map(({ count, min: percent }) => Math.ceil((count * Math.min(100, percent)) / 100)),
  );
  assert.ok(left >= min, `${name} was left with ${left} healthy tasks of at least ${min} by the stop of ${stopped.key.id} at ${at}`);
}
