/** The task's address: its VPC's router stands, and what tasks reach there is served. */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import type { Network, VpcHandle } from '#network/types.ts';
import type { Hook, TaskRun } from '../run.ts';
import type { Slots } from '../slots.ts';

export type NetworkHookDeps = {
  network: Pick<Network, 'taskNetwork' | 'ensureVpc'>;
  slots: Slots;
  clock: Clock;
  /** Listeners for tasks (API, resolver) stand on this uplink when it resolves; called for every task, so idempotent and quick. */
  serveVpc(vpc: VpcHandle): Promise<void>;
};

export function networkHook(deps: NetworkHookDeps): Hook {
  const join = async (run: TaskRun) => {
    const { network } = run.entry.assignment;
    run.network = await deps.network.taskNetwork(run.taskId, network);
    await deps.serveVpc(await deps.network.ensureVpc(network.vpcId, network.vpcCidr));
  };
  return {
    name: 'network',
    async prepare(run) {
      try {
        await deps.slots.with(run.signal, () => join(run));
      } catch (error) {
        if (run.signal.aborted) throw error;
        throw new Fault(
          'ResourceInitialization',
          `ResourceInitializationError: the task's network can't be made: ${asFault(error).message}`,
          {
            cause: error,
          },
        );
      }
      run.update({ status: 'PENDING', connectivityAt: deps.clock.now() });
    },
    recover: join,
  };
}
