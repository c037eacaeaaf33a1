/** What control asks about the roles of tasks, and what is done by them. */
import type { ControlDeps } from '#control/index.ts';
import type { Vault } from '#vault/index.ts';
import { environmentOfFiles, type FileDeps } from './environment-files.ts';
import { guardedLogStreams, taskCredentials } from './task-credentials.ts';
import { taskSecrets } from './task-secrets.ts';

type Asked = Pick<ControlDeps, 'onOutput' | 'openLogStream' | 'taskCredentials' | 'taskSecrets'>;

export function taskRoles(deps: FileDeps & { vault: Vault }, output: Pick<ControlDeps, 'onOutput' | 'openLogStream'>): Asked {
  return {
    onOutput: output.onOutput,
    openLogStream: guardedLogStreams(deps, output.openLogStream),
    taskCredentials: (task, role) => taskCredentials(deps, task, role),
    async taskSecrets(task, spec, container) {
      const files = await environmentOfFiles(deps, task, spec.executionRole, container);
      const found = await taskSecrets(deps, task, spec.executionRole, container);
      return { ...found, environment: { ...files, ...found.environment } };
    },
  };
}
