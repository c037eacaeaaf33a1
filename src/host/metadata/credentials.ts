/**
 * The credentials endpoint: what a task's containers call with. Fetched from the control plane before the task starts, kept in memory alone, and
 * fetched anew before they end; while the control plane is away the old ones are told for as long as they hold. Shapes and texts are the ECS
 * agent's (its tmds/handlers/v1/credentials).
 */
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault, type Json } from '#base/fault.ts';
import { controlOps, type TaskCredentials } from '#link/operations.ts';
import type { TaskEntry } from '../journal.ts';
import type { Hook } from '../run.ts';
import type { Uplink } from '../uplink.ts';
import type { MetadataResponse } from './server.ts';

export type Credentials = {
  /** `entry`: the task that asks, if the id is its own. */
  answer(version: 1 | 2, id: string, entry: TaskEntry | undefined): Promise<MetadataResponse>;
  /** A task whose role can't be assumed does not start. */
  hook(): Hook;
};

/** Fetched anew when they hold for less than this: longer than any SDK waits before it asks again. */
const REFRESH_MS = 60 * 60_000;
const CALL_MS = 10_000;
const RETRY_MS = 500;

export function createCredentials({ uplink, clock }: { uplink: Uplink; clock: Clock }): Credentials {
  const held = new Map<string, TaskCredentials>();

  const fetch = async (taskId: string, signal?: AbortSignal): Promise<TaskCredentials> => {
    const link = signal === undefined ? uplink.current() : await uplink.connected(signal);
    if (link === null) throw new Fault('Unavailable', 'the control plane is away');
    const made = (await link.request(controlOps.taskCredentials, { taskId } as Json, { timeoutMs: CALL_MS })) as unknown as TaskCredentials;
    held.set(taskId, made);
    return made;
  };

  /** undefined while there are none that hold. */
  const current = async (taskId: string): Promise<TaskCredentials | undefined> => {
    const known = held.get(taskId);
    if (known !== undefined && known.expiresAt - clock.now() > REFRESH_MS) return known;
    try {
      return await fetch(taskId);
    } catch {
      return known !== undefined && known.expiresAt > clock.now() ? known : undefined;
    }
  };

  return {
    async answer(version, id, entry) {
      const prefix = `CredentialsV${version}Request: `;
      if (id === '') return failed(400, 'NoIdInRequest', `${prefix}No Credential ID in the request`);
      if (entry === undefined) return failed(400, 'InvalidIdInRequest', `${prefix}Credentials not found`);
      const found = await current(entry.report.taskId);
      if (found === undefined) return failed(503, 'CredentialsUninitialized', `${prefix}Credentials uninitialized for ${id}`);
      const { roleArn, accessKeyId, secretAccessKey, token, expiresAt } = found;
      const Expiration = new Date(expiresAt).toISOString().replace(/\.\d{3}Z$/, 'Z');
      return {
        status: 200,
        json: { RoleArn: roleArn, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: token, Expiration },
      };
    },
    hook: () => ({
      name: 'credentials',
      async prepare({ spec, taskId, signal }) {
        if (spec.taskRole === undefined) return;
        for (;;) {
          try {
            return void (await fetch(taskId, signal));
          } catch (error) {
            if (signal.aborted) throw error;
            // The control plane is away, which is no failure of the task.
            if (!isFault(error, 'Unavailable') && !isFault(error, 'TimedOut')) {
              throw new Fault('ResourceInitialization', asFault(error).message, { cause: error });
            }
            await clock.sleep(RETRY_MS);
          }
        }
      },
      async release({ taskId }) {
        held.delete(taskId);
      },
    }),
  };
}

function failed(status: number, code: string, message: string): MetadataResponse {
  return { status, json: { code, message, HTTPErrorCode: status } };
}
