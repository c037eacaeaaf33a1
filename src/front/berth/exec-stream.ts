/**
 * `POST /_berth/exec`: a command inside a container, for `berth exec`. The body and the answer are frames of base/exec-frames.ts, handed on as they come: each
 * side's window is the other's. Query: task (an id), command (a JSON list), container where there are several, cols and rows for a terminal. In place of `command`:
 * `copy`, what the supervisor's copier is asked (supervisor/src/copy), which is root there.
 */
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { TaskRecord } from '#domain/task.ts';
import type { CallContext, StreamRoute } from '#gateway/types.ts';
import { hostOps } from '#link/operations.ts';
import type { TaskExec } from '#link/operations.ts';
import type { ByteStream } from '#link/types.ts';
import type { BerthApiDeps } from './types.ts';

export function execRoute(deps: BerthApiDeps): StreamRoute {
  return {
    method: 'POST',
    path: '/_berth/exec',
    action: 'ecs:ExecuteCommand',
    resources: () => ['*'],
    async handle({ query, body, signal }, context) {
      const task = await findTask(deps, query.get('task') ?? '', context);
      const container = containerOf(task, query.get('container'));
      const { hostId } = task.placement ?? { hostId: '' };
      const request = { taskId: task.key.id, container, ...wishOf(query) };
      const stream = await deps.hosts.openStream(hostId);
      signal.addEventListener('abort', () => stream.end('the client went away'), { once: true });
      await deps.hosts.request(hostId, hostOps.taskExec, request, { timeoutMs: limits.execStartMs + limits.hostCallMs, stream });
      const uploaded = upload(stream, body);
      const rest = () => Promise.race([uploaded, deps.clock.sleep(REST_MS)]);
      return { status: 200, contentType: 'application/octet-stream', body: download(stream, rest) };
    },
  };
}

/**
 * How long the connection is kept for what the client still sends when all was said: one that is closed with bytes unread is reset, and a reset takes
 * what the client has not read yet (RFC 9112, section 9.6).
 */
const REST_MS = 1000;

/** Reads to the end, also when nobody takes more: who stops reading closes the connection. */
async function upload(stream: ByteStream, body: AsyncIterable<Uint8Array>): Promise<void> {
  let isTaken = true;
  try {
    for await (const chunk of body) {
      if (isTaken) isTaken = await stream.write(chunk).then(...settled);
    }
    stream.end();
  } catch (error) {
    // The client broke off.
    stream.end(asFault(error).message);
  }
}

const settled = [() => true, () => false] as const;

async function* download(stream: ByteStream, rest: () => Promise<void>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream.read();
    await rest();
  } finally {
    stream.end();
  }
}

async function findTask(deps: BerthApiDeps, id: string, { account, region }: CallContext): Promise<TaskRecord> {
  const task = await deps.store.read((tx) => tx.tasks.byId(id));
  if (task === undefined || task.key.account !== account || task.key.region !== region) {
    throw new Fault('ResourceNotFound', `There is no task '${id.slice(0, 100)}' in ${region}.`);
  }
  if (!task.desired.enableExec) {
    const how =
      "run it with 'aws ecs run-task --enable-execute-command' or, of a service, 'aws ecs update-service --enable-execute-command --force-new-deployment'";
    throw new Fault('InvalidParameter', `Commands can't be run inside task ${id}: it was started without enableExecuteCommand; ${how}.`);
  }
  if (task.observed.status !== 'RUNNING') throw new Fault('Conflict', `Task ${id} does not run: it is ${task.observed.status}.`);
  return task;
}

function containerOf(task: TaskRecord, wanted: string | null): string {
  const { containers } = task.desired.spec;
  const names = containers.map((container) => container.name);
  const essential = containers.filter((container) => container.essential).map((container) => container.name);
  const name = wanted ?? (essential.length === 1 ? essential[0] : names.length === 1 ? names[0] : undefined);
  if (name !== undefined && names.includes(name)) return name;
  const problem = wanted === null ? 'has several containers: name one' : `has no container '${wanted.slice(0, 255)}'`;
  throw new Fault('InvalidParameter', `Task ${task.key.id} ${problem} (${names.join(', ')}).`);
}

type Wish = Pick<TaskExec, 'command' | 'tty' | 'user' | 'copies'>;

function wishOf(query: URLSearchParams): Wish {
  if (query.has('copy')) return { command: wordsOf(query, 'copy'), tty: null, user: '0', copies: true };
  return { command: wordsOf(query, 'command'), tty: ttyOf(query), user: query.get('user') };
}

function wordsOf(query: URLSearchParams, name: 'command' | 'copy'): string[] {
  const words = parsed(query.get(name) ?? '[]');
  if (Array.isArray(words) && words.length > 0 && words.every((word) => typeof word === 'string')) return words;
  throw new Fault('InvalidParameter', `${name} must be a JSON list of at least one string.`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function ttyOf(query: URLSearchParams): { cols: number; rows: number } | null {
  if (!query.has('cols') && !query.has('rows')) return null;
  const [cols, rows] = [Number(query.get('cols')), Number(query.get('rows'))];
  const fits = (n: number) => Number.isInteger(n) && n >= 0 && n <= 0xffff;
  if (fits(cols) && fits(rows)) return { cols, rows };
  throw new Fault('InvalidParameter', 'cols and rows must be whole numbers from 0 to 65535.');
}
