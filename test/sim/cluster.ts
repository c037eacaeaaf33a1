/**
 * A whole berth in one process, from a seed: the real intent, store, control loops, link and host agents, on a virtual clock, with fake
 * sandboxes and a link that loses, delays, repeats and reorders. The control plane and every host may be killed at any step.
 */
import type { VirtualClock } from '#base/clock.ts';
import { virtualClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import type { Fields, Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { seededRandom } from '#base/random.ts';
import { startControl } from '#control/index.ts';
import type { Control, EventSources } from '#control/index.ts';
import { taskArn } from '#domain/arn.ts';
import type { TaskRecord } from '#domain/task.ts';
import { createHostAgent } from '#host/agent.ts';
import { createMemoryJournal } from '#host/journal.ts';
import { createFakeImages, createFakeNetwork, fakeHostInfo } from '#host/testing.ts';
import type { LinkFaults } from '#link/memory.ts';
import { memoryNetwork } from '#link/memory.ts';
import { createFakeDriver, createFakeWorld } from '#sandbox/fake.ts';
import type { FakeWorld } from '#sandbox/fake.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { createFakeVolumes } from '#volume/volumes.ts';
import { createLife, mortal, mortalClock, mortalDialer, mortalStore } from './mortal.ts';
import type { Life } from './mortal.ts';

const GIB = 1024 ** 3;
const calm: LinkFaults = { lose: 0, repeat: 0, delayMinMs: 0, delayMaxMs: 1 };

export type SimHost = {
  id: string;
  /** Where it says that it stands, when it starts. */
  zone: string | null;
  world: FakeWorld;
  journal: ReturnType<typeof createMemoryJournal>;
  life: Life | null;
};

export type Cluster = {
  clock: VirtualClock;
  random: Random;
  /** The database itself, and what acknowledged clients see: it outlives every process. */
  store: Store;
  hosts: SimHost[];
  /** Lines by task id, as the logs took them. */
  lines: Map<string, string[]>;
  faults: LinkFaults;
  /** Chance of being killed at each step of the control plane and of a host agent. */
  killChance: { control: number; host: number };
  controlLives(): boolean;
  startControl(): Promise<void>;
  /** As `berth down` begins. */
  pausePlacement(): void;
  killControl(): void;
  startHost(host: SimHost): Promise<void>;
  killHost(host: SimHost): void;
  /** The machine restarts: its supervisors are gone, its disk is not. */
  rebootHost(host: SimHost): void;
  killSupervisor(host: SimHost, taskId: string): void;
  /** Tasks whose supervisor was killed, or whose host gave up on handing over their output and said so: it may have an end too early. */
  cutShort: Set<string>;
  cutLinks(): void;
  /** Everything is started that is not, and nothing fails any more. */
  heal(): Promise<void>;
  close(): Promise<void>;
};

/** `deliver`: where events go to; without it nobody hears of any. */
export async function createCluster(seed: number, hostCount: number, deliver?: EventSources['deliver']): Promise<Cluster> {
  const random = seededRandom(seed);
  const clock = virtualClock();
  const store = await createSqliteStore({ path: ':memory:', now: () => clock.now() });
  const network = memoryNetwork(clock, { random, faults: () => cluster.faults });
  const lines = new Map<string, string[]>();
  const takenTo = new Map<string, number>();
  const hosts: SimHost[] = Array.from({ length: hostCount }, (_, n) => ({
    id: `host-${n}`,
    zone: null,
    world: createFakeWorld({ clock }),
    journal: createMemoryJournal(),
    life: null,
  }));
  let control = null as { life: Life; running: Control | null } | null;
  let lives = 0;

  const cluster: Cluster = {
    clock,
    random,
    store,
    hosts,
    lines,
    faults: calm,
    killChance: { control: 0, host: 0 },
    controlLives: () => control !== null,
    pausePlacement: () => control?.running?.pausePlacement(),
    async startControl() {
      if (control !== null) return;
      const linkServer = network.listen();
      const life = createLife(
        random,
        () => cluster.killChance.control,
        () => {
          control = null;
          void linkServer.close();
        },
      );
      const mine = { life, running: null as Control | null };
      control = mine;
      const deps = {
        store: mortalStore(store, life),
        linkServer,
        clock: mortalClock(clock, life),
        random,
        log: silentLog,
        balancer: {
          ...mortal({ apply: async () => ({ targets: [], missing: [], leaving: 0 }) }, life),
          onRestart: () => undefined,
          metrics: () => ({ at: 0, listeners: [], groups: [] }),
        },
        ...(deliver && {
          events: {
            ...mortal({ deliver }, life),
            describeTask: async (_tx: unknown, { key }: TaskRecord) => ({ taskArn: taskArn(key) }),
            keepMs: 24 * 3600_000,
          },
        }),
        certificatesDir: '/nowhere',
        ...mortal(
          {
            openLogStream: async () => {},
            protectTask: async () => ({ until: null }),
            taskCredentials: async () => Promise.reject(new Error('no task here has a role')),
            taskSecrets: async () => Promise.reject(new Error('no task here has secrets')),
          },
          life,
        ),
        // As logs.putOnce: by the end of each event, whatever is repeated.
        ...mortal(
          {
            async onOutput(batch: Parameters<Parameters<typeof startControl>[0]['onOutput']>[0]) {
              const taken = takenTo.get(batch.key.id) ?? 0;
              const fresh = batch.events.filter((event) => event.end > taken).map((event) => event.text);
              lines.set(batch.key.id, [...(lines.get(batch.key.id) ?? []), ...fresh]);
              takenTo.set(batch.key.id, Math.max(taken, batch.to));
            },
          },
          life,
        ),
      };
      // Killed while it starts, it never comes back from here: nobody waits for it.
      void startControl(deps, { holder: `control-${lives++}`, soleOwner: true }).then((running) => (mine.running = running));
      await clock.advance(1);
    },
    killControl: () => control?.life.die(),
    startHost: (host) => startHost(cluster, host, network.dialer()),
    killHost: (host) => host.life?.die(),
    rebootHost(host) {
      host.life?.die();
      for (const taskId of host.world.alive()) cluster.cutShort.add(taskId);
      host.world.reboot();
    },
    killSupervisor(host, taskId) {
      cluster.cutShort.add(taskId);
      host.world.kill(taskId);
    },
    cutShort: new Set(),
    cutLinks: () => network.cut('the network was cut'),
    async heal() {
      cluster.faults = calm;
      cluster.killChance = { control: 0, host: 0 };
      await cluster.startControl();
      for (const host of hosts) if (host.life === null) await cluster.startHost(host);
    },
    async close() {
      for (const host of hosts) host.life?.die();
      control?.life.die();
      await control?.running?.stop();
      await store.close();
    },
  };
  return cluster;
}

async function startHost(cluster: Cluster, host: SimHost, dialer: ReturnType<ReturnType<typeof memoryNetwork>['dialer']>): Promise<void> {
  if (host.life !== null) return;
  const { clock, random } = cluster;
  const life = createLife(
    random,
    () => cluster.killChance.host,
    () => {
      host.life = null;
      host.world.detachAll();
      link.cut();
    },
  );
  host.life = life;
  const link = mortalDialer(dialer, life);
  const { ids: _ids, ...journal } = host.journal;
  const agent = createHostAgent(
    {
      dialer: link,
      drivers: [mortalDriver(host.world, clock, life)],
      images: mortal(createFakeImages(), life),
      network: createFakeNetwork(),
      volumes: mortal(createFakeVolumes(), life),
      journal: mortal(journal, life),
      clock: mortalClock(clock, life),
      random,
      log: dropsInto(cluster.cutShort),
      info: async () => fakeHostInfo({ hostname: host.id, memoryBytes: 64 * GIB, zone: host.zone }),
      usage: async () => ({ freeMemoryBytes: 64 * GIB, freeDiskBytes: 1e12, loadPercent: 0 }),
      serveVpc: async () => {},
      setNames: () => {},
    },
    { hostId: host.id, dir: `/sim/${host.id}` },
  );
  void agent.start();
  await clock.advance(1);
}

function mortalDriver(world: FakeWorld, clock: VirtualClock, life: Life) {
  const driver = createFakeDriver(world, { clock: mortalClock(clock, life) });
  const { kind, ...calls } = driver;
  return { kind, ...mortal(calls, life) };
}

/** A host says in its log when it drops output that the control plane would not take. */
function dropsInto(cutShort: Set<string>, bound: Fields = {}): Log {
  return {
    ...silentLog,
    warn(event, fields = {}) {
      const { taskId } = { ...bound, ...fields };
      if (event === 'output.dropped' && typeof taskId === 'string') cutShort.add(taskId);
    },
    with: (fields) => dropsInto(cutShort, { ...bound, ...fields }),
  };
}
