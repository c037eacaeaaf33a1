/** Log streams exist before the containers start: a missing group is the task's failure, as with the awslogs driver. */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import type { ContainerSpec, SplunkTarget } from '#domain/task-spec.ts';
import { controlOps } from '#link/operations.ts';
import type { LogOpen } from '#link/operations.ts';
import type { Hook, TaskRun } from '../run.ts';
import { verifySplunk, withSecretOptions } from '../splunk-sink.ts';
import type { Uplink } from '../uplink.ts';

const CALL_MS = 10_000;
const RETRY_MS = 500;

/** CloudWatch Logs' own names for what can go wrong. */
const awsNames: Partial<Record<Fault['code'], string>> = {
  ResourceNotFound: 'ResourceNotFoundException',
  InvalidParameter: 'InvalidParameterException',
  LimitExceeded: 'LimitExceededException',
  AccessDenied: 'AccessDeniedException',
};

export function logStreamsHook(deps: { uplink: Uplink; clock: Clock }): Hook {
  const open = async (run: TaskRun, container: ContainerSpec): Promise<void> => {
    if (container.log?.driver === 'splunk') return verify(run, container, container.log);
    if (container.log?.driver !== 'awslogs') return;
    const body: LogOpen = { key: run.entry.assignment.key, container: container.name, target: container.log };
    for (;;) {
      try {
        const link = await deps.uplink.connected(run.signal);
        await link.request(controlOps.logOpen, body as unknown as Json, { timeoutMs: CALL_MS });
        return;
      } catch (error) {
        if (run.signal.aborted) throw error;
        // The control plane is away, which is no failure of the task.
        if (!isFault(error, 'Unavailable') && !isFault(error, 'TimedOut')) throw loggerFault(run, container, error);
        await deps.clock.sleep(RETRY_MS);
      }
    }
  };
  return {
    name: 'log-streams',
    async prepare(run) {
      await Promise.all(run.spec.containers.map((container) => open(run, container)));
    },
  };
}

/**
 * Docker verifies by default and then starts no container while Splunk is away. Here a destination that is down keeps no task from
 * starting, so it is done where the definition asks for it by name.
 */
async function verify(run: TaskRun, container: ContainerSpec, target: SplunkTarget): Promise<void> {
  if (target.options['splunk-verify-connection'] !== 'true') return;
  const { hostname } = run.entry.assignment.network;
  try {
    await verifySplunk(withSecretOptions(target, run.logSecrets[container.name] ?? {}), {
      container,
      runtimeId: run.entry.runtimeIds[container.name] ?? '',
      hostname,
    });
  } catch (error) {
    const reason = `CannotStartContainerError: failed to initialize logging driver: splunk: ${asFault(error).message}`;
    run.updateContainer(container.name, { reason });
    throw new Fault('ResourceInitialization', reason, { cause: error });
  }
}

function loggerFault(run: TaskRun, container: ContainerSpec, error: unknown): Fault {
  const fault = asFault(error);
  const name = awsNames[fault.code] ?? 'ServiceUnavailableException';
  const reason =
    'ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: ' +
    `failed to create Cloudwatch log stream: ${name}: ${fault.message}`;
  run.updateContainer(container.name, { reason });
  return new Fault('ResourceInitialization', reason, { cause: error });
}
