/** All hosts: who is connected, the greeting of those that come, the silence of those that are gone. */
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { HostRecord } from '#domain/records.ts';
import { linkVersions } from '#link/protocol.ts';
import type { ControlConnection, FromHost } from '#link/types.ts';
import { negotiateVersion } from '#link/versions.ts';
import { afterHello, afterLoss, afterSilence } from '#plan/host-loss.ts';
import type { WriteTx } from '#store/types.ts';
import { startHostSession } from './host-session.ts';
import type { HostSession, SessionDeps } from './host-session.ts';
import { startLoop } from './loop.ts';
import type { ControlDeps, HostCalls } from './types.ts';

type Hello = Extract<FromHost, { t: 'hello' }>;

export type HostSessions = {
  calls: HostCalls;
  /** Hint: tasks changed. */
  look(): void;
  setNames(names: Record<string, string[]>): void;
  stop(): Promise<void>;
};

export function startHostSessions(deps: SessionDeps & Pick<ControlDeps, 'linkServer'>): HostSessions {
  const { store, clock, log, lease, linkServer } = deps;
  const sessions = new Map<string, HostSession>();
  /** By host: who waits for it to come back. */
  const awaiting = new Map<string, Set<() => void>>();
  const startedAt = clock.now();
  let naming = { revision: 0, json: '{}', names: {} as Record<string, string[]> };
  let stopped = false;

  const findSilent = async () => {
    const now = clock.now();
    for (const session of sessions.values()) {
      if (now - session.heardAt() > limits.hostSilenceMs) session.connection.close('the host was silent for too long');
    }
    const gone = (await store.read((tx) => tx.hosts.list({}))).filter(
      ({ key, status, seenAt }) =>
        status === 'CONNECTED' && !sessions.has(key.hostId) && now - Math.max(seenAt, startedAt) > limits.hostSilenceMs,
    );
    if (gone.length === 0) return;
    await lease.write(async (tx) => {
      for (const { key } of gone) await disconnect(tx, key.hostId, clock.now());
    });
    for (const { key } of gone) log.warn('host-silent', { hostId: key.hostId });
  };

  /** While no other host is there nobody could take its tasks over, and they may well run on. */
  const findLost = async () => {
    if (sessions.size === 0) return;
    const now = clock.now();
    const lost = (await store.read((tx) => tx.hosts.list({}))).filter(
      ({ key, seenAt }) => !sessions.has(key.hostId) && now - Math.max(seenAt, startedAt) > limits.hostLostMs,
    );
    for (const { key } of lost) {
      const count = await lease.write((tx) => giveUp(tx, key.hostId, clock.now()));
      if (count > 0) log.warn('host-lost', { hostId: key.hostId, tasks: count });
    }
  };

  const assigning = startLoop(deps, {
    name: 'assign',
    tickMs: limits.syncMs,
    async run() {
      if (sessions.size === 0) return;
      const byHost = Map.groupBy(await store.read((tx) => tx.tasks.slots()), (slot) => slot.hostId);
      for (const session of sessions.values()) session.tasks(byHost.get(session.hostId) ?? []);
    },
  });
  const watching = startLoop(deps, { name: 'silence', tickMs: limits.heartbeatMs, run: () => findSilent().then(findLost) });

  const greet = (connection: ControlConnection) => {
    if (stopped) return connection.close('the control plane ends');
    const timer = clock.after(limits.linkHandshakeMs, () => connection.close('the host did not say hello in time'));
    connection.onClose(() => timer.cancel());
    let greeted = false;
    connection.onMessage((message) => {
      if (greeted || message.t !== 'hello') return;
      greeted = true;
      timer.cancel();
      welcome(connection, message).catch((error: unknown) => {
        const fault = asFault(error);
        log.warn('host-refused', { hostId: message.hostId, code: fault.code, message: fault.message });
        connection.send({ t: 'refused', fault: { code: fault.code, message: fault.message, details: fault.details } });
        connection.close(fault.message);
      });
    });
  };

  const welcome = async (connection: ControlConnection, hello: Hello) => {
    const version = negotiateVersion(linkVersions, hello.versions);
    let open = true;
    connection.onClose(() => (open = false));
    const fence = await lease.write(async (tx, token) => {
      await connect(tx, hello, clock.now());
      return token;
    });
    if (!open || stopped) return connection.close('the connection broke during its greeting');
    sessions.get(hello.hostId)?.connection.close('the host connected anew');
    connection.send({ t: 'welcome', version, fence, heartbeatMs: limits.heartbeatMs });
    const session = startHostSession(deps, hello.hostId, connection, fence);
    sessions.set(hello.hostId, session);
    for (const tell of awaiting.get(hello.hostId) ?? []) tell();
    connection.onClose((reason) => {
      log.info('host-left', { hostId: hello.hostId, reason });
      if (sessions.get(hello.hostId) === session) sessions.delete(hello.hostId);
      void session.end();
    });
    session.names(naming.revision, naming.names);
    assigning.look();
    log.info('host-joined', { hostId: hello.hostId, version, fence });
  };

  linkServer.onConnection(greet);
  const sessionOf = (hostId: string): HostSession => {
    const session = sessions.get(hostId);
    if (session === undefined) throw new Fault('Unavailable', `host ${hostId} is not connected`);
    return session;
  };
  const returned = async (hostId: string): Promise<HostSession> => {
    if (!sessions.has(hostId) && !stopped) await comes(hostId);
    return sessionOf(hostId);
  };
  const comes = (hostId: string) =>
    new Promise<void>((resolve) => {
      const waiting = awaiting.get(hostId) ?? new Set();
      awaiting.set(hostId, waiting);
      const tell = () => {
        timer.cancel();
        waiting.delete(tell);
        if (waiting.size === 0) awaiting.delete(hostId);
        resolve();
      };
      const timer = clock.after(limits.hostReturnMs, tell);
      waiting.add(tell);
    });
  return {
    calls: {
      connected: () => [...sessions.keys()],
      request: async (hostId, op, body, options) => await sessionOf(hostId).connection.request(op, body, options),
      returned: async (hostId) => void (await returned(hostId)),
      openStream: async (hostId) => (await returned(hostId)).connection.openStream(),
    },
    look: () => assigning.look(),
    setNames(names) {
      const json = JSON.stringify(names);
      if (json === naming.json) return;
      // Grows over a restart too, so that a host never takes old names for new ones.
      naming = { revision: Math.max(naming.revision + 1, clock.now()), json, names };
      for (const session of sessions.values()) session.names(naming.revision, names);
    },
    async stop() {
      stopped = true;
      for (const waiting of awaiting.values()) for (const tell of waiting) tell();
      const all = [...sessions.values()];
      for (const session of all) session.connection.close('the control plane ends');
      await Promise.all([assigning.stop(), watching.stop(), ...all.map((session) => session.end())]);
    },
  };
}

