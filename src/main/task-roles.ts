/** What control asks about the roles of tasks, and what is done by them. */
import type { ControlDeps } from '#control/index.ts';
import type { Vault } from '#vault/index.ts';
import { guardedLogStreams, taskCredentials } from './task-credentials.ts';
import type { Deps } from './task-credentials.ts';
import { taskSecrets } from './task-secrets.ts';

type Asked = Pick<ControlDeps, 'onOutput' | 'openLogStream' | 'taskCredentials' | 'taskSecrets'>;

export function taskRoles(deps: Deps & { vault: Vault }, output: Pick<ControlDeps, 'onOutput' | 'openLogStream'>): Asked {
  return {
    onOutput: output.onOutput,
    openLogStream: guardedLogStreams(deps, output.openLogStream),
    taskCredentials: (task, role) => taskCredentials(deps, task, role),
    taskSecrets: (task, spec, container) => taskSecrets(deps, task, spec.executionRole, container),
  };
}
