/** ExecuteCommand: a session that the caller's session-manager-plugin then opens. Nothing is started before that. */
import type { ExecuteCommandRequest, ExecuteCommandResponse } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clusterArn, clusterName, containerArn, taskArn, taskId } from '#domain/arn.ts';
import type { ClusterRecord } from '#domain/records.ts';
import { containerIdOf, effectiveDesired } from '#domain/task.ts';
import type { ContainerObserved, TaskRecord } from '#domain/task.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { activeCluster, type IntentDeps } from '#intent/index.ts';
import type { Sessions, SessionTarget } from '#session/sessions.ts';
import { wordsOf } from '#session/words.ts';
import { execConfigurationOf } from './exec-configuration.ts';

export type ExecuteCommandDeps = IntentDeps & { sessions: Pick<Sessions, 'create'> };

const NOT_ENABLED =
  "The execute command failed because execute command was not enabled when the task was run or the execute command agent isn't running. Wait and try again or run a new task with execute command enabled and try again.";

export function executeCommandOperation(deps: ExecuteCommandDeps): Handler<ExecuteCommandRequest, ExecuteCommandResponse> {
  return {
    name: 'ExecuteCommand',
    async handle(input, context) {
      if (input.interactive !== true) throw new Fault('InvalidParameter', 'Interactive is the only mode supported currently.');
      const command = wordsOf(input.command ?? '');
      const { cluster, task } = await find(deps, input, context);
      const container = runningContainer(task, input.container);
      const target = { ...targetOf(task, container), command, record: recordOf(cluster, task, container.name, context) };
      const { id, token, path } = deps.sessions.create(target);
      // The API itself has no TLS: a caller that something else gave it to must come back the same way.
      const streamUrl = `${context.isTls === true ? 'wss' : 'ws'}://${context.host ?? ''}${path}`;
      return {
        clusterArn: clusterArn(context, cluster.key.name),
        taskArn: taskArn(task.key),
        containerArn: containerArn(task.key, containerIdOf(task.key.id, container.name)),
        containerName: container.name,
        interactive: true,
        session: { sessionId: id, streamUrl, tokenValue: token },
      };
    },
  };
}

async function find(
  deps: IntentDeps,
  input: ExecuteCommandRequest,
  context: CallContext,
): Promise<{ cluster: ClusterRecord; task: TaskRecord }> {
  const name = clusterName(context, input.cluster);
  const id = taskId(context, name, input.task ?? '');
  return await deps.store.read(async (tx) => {
    const cluster = await activeCluster(tx, context, name);
    const task = await tx.tasks.get({ account: context.account, region: context.region, cluster: name, id });
    if (task === undefined) throw new Fault('InvalidParameter', 'The referenced task was not found.');
    const host = task.placement === null ? undefined : await tx.hosts.get({ hostId: task.placement.hostId });
    if (task.desired.enableExec && host !== undefined && host.status !== 'CONNECTED') throw notConnected();
    return { cluster, task };
  });
}

/** ECS API reference, ExecuteCommand: "the execute command agent isn't connected to the task". */
function notConnected(): Fault {
  const details = { errorName: 'TargetNotConnectedException' };
  return new Fault('Unavailable', 'The execute command failed due to an internal error. Try again later.', { details });
}

function runningContainer(task: TaskRecord, wanted: string | undefined): ContainerObserved {
  const { containers, status } = task.observed;
  if (!task.desired.enableExec || status !== 'RUNNING' || effectiveDesired(task) !== 'RUNNING')
    throw new Fault('InvalidParameter', NOT_ENABLED);
  const [only, ...others] = containers;
  if (wanted === undefined && (only === undefined || others.length > 0)) {
    const names = containers.map((container) => container.name).join(', ');
    throw new Fault('InvalidParameter', `A container name is required since the task has several containers: ${names}.`);
  }
  const container = wanted === undefined ? only : containers.find((candidate) => candidate.name === wanted);
  if (container === undefined) throw new Fault('InvalidParameter', `The container name ${String(wanted)} was not found in the task.`);
  if (container.status !== 'RUNNING') throw new Fault('InvalidParameter', NOT_ENABLED);
  return container;
}

function targetOf(task: TaskRecord, container: ContainerObserved): Omit<SessionTarget, 'command' | 'record'> {
  return {
    task: task.key,
    hostId: task.placement?.hostId ?? '',
    container: container.name,
    runtimeId: container.runtimeId ?? '',
  };
}

/** Where the cluster wants sessions recorded: the container's own log group, the one that is named, or nowhere. */
function recordOf(cluster: ClusterRecord, task: TaskRecord, container: string, context: CallContext): SessionTarget['record'] {
  const { logging, group } = execConfigurationOf(cluster.configuration);
  if (logging === 'NONE') return null;
  if (logging === 'OVERRIDE') return group === null ? null : { group, prefix: '', region: context.region };
  const log = task.desired.spec.containers.find((candidate) => candidate.name === container)?.log ?? null;
  return log?.driver !== 'awslogs' ? null : { group: log.group, prefix: '', region: log.region };
}
