/**
 * Environment files of containers, fetched when the task starts, with the rights of its execution role: from berth's own store, or, for buckets that it hasn't,
 * from the S3 endpoint that `berth up --s3-endpoint` names. Sources: ECS developer guide, "Pass environment variables to an Amazon ECS container";
 * amazon-ecs-agent, agent/taskresource/envFiles (of a variable in several files the first file's value is taken).
 */
import { asFault, Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { parseEnvFile, parseObjectArn } from '#domain/env-file.ts';
import type { ContainerSpec } from '#domain/task-spec.ts';
import type { TaskKey } from '#domain/task.ts';
import { s3Access } from '#front/s3/access.ts';
import type { Objects } from '#objects/index.ts';
import { ENVIRONMENT_FILES } from '#link/operations.ts';
import type { RemoteObjects } from './remote-objects.ts';
import { assertExecutionRole, UNASSUMABLE } from './task-credentials.ts';
import type { Deps as RoleDeps } from './task-credentials.ts';

export type FileDeps = RoleDeps & { objects: Objects; remote: RemoteObjects | null };

/** What of them the container's own environment doesn't say. Throws ResourceInitialization. */
export async function environmentOfFiles(
  deps: FileDeps,
  task: TaskKey,
  role: string | undefined,
  container: Pick<ContainerSpec, 'environment' | 'environmentFiles'>,
): Promise<Record<string, string>> {
  const found = new Map<string, string>();
  for (const arn of container.environmentFiles ?? []) {
    const refuse = (why: string) => failed(`file download command: non empty error stream: ${why}`);
    const at = parseObjectArn(arn);
    if (at === undefined) throw refuse(`unable to parse bucket and key from s3 ARN specified in environmentFile ${arn}`);
    const bytes = await inItsWords(refuse, () => fetchObject(deps, task, role, at, arn));
    for (const [name, value] of Object.entries(variablesOf(bytes, arn))) if (!found.has(name)) found.set(name, value);
  }
  const bytes = [...found].reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
  if (bytes > limits.environmentFileBytes)
    throw failed(`the variables have ${bytes} bytes together; up to ${limits.environmentFileBytes} fit`);
  return Object.fromEntries([...found].filter(([name]) => !Object.hasOwn(container.environment, name)));
}

const failed = (why: string) =>
  new Fault('ResourceInitialization', `failed to download env files: ${why}`, { details: { kind: ENVIRONMENT_FILES } });

async function fetchObject(
  deps: FileDeps,
  task: TaskKey,
  role: string | undefined,
  at: { bucket: string; key: string },
  arn: string,
): Promise<Buffer> {
  const { objects, remote } = deps;
  const facts = await s3Access({ objects, clock: deps.clock }).about?.(arn, undefined as never);
  await assertExecutionRole(deps, task, role, 's3:GetObject', { arn, ...(facts && { facts }) });
  const owner = objects.ownerOf(at.bucket);
  if (owner === undefined && remote !== null) return await remote.get(at.bucket, at.key, limits.environmentFileBytes);
  if (owner !== undefined && owner !== task.account) throw new Fault('AccessDenied', 'Access Denied');
  const object = objects.head(at.bucket, at.key);
  if (object.size > limits.environmentFileBytes) throw tooLarge(arn);
  const parts: Buffer[] = [];
  for await (const part of objects.read(object, 0, object.size)) parts.push(part);
  return Buffer.concat(parts);
}

const tooLarge = (arn: string) =>
  new Fault('LimitExceeded', `the environment file ${arn} has more than ${limits.environmentFileBytes} bytes`, { details: { errorName: 'EntityTooLarge' } }); // prettier-ignore

function variablesOf(bytes: Buffer, arn: string): Record<string, string> {
  try {
    return parseEnvFile(bytes);
  } catch (error) {
    throw failed(`unable to read environment variables from the file ${arn}: ${asFault(error).message}`);
  }
}

/** A role that can't be assumed has words of its own. */
async function inItsWords<T>(refuse: (why: string) => Fault, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const fault = asFault(error);
    if (fault.code === 'Internal' || fault.details['kind'] === UNASSUMABLE) throw fault;
    const name = fault.details['errorName'] ?? fault.code;
    throw refuse(`service call has been retried 1 time(s): ${String(name)}: ${fault.message}`);
  }
}
