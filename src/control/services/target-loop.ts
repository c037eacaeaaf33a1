/**
 * Keeps the tasks of services in their target groups: registered once they run, drained before they stop, gone when they are. Writer of
 * `targets.desired` of those tasks; what a caller deregistered it takes away once it is drained. A task that is to stop is told so by its
 * host's session once no row stands for it any more.
 */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { deregistrationDelayMs, newTargetObserved, parseTargetGroupArn } from '#domain/load-balancer.ts';
import type { ServiceRevisionRecord } from '#domain/service.ts';
import type { ReadTx, ServiceTaskSlot, Store, WriteTx } from '#store/types.ts';
import { createLease } from '../lease.ts';
import { startLoop } from '../loop.ts';
import type { Loop } from '../loop.ts';
import { addEvents } from './events.ts';
import { planTargets } from './target-plan.ts';
import type { TargetPlan, TargetSnapshot, Wiring } from './target-plan.ts';

const TICK_MS = 15_000;

export type TargetLoop = Loop & {
  /** Hint: what revisions are wired to may have changed. */
  forget(): void;
};

/** While `paused` the platform goes down: nothing drains for longer than `limits.downDrainMs`. */
export function startTargetLoop(
  deps: { store: Store; clock: Clock; random: Random; log: Log },
  holder: string,
  paused: () => boolean,
): TargetLoop {
  const { store, clock, log } = deps;
  const lease = createLease(store, clock, 'targets', holder);
  const wirings: WiringMemo = new Map();
  let wakeAt: number | null = null;
  const mostMs = () => (paused() ? limits.downDrainMs : Infinity);
  const loop = startLoop(deps, {
    name: 'targets',
    tickMs: () => (wakeAt === null ? TICK_MS : Math.max(limits.loopRetryMinMs, Math.min(TICK_MS, wakeAt - clock.now()))),
    async run() {
      const seen = await store.read(async (tx) => planTargets(await readSnapshot(tx, wirings, clock.now(), mostMs())));
      wakeAt = seen.wakeAt;
      if (isEmpty(seen)) return;
      const plan = await lease.write(async (tx) => {
        const now = clock.now();
        const fresh = planTargets(await readSnapshot(tx, wirings, now, mostMs()));
        await carryOut(tx, { random: deps.random, now }, fresh);
        return fresh;
      });
      log.info('targets', { registered: plan.register.length, draining: plan.deregister.length, removed: plan.remove.length });
      // The rest is planned on from what this wrote.
      loop.look();
    },
  });
  return {
    ...loop,
    forget() {
      wirings.clear();
      loop.look();
    },
  };
}

const isEmpty = (plan: TargetPlan): boolean => plan.register.length + plan.deregister.length + plan.remove.length === 0;

/** What revisions are wired to, once it is decided. */
type WiringMemo = Map<string, readonly Wiring[]>;

async function readSnapshot(tx: ReadTx, memo: WiringMemo, now: number, mostMs: number): Promise<TargetSnapshot> {
  const tasks = await tx.tasks.serviceTaskSlots();
  const names = new Set(tasks.map(revisionName));
  for (const name of memo.keys()) if (!names.has(name)) memo.delete(name);
  const wirings = new Map(memo);
  for (const task of tasks) {
    const name = revisionName(task);
    if (wirings.has(name)) continue;
    const revision = await tx.serviceRevisions.get({ ...task.service, id: revisionIdOf(task) });
    const wiring = revision === undefined ? [] : wiringOf(revision);
    wirings.set(name, wiring ?? []);
    if (wiring !== null) memo.set(name, wiring);
  }
  const targets = await tx.targets.list({});
  const wired = targets.length > 0 || [...wirings.values()].some((wiring) => wiring.length > 0);
  const groups = wired ? await tx.targetGroups.list({}) : [];
  const subnets = wired ? await tx.subnets.list({}) : [];
  return {
    now,
    tasks,
    wiring: (task) => wirings.get(revisionName(task)) ?? [],
    targets,
    delays: new Map(groups.map((group) => [group.desired.id, Math.min(mostMs, deregistrationDelayMs(group))])),
    zones: new Map(subnets.map((subnet) => [subnet.key.id, subnet.zone])),
  };
}

const revisionIdOf = (task: ServiceTaskSlot): string => (task.startedBy ?? '').split('/').at(-1) ?? '';
const revisionName = (task: ServiceTaskSlot): string =>
  [task.service.account, task.service.region, task.service.cluster, task.service.name, revisionIdOf(task)].join('/');

/** null while its groups aren't decided. */
function wiringOf({ desired, observed }: ServiceRevisionRecord): readonly Wiring[] | null {
  if (desired.loadBalancers.length === 0) return [];
  const { targetGroupArns } = observed;
  if (targetGroupArns === null) return null;
  return desired.loadBalancers.flatMap(({ port }, index) => {
    const groupArn = targetGroupArns[index];
    const group = groupArn === undefined ? undefined : parseTargetGroupArn(groupArn);
    return groupArn === undefined || group === undefined ? [] : [{ groupArn, groupId: group.id, port }];
  });
}

async function carryOut(tx: WriteTx, source: { random: Random; now: number }, plan: TargetPlan): Promise<void> {
  const { now } = source;
  // First those that go: an address may have a new task already.
  for (const target of plan.remove) await tx.targets.delete(target.key);
  for (const target of plan.deregister)
    await tx.targets.setDesired(target.key, { ...target.desired, deregisteredAt: now }, target.revision);
  for (const { key, taskId, zone } of plan.register) {
    await tx.targets.insert(key, { registeredAt: now, deregisteredAt: null, zone, taskId }, newTargetObserved(now));
  }
  for (const [service, messages] of Map.groupBy(plan.events, (event) => event.service)) {
    await addEvents(
      tx,
      source,
      service,
      messages.map((event) => event.message),
    );
  }
}
