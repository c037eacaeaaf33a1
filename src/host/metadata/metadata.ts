/**
 * The task's own endpoints, as the ECS agent serves them: metadata (v3, v4), stats, task protection, fault injection, and the
 * credentials of the task's role. Everything but protection and new credentials is answered from what the host knows, so it works while the control plane is away.
 */
import { isFault } from '#base/fault.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { TaskStats } from '#supervisor/protocol.ts';
import type { Runner } from '../runner.ts';
import type { Uplink } from '../uplink.ts';
import type { Credentials } from './credentials.ts';
import { faultTypes } from './fault-requests.ts';
import type { FaultAction, Faults } from './faults.ts';
import { protectionNotFound, protectionResponse } from './protection.ts';
import type { Sampler } from './sampler.ts';
import type { MetadataRequest, MetadataResponse } from './server.ts';
import { statsResponse } from './stats-response.ts';
import { containerResponse, taskResponse } from './task-response.ts';
import type { MetadataVersion } from './task-response.ts';

export type MetadataDeps = {
  /** All tasks of this host. */
  tasks(): Iterable<Runner>;
  uplink: Uplink;
  sampler: Sampler;
  faults: Faults;
  credentials: Credentials;
};

/** Who asks about which container; it is always of the task whose address asks. */
type Caller = { runner: Runner; container: ContainerSpec };

const NO_PAGE: MetadataResponse = { status: 404, text: '404 page not found' };

export function createMetadata(deps: MetadataDeps): (request: MetadataRequest) => Promise<MetadataResponse> {
  return async (request) => {
    const [root = '', id = '', ...rest] = request.path.split('/').slice(1);
    const tail = rest.join('/');
    if ((root === 'v1' || root === 'v2') && id === 'credentials')
      return await deps.credentials.answer(root === 'v2' ? 2 : 1, tail, credentialsOwner(deps.tasks(), request, tail)?.entry);
    const caller = callerOf(deps.tasks(), request, id);
    if ((root === 'v3' || root === 'v4') && request.method === 'GET') return await metadata(deps, caller, root === 'v4' ? 4 : 3, id, tail);
    if (root !== 'api') return NO_PAGE;
    if (tail === 'task-protection/v1/state' && (request.method === 'GET' || request.method === 'PUT')) {
      return caller === undefined
        ? protectionNotFound()
        : await protectionResponse(deps.uplink, caller.runner.entry, request.method, request.body);
    }
    return await fault(deps, caller, id, rest, request);
  };
}

/** The task at this address of this VPC, if the id is that of its credentials: no other task's is known here. */
function credentialsOwner(tasks: Iterable<Runner>, { vpcId, ip }: MetadataRequest, id: string): Runner | undefined {
  for (const runner of tasks) {
    const { assignment, report, credentialsId } = runner.entry;
    if (assignment.network.ip === ip && assignment.network.vpcId === vpcId && report.status !== 'STOPPED') {
      return credentialsId === id ? runner : undefined;
    }
  }
  return undefined;
}

/** The task at this address of this VPC, if the id is one of its containers': no other task's id is known here. */
function callerOf(tasks: Iterable<Runner>, { vpcId, ip }: MetadataRequest, id: string): Caller | undefined {
  for (const runner of tasks) {
    const { assignment, report, runtimeIds } = runner.entry;
    if (assignment.network.ip !== ip || assignment.network.vpcId !== vpcId || report.status === 'STOPPED') continue;
    const container = assignment.spec.containers.find(({ name }) => runtimeIds[name] === id);
    return container === undefined ? undefined : { runner, container };
  }
  return undefined;
}

async function metadata(
  deps: MetadataDeps,
  caller: Caller | undefined,
  version: MetadataVersion,
  id: string,
  tail: string,
): Promise<MetadataResponse> {
  const found = <T>(json: T): MetadataResponse => ({ status: 200, json });
  switch (tail) {
    case '':
      if (caller === undefined) return unknown(version, 'container metadata', id);
      return found(containerResponse(caller.runner.entry, caller.container, version));
    case 'task':
    case 'taskWithTags': {
      if (caller === undefined) return unknown(version, 'task metadata', id);
      const { entry } = caller.runner;
      const tags = tail === 'task' ? undefined : (entry.assignment.facts?.tags ?? []);
      const stats = version === 4 ? await lastStats(deps, caller.runner) : undefined;
      return found(taskResponse(entry, version, { tags, stats }));
    }
    case 'stats':
      if (caller === undefined) return unknown(version, 'container stats', id);
      return found((await statsOf(deps, caller.runner, version))[id] ?? null);
    case 'task/stats':
      return caller === undefined ? unknown(version, 'task stats', id) : found(await statsOf(deps, caller.runner, version));
    default:
      return NO_PAGE;
  }
}

/** By the container's id; null while it can't be told, as right after the start. */
async function statsOf({ sampler }: MetadataDeps, runner: Runner, version: MetadataVersion): Promise<Record<string, unknown>> {
  const ids = Object.entries(runner.entry.runtimeIds);
  try {
    const { last, before } = await sampler.look(runner);
    const cpus = sampler.processors();
    return Object.fromEntries(ids.map(([container, id]) => [id, statsResponse(last, before, { container, id, cpus }, version === 4)]));
  } catch (error) {
    if (!isFault(error, 'Unavailable') && !isFault(error, 'TimedOut')) throw error;
    return Object.fromEntries(ids.map(([, id]) => [id, null]));
  }
}

/** Nothing while it can't be told, as right after the start. */
async function lastStats({ sampler }: MetadataDeps, runner: Runner): Promise<TaskStats | undefined> {
  try {
    return (await sampler.look(runner)).last.stats;
  } catch (error) {
    if (!isFault(error, 'Unavailable') && !isFault(error, 'TimedOut')) throw error;
    return undefined;
  }
}

async function fault(
  deps: MetadataDeps,
  caller: Caller | undefined,
  id: string,
  [area, version, kind, action, ...more]: string[],
  { method, body }: MetadataRequest,
): Promise<MetadataResponse> {
  const type = faultTypes.find((one) => one === kind);
  if (area !== 'fault' || version !== 'v1' || type === undefined || !isAction(action) || more.length > 0 || method !== 'POST')
    return NO_PAGE;
  if (caller === undefined) return { status: 404, json: { Error: `unable to lookup container: ${id}` } };
  return await deps.faults.answer(caller.runner.entry, type, action, body);
}

function isAction(text: string | undefined): text is FaultAction {
  return text === 'start' || text === 'stop' || text === 'status';
}

/** As the agent: a JSON string. */
function unknown(version: MetadataVersion, handler: string, id: string): MetadataResponse {
  const what = handler.startsWith('task')
    ? `unable to get task arn from request: unable to get task Arn from v3 endpoint ID: ${id}`
    : `unable to get container ID from request: unable to get docker ID from v3 endpoint ID: ${id}`;
  return { status: 404, json: `V${version} ${handler} handler: ${what}` };
}
