/** Sessions of ExecuteCommand, in memory: one lives by its connection, and that by this process, so a row would outlive what it tells of. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { TaskKey } from '#domain/task.ts';
import type { UpgradeRoute } from '#gateway/types.ts';
import { hostOps } from '#link/operations.ts';
import type { ByteStream } from '#link/types.ts';
import { serveChannel } from './channel.ts';
import type { MessageSocket } from './channel.ts';
import { createRecorder } from './recorder.ts';
import { acceptSocket } from './socket.ts';

export type SessionTarget = {
  task: TaskKey;
  hostId: string;
  container: string;
  runtimeId: string;
  command: string[];
  /** Where what it prints is recorded; null: nowhere. */
  record: { group: string; prefix: string; region: string } | null;
};

export type Sessions = {
  /** Valid for one connection within limits.execTokenMs. Throws LimitExceeded. */
  create(target: SessionTarget): { id: string; token: string; path: string };
  /** Ends one of the account's, where it is still there; the caller's end is told. */
  terminate(account: string, id: string): void;
  /** The door that the session-manager-plugin comes by: `/v1/data-channel/ID`. */
  upgrade: UpgradeRoute;
};

export type SessionsDeps = {
  clock: Clock;
  random: Random;
  log: Log;
  hosts: {
    request(hostId: string, op: string, body: Json, options: { timeoutMs: number; stream?: ByteStream }): Promise<Json>;
    openStream(hostId: string): Promise<ByteStream>;
  };
  /** Puts one event of a session's record; makes the stream. */
  record(at: { account: string; region: string; group: string; stream: string }, text: string): Promise<void>;
};

type Session = SessionTarget & { id: string; token: string; state: 'waiting' | 'open'; end: () => void };

const PATH = '/v1/data-channel/';

/** `idleMs`: after which silence a session ends. */
export function createSessions(deps: SessionsDeps, options: { idleMs: number }): Sessions {
  const { clock, random, log } = deps;
  const sessions = new Map<string, Session>();
  return {
    create(target) {
      const inContainer = [...sessions.values()].filter((one) => one.runtimeId === target.runtimeId).length;
      if (sessions.size >= limits.execSessions || inContainer >= limits.execsPerTask) {
        throw new Fault(
          'LimitExceeded',
          `Container ${target.container} has ${inContainer} sessions, and all containers ${sessions.size}: end some first.`,
        );
      }
      const id = `ecs-execute-command-${hexId(random, 17)}`;
      const session: Session = { ...target, id, token: Buffer.from(random.bytes(48)).toString('base64'), state: 'waiting', end: () => {} };
      sessions.set(id, session);
      clock.after(limits.execTokenMs, () => session.state === 'waiting' && sessions.delete(id));
      return { id, token: session.token, path: `${PATH}${id}?role=publish_subscribe` };
    },
    terminate(account, id) {
      const session = sessions.get(id);
      if (session?.task.account !== account) return;
      if (session.state === 'waiting') sessions.delete(id);
      session.end();
    },
    upgrade: {
      prefix: PATH,
      async handle(request, socket, head) {
        const session = sessions.get(idOf(request));
        if (session === undefined) return refuse(socket);
        const channel = await acceptSocket(clock, request, socket, head);
        try {
          if (await serve(deps, session, channel, options.idleMs)) sessions.delete(session.id);
        } catch (error) {
          log.error('session', { session: session.id }, asFault(error));
        }
      },
    },
  };
}

function idOf(request: IncomingMessage): string {
  return (request.url ?? '').slice(PATH.length).split('?')[0] ?? '';
}

/** The plugin then says that the data channel can't be opened. */
function refuse(socket: Duplex): void {
  socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
}

/** Whether it was the session's own connection, so that it is over. */
async function serve(deps: SessionsDeps, session: Session, socket: MessageSocket, idleMs: number): Promise<boolean> {
  const { account, cluster, id: taskId } = session.task;
  const { record, hostId, container, command } = session;
  let mine = false;
  const ending = new AbortController();
  const write = (text: string) => {
    if (record === null) return Promise.resolve();
    return deps.record({ account, region: record.region, group: record.group, stream: `${record.prefix}${session.id}` }, text);
  };
  const channel = {
    id: session.id,
    ending: ending.signal,
    target: `ecs:${cluster}_${taskId}_${session.runtimeId}`,
    open(token: string) {
      if (session.state !== 'waiting' || !isSame(token, session.token)) return false;
      session.state = 'open';
      session.end = () => ending.abort();
      return (mine = true);
    },
    async start(tty: { cols: number; rows: number }) {
      const stream = await deps.hosts.openStream(hostId);
      // As on AWS, whoever comes in is root.
      const body = { taskId, container, command, tty, user: '0' };
      await deps.hosts.request(hostId, hostOps.taskExec, body, { timeoutMs: limits.execStartMs + limits.hostCallMs, stream });
      deps.log.info('session.start', { session: session.id, taskId, container });
      return stream;
    },
    recorder: record === null ? null : createRecorder(deps.clock, deps.log, write),
  };
  await serveChannel({ ...deps, idleMs }, channel, socket);
  if (mine) deps.log.info('session.end', { session: session.id, taskId });
  return mine;
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
