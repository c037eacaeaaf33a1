/** The values that a task's definition only names, fetched as they are when the task starts. */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import { controlOps, ENVIRONMENT_FILES } from '#link/operations.ts';
import type { TaskSecrets } from '#link/operations.ts';
import { secretVariables } from '../firelens-config.ts';
import { bounded } from '../outcome.ts';
import type { Hook, TaskRun } from '../run.ts';
import type { SecretFiles } from '../secret-files.ts';
import type { Uplink } from '../uplink.ts';

const CALL_MS = 10_000;
const RETRY_MS = 500;
const FAILED = 'ResourceInitializationError: unable to pull secrets or registry auth';

export function secretsHook(deps: { uplink: Uplink; clock: Clock; files: SecretFiles }): Hook {
  const fetch = async (run: TaskRun, container: ContainerSpec): Promise<void> => {
    for (;;) {
      try {
        const link = await deps.uplink.connected(run.signal);
        const body = { taskId: run.taskId, container: container.name } as Json;
        const found = (await link.request(controlOps.taskSecrets, body, { timeoutMs: CALL_MS })) as unknown as TaskSecrets;
        run.secrets[container.name] = { ...run.secrets[container.name], ...found.environment };
        run.logSecrets[container.name] = found.logOptions;
        if (found.registry !== null) run.registryAuth[container.name] = found.registry;
        return;
      } catch (error) {
        if (run.signal.aborted) throw error;
        // The control plane is away, which is no failure of the task.
        if (!isFault(error, 'Unavailable') && !isFault(error, 'TimedOut')) throw refusal(run, container, error);
        await deps.clock.sleep(RETRY_MS);
      }
    }
  };
  return {
    name: 'secrets',
    async prepare(run) {
      const wanting = run.spec.containers.filter(wants);
      if (wanting.length === 0) return;
      await Promise.all(wanting.map((container) => fetch(run, container)));
      deps.files.keepLogOptions(run.taskId, run.logSecrets);
      // A log router's configuration is a file of the bundle: it names variables of the router's own.
      for (const { name, log } of wanting) {
        if (log?.driver !== 'awsfirelens') continue;
        run.secrets[log.router] = { ...run.secrets[log.router], ...secretVariables(name, run.logSecrets[name] ?? {}) };
      }
    },
    async recover(run) {
      if (run.spec.containers.some(wants)) run.logSecrets = deps.files.logOptions(run.taskId);
    },
    async release(run) {
      if (run.spec.containers.some(wants)) deps.files.remove(run.taskId);
    },
  };
}

function wants({ secrets, environmentFiles, registrySecret, log }: ContainerSpec): boolean {
  const options = log?.driver === 'splunk' || log?.driver === 'awsfirelens' ? log.secretOptions : undefined;
  return (secrets ?? []).length > 0 || environmentFiles !== undefined || registrySecret !== undefined || (options ?? []).length > 0;
}

function refusal(run: TaskRun, container: ContainerSpec, error: unknown): Fault {
  const { message, details } = asFault(error);
  const failed = details['kind'] === ENVIRONMENT_FILES ? 'ResourceInitializationError' : FAILED;
  // A role that can't be assumed has words of its own.
  const reason = isFault(error, 'AccessDenied') ? message : `${failed}: ${message}`;
  run.updateContainer(container.name, { reason: bounded(reason) });
  return new Fault('ResourceInitialization', reason, { cause: error });
}
