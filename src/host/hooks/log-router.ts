/**
 * A task's log router takes records of the task's own containers and of this host, and of nobody else: on Fargate it listens on the
 * task's loopback. Here its forward input has to be reached from outside the sandbox, so the VPC's router keeps everybody else away.
 */
import { asFault } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import { renderOnlyFrom } from '#network/rules.ts';
import type { Network } from '#network/types.ts';
import { FLUENT_PORT } from '../firelens-config.ts';
import type { Hook, TaskRun } from '../run.ts';

export function logRouterHook(deps: { network: Pick<Network, 'ensureVpc' | 'routerRules'>; log: Log }): Hook {
  const { network, log } = deps;
  const apply = async ({ spec, entry }: TaskRun, isOpen: boolean) => {
    if (!spec.containers.some((container) => container.firelens !== undefined)) return;
    const { vpcId, vpcCidr } = entry.assignment.network;
    const rules = { routerIf: `t${entry.report.taskId.slice(0, 12)}`, port: FLUENT_PORT };
    if (!isOpen) return await network.routerRules(vpcId, renderOnlyFrom({ ...rules, from: null }));
    const { hostIp } = await network.ensureVpc(vpcId, vpcCidr);
    await network.routerRules(vpcId, renderOnlyFrom({ ...rules, from: hostIp }));
  };
  return {
    name: 'log-router',
    prepare: (run) => apply(run, true),
    recover: (run) => apply(run, true),
    // A router that is gone took them along.
    release: (run) => apply(run, false).catch((error: unknown) => log.debug('log-router.release', { reason: asFault(error).message })),
  };
}
