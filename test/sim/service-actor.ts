/** Services in a simulated cluster: what their owners ask for, what their revisions do, and what dies meanwhile. */
import { changeService, deploy } from '#control/services/testing.ts';
import type { Change } from '#control/services/testing.ts';
import { ensureRegion } from '#intent/index.ts';
import type { Cluster } from './cluster.ts';

export const scope = { account: '123456789012', region: 'us-east-1' };

/** What a revision's tasks do. `sound`: left alone they come up and stay. */
type Kind = { sound: boolean; command(upTo: (n: number) => number): string[]; image?: string };

const kinds: Kind[] = [
  { sound: true, command: (upTo) => [`start-ms=${upTo(3000)}`, `healthy-after-ms=${upTo(5000)}`, `stop-ms=${upTo(20_000)}`] },
  { sound: true, command: (upTo) => [`start-ms=${upTo(60_000)}`, `healthy-after-ms=${upTo(20_000)}`] },
  { sound: false, command: () => [], image: 'missing:1' },
  { sound: false, command: () => ['fail-start=no such command'] },
  { sound: false, command: (upTo) => [`run-ms=${upTo(3000)}`, 'exit=1'] },
  { sound: false, command: (upTo) => [`run-ms=${10_000 + upTo(120_000)}`, 'exit=1', 'healthy-after-ms=100'] },
  { sound: false, command: (upTo) => [`unhealthy-after-ms=${1000 + upTo(30_000)}`] },
];

/** The wish in force, and those before it: `at` is when it was committed. */
export type Wish = { at: number; count: number; min: number; max: number };
export type Owned = { name: string; checked: boolean; revision: number; wishes: Wish[] };

const check = { command: ['true'], intervalMs: 5000, timeoutMs: 2000, retries: 3, startPeriodMs: 0 };

export type Actor = {
  services: Owned[];
  begin(): Promise<void>;
  act(): Promise<void>;
  settle(): Promise<void>;
  removeAll(): Promise<void>;
};

export function createServiceActor(cluster: Cluster, serviceCount: number): Actor {
  const { random, store, clock } = cluster;
  const upTo = (n: number) => Math.floor(random.fraction() * n);
  const services: Owned[] = [];
  const anyHost = () => cluster.hosts[upTo(cluster.hosts.length)];
  const any = () => services[upTo(services.length)];

  const bring = async (owned: Owned, kind: Kind, change: Partial<Wish> = {}): Promise<void> => {
    const before = owned.wishes.at(-1);
    const wish = { count: 1 + upTo(4), min: 100, max: 200, ...before, ...change, at: clock.now() };
    owned.wishes.push(wish);
    owned.revision += 1;
    const container: Change['container'] = { command: kind.command(upTo), health: owned.checked ? check : null };
    if (kind.image !== undefined) container.image = kind.image;
    const breaks = upTo(2) === 0;
    await deploy(store, clock.now(), owned.name, owned.revision, {
      count: wish.count,
      container,
      deployment: {
        minimumHealthyPercent: wish.min,
        maximumPercent: wish.max,
        circuitBreaker: { enable: breaks, rollback: true, threshold: { type: 'BOUNDED_PERCENT', value: 50 }, resetOnHealthyTask: true },
      },
    });
  };
  const sound = () => kinds[upTo(2)] as Kind;
  const scale = async (owned: Owned): Promise<void> => {
    const before = owned.wishes.at(-1) as Wish;
    const wish = { ...before, count: upTo(6), at: clock.now() };
    owned.wishes.push(wish);
    await changeService(store, owned.name, { desiredCount: wish.count });
  };
  const acts: [number, () => Promise<void> | void][] = [
    [10, () => withOne(any(), (owned) => bring(owned, kinds[upTo(kinds.length)] as Kind))],
    [4, () => withOne(any(), (owned) => bring(owned, sound(), { min: upTo(101), max: 101 + upTo(150) }))],
    [8, () => withOne(any(), scale)],
    [4, () => cluster.killControl()],
    [10, () => cluster.startControl()],
    [3, () => void (cluster.killChance = { control: random.fraction() * 0.002, host: random.fraction() * 0.002 })],
    [4, () => withOne(anyHost(), (host) => cluster.killHost(host))],
    [3, () => withOne(anyHost(), (host) => cluster.rebootHost(host))],
    [12, () => withOne(anyHost(), (host) => cluster.startHost(host))],
    [3, () => cluster.cutLinks()],
    [
      4,
      () =>
        void (cluster.faults = { lose: random.fraction() * 0.2, repeat: random.fraction() * 0.2, delayMinMs: 0, delayMaxMs: upTo(1000) }),
    ],
    [
      6,
      () =>
        withOne(anyHost(), (host) =>
          withOne(host.world.alive()[upTo(host.world.alive().length)], (id) => cluster.killSupervisor(host, id)),
        ),
    ],
    [20, () => {}],
  ];
  const total = acts.reduce((sum, [weight]) => sum + weight, 0);
  return {
    services,
    async begin() {
      await ensureRegion({ store, clock, random }, scope);
      for (let n = 0; n < serviceCount; n++) {
        const owned: Owned = { name: `s${n}`, checked: upTo(2) === 0, revision: n * 1000, wishes: [] };
        await bring(owned, sound());
        services.push(owned);
      }
    },
    async act() {
      let pick = random.fraction() * total;
      for (const [weight, one] of acts) {
        pick -= weight;
        if (pick <= 0) return void (await one());
      }
    },
    /** Each gets a revision that works, and bounds that let it come. */
    async settle() {
      for (const owned of services) await bring(owned, sound(), { min: 100, max: 200 });
    },
    async removeAll() {
      for (const { name, wishes } of services) {
        wishes.push({ at: clock.now(), count: 0, min: 0, max: 100 });
        await changeService(store, name, { status: 'DRAINING', desiredCount: 0, deletedAt: clock.now() });
      }
    },
  };
}

async function withOne<T>(one: T | undefined, fn: (one: T) => Promise<void> | void): Promise<void> {
  if (one !== undefined) await fn(one);
}
