/** Starts, stops and tells of faults of tasks' networks. What runs stands in the task's journal entry, and is put back after a restart of the host agent. */
import { asFault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Network } from '#network/types.ts';
import type { Hook } from '../run.ts';
import type { Journal, TaskEntry } from '../journal.ts';
import { parseFault } from './fault-requests.ts';
import type { FaultType } from './fault-requests.ts';
import { latencyOf, renderFaults, sameFault } from './fault-rules.ts';
import type { NetworkFault } from './fault-rules.ts';
import type { MetadataResponse } from './server.ts';

export type FaultAction = 'start' | 'stop' | 'status';

export type Faults = {
  answer(entry: TaskEntry, type: FaultType, action: FaultAction, body: string): Promise<MetadataResponse>;
  /** Puts a task's faults back after a restart, and takes them away with the task. */
  hook(): Hook;
};

export type FaultDeps = {
  network: Pick<Network, 'routerRules'>;
  /** Of a task that runs; it lasts as long as the task's network. Throws Unsupported with the reason where the kernel can't. */
  setLatency(taskId: string, latency: ReturnType<typeof latencyOf>): Promise<void>;
  journal: Journal;
  log: Log;
};

/** The agent's words. */
const running = (type: FaultType) =>
  `There is already one ${type === 'network-latency' ? 'network latency' : 'network packet loss'} fault running`;

export function createFaults(deps: FaultDeps): Faults {
  /** The last change under way of each task: they come one after the other. */
  const turns = new WeakMap<TaskEntry, Promise<unknown>>();

  const apply = (entry: TaskEntry, faults: readonly NetworkFault[]) =>
    deps.network.routerRules(entry.assignment.network.vpcId, renderFaults(routerIfOf(entry), faults));

  const change = async (entry: TaskEntry, faults: NetworkFault[]): Promise<void> => {
    await apply(entry, faults);
    const [before, after] = [latencyOf(entry.faults ?? []), latencyOf(faults)];
    if (before !== null || after !== null) await deps.setLatency(entry.report.taskId, after);
    entry.faults = faults;
    await deps.journal.save(entry);
  };

  const start = async (entry: TaskEntry, fault: NetworkFault): Promise<MetadataResponse> => {
    const now = entry.faults ?? [];
    if (now.some((one) => sameFault(one, fault)))
      return fault.type === 'network-blackhole-port' ? said('running') : failed(409, running(fault.type));
    if (now.length >= limits.faultsPerTask) return failed(400, `at most ${limits.faultsPerTask} faults of a task may run at the same time`);
    try {
      await change(entry, [...now, fault]);
    } catch (error) {
      if (!isFault(error, 'Unsupported')) throw error;
      await apply(entry, now);
      return failed(500, `${fault.type} is not supported in this task's sandbox (${error.message}); a microVM has it`);
    }
    return said('running');
  };

  const stop = async (entry: TaskEntry, isIt: (one: NetworkFault) => boolean): Promise<MetadataResponse> => {
    const now = entry.faults ?? [];
    if (now.some(isIt))
      await change(
        entry,
        now.filter((one) => !isIt(one)),
      );
    return said('stopped');
  };

  const carryOut = async (entry: TaskEntry, type: FaultType, action: FaultAction, body: string): Promise<MetadataResponse> => {
    // Latency and loss are there once or not at all: only what starts them is read.
    const needsBody = action === 'start' || type === 'network-blackhole-port';
    const parsed = needsBody ? parseFault(type, body) : undefined;
    if (parsed !== undefined && 'error' in parsed) return failed(400, parsed.error);
    if (entry.assignment.spec.faultInjection !== true)
      return failed(400, `enableFaultInjection is not enabled for task: ${entry.assignment.labels.taskArn}`);
    const isIt = (one: NetworkFault) => (parsed === undefined ? one.type === type : sameFault(one, parsed.fault));
    if (action === 'status') return said((entry.faults ?? []).some(isIt) ? 'running' : 'not-running');
    if (action === 'stop' || parsed === undefined) return await stop(entry, isIt);
    return await start(entry, parsed.fault);
  };

  return {
    async answer(entry, type, action, body) {
      const turn = (turns.get(entry) ?? Promise.resolve()).then(() => carryOut(entry, type, action, body));
      turns.set(
        entry,
        turn.catch(() => {}),
      );
      try {
        return await turn;
      } catch (error) {
        deps.log.error('fault', { taskId: entry.report.taskId, type, action }, error);
        return failed(500, 'internal error');
      }
    },
    hook: () => ({
      name: 'faults',
      prepare: async () => {},
      async recover({ entry }) {
        if ((entry.faults ?? []).length > 0) await apply(entry, entry.faults ?? []);
      },
      async release({ entry }) {
        if ((entry.faults ?? []).length === 0) return;
        // A router that is gone took them along.
        await apply(entry, []).catch((error: unknown) => deps.log.debug('faults.release', { reason: asFault(error).message }));
        entry.faults = [];
      },
    }),
  };
}

function routerIfOf(entry: TaskEntry): string {
  return `t${entry.report.taskId.slice(0, 12)}`;
}

function said(status: string): MetadataResponse {
  return { status: 200, json: { Status: status } };
}

function failed(status: number, error: string): MetadataResponse {
  return { status, json: { Error: error } };
}