/** The host is here: its record, and what became of its tasks meanwhile. */
async function connect(tx: WriteTx, hello: Hello, now: number): Promise<void> {
  const key = { hostId: hello.hostId };
  const before = await tx.hosts.get(key);
  const record: Omit<HostRecord, 'revision'> = { key, info: hello.info, usage: hello.usage, status: 'CONNECTED', seenAt: now };
  await tx.hosts.put(record, before?.revision ?? 0);
  const known = new Set(hello.known);
  for (const task of await tx.tasks.list({ hostId: hello.hostId, live: true })) {
    const observed = afterHello(task, known, now);
    if (observed !== undefined) await tx.tasks.setObserved(task.key, observed, task.revision);
  }
}

async function disconnect(tx: WriteTx, hostId: string, now: number): Promise<void> {
  const host = await tx.hosts.get({ hostId });
  if (host === undefined || host.status === 'DISCONNECTED') return;
  await tx.hosts.put({ ...host, status: 'DISCONNECTED' }, host.revision);
  for (const task of await tx.tasks.list({ hostId, live: true })) {
    const observed = afterSilence(task, now);
    if (observed !== undefined) await tx.tasks.setObserved(task.key, observed, task.revision);
  }
}

/** Answers how many tasks were lost with the host. */
async function giveUp(tx: WriteTx, hostId: string, now: number): Promise<number> {
  const host = await tx.hosts.get({ hostId });
  if (host === undefined || host.status === 'CONNECTED') return 0;
  const live = await tx.tasks.list({ hostId, live: true });
  for (const task of live) {
    const observed = afterLoss(task, now);
    if (observed !== undefined) await tx.tasks.setObserved(task.key, observed, task.revision);
  }
  return live.length;
}
