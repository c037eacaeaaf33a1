/**
 * What a container is to be given that its definition only names: values of Secrets Manager and Parameter Store, with the rights of the task's execution
 * role, in the words of ECS's agent. Source: ECS developer guide, "Pass sensitive data to an Amazon ECS container"; amazon-ecs-agent, agent/asm.
 */
import { asFault, Fault, isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { parseParameterSelector } from '#domain/parameter.ts';
import type { Scope } from '#domain/scope.ts';
import type { ContainerSpec, SecretRef } from '#domain/task-spec.ts';
import type { TaskKey } from '#domain/task.ts';
import { secretResource } from '#front/secretsmanager/access.ts';
import { secretsErrors } from '#front/secretsmanager/errors.ts';
import { parameterResource } from '#front/ssm/access.ts';
import { openParameter, openSecret } from '#intent/index.ts';
import type { TaskSecrets } from '#link/operations.ts';
import type { Vault } from '#vault/index.ts';
import { assertExecutionRole, UNASSUMABLE } from './task-credentials.ts';
import type { Deps as RoleDeps } from './task-credentials.ts';

type Deps = RoleDeps & { vault: Vault };
type Asker = { deps: Deps; task: TaskKey; role: string | undefined };

/** Throws ResourceInitialization. */
export async function taskSecrets(deps: Deps, task: TaskKey, role: string | undefined, container: ContainerSpec): Promise<TaskSecrets> {
  const asker = { deps, task, role };
  const { log } = container;
  const environment = await valuesOf(asker, container.secrets ?? []);
  const logOptions = await valuesOf(asker, log?.driver === 'splunk' || log?.driver === 'awsfirelens' ? (log.secretOptions ?? []) : []);
  const registry = container.registrySecret === undefined ? null : await registryOf(asker, container.registrySecret);
  return { environment, logOptions, registry };
}

async function valuesOf(asker: Asker, refs: readonly SecretRef[]): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const { name, valueFrom } of refs) values[name] = await valueOf(asker, valueFrom);
  const bytes = Object.values(values).reduce((sum, value) => sum + Buffer.byteLength(value), 0);
  if (bytes <= limits.taskSecretBytes) return values;
  throw failed(`the secrets of a container have ${bytes} bytes together; up to ${limits.taskSecretBytes} fit`);
}

async function valueOf(asker: Asker, from: string): Promise<string> {
  const value = isSecret(from) ? await secretValue(asker, from) : await parameterValue(asker, from);
  // What execve(2) can't take.
  if (value.includes('\0')) throw failed(`the value of ${from} contains a null character, which no environment variable can hold`);
  return value;
}

const isSecret = (from: string) => /^arn:aws[\w-]*:secretsmanager:/.test(from);

function failed(why: string): Fault {
  return new Fault('ResourceInitialization', `execution resource retrieval failed: ${why}`);
}

const RETRIED = 'service call has been retried 1 time(s)';

/** `arn:...:secret:NAME-SUFFIX:JSON-KEY:VERSION-STAGE:VERSION-ID`; what is left out at the end or between is not asked for. */
async function secretValue({ deps, task, role }: Asker, from: string): Promise<string> {
  const parts = from.split(':');
  const arn = parts.slice(0, 7).join(':');
  const [jsonKey, stage, versionId] = parts.slice(7).map((part) => (part === '' ? undefined : part));
  const asm = 'unable to retrieve secret from asm';
  const refuse = (why: string) => failed(`${asm}: ${RETRIED}: failed to fetch secret ${arn} from secrets manager: ${why}`);
  if (parts[5] !== 'secret' || parts.length < 7 || parts.length > 10) {
    throw failed(`${asm}: unexpected ARN format with parameters when trying to retrieve ASM secret: ${from}`);
  }
  // A secret may be in another region than the task.
  const scope: Scope = { account: task.account, region: parts[3] ?? '' };
  const opened = await inItsWords(refuse, async () => {
    await assertExecutionRole(deps, task, role, 'secretsmanager:GetSecretValue', await secretResource(deps, scope, arn));
    return await deps.store.read((tx) => openSecret(tx, deps.vault, scope, arn, { stage, versionId }));
  });
  if (opened.version.isBinary) throw refuse('the secret is binary: an environment variable takes a string');
  const text = opened.value.toString();
  return jsonKey === undefined ? text : memberOf(text, jsonKey, refuse);
}

function memberOf(text: string, key: string, refuse: (why: string) => Fault): string {
  const object = jsonObject(text);
  if (object === undefined) throw refuse(`the secret is no JSON object, of which the key ${key} could be taken`);
  if (!Object.hasOwn(object, key)) throw refuse(`retrieved secret from Secrets Manager did not contain json key ${key}`);
  const value = object[key];
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

async function parameterValue({ deps, task, role }: Asker, from: string): Promise<string> {
  const refuse = (why: string) => failed(`unable to retrieve secrets from ssm: ${RETRIED}: ${why}`);
  const region = parseParameterSelector(from)?.arn?.region ?? task.region;
  const scope: Scope = { account: task.account, region };
  const { value } = await inItsWords(
    (why, fault) => refuse(isFault(fault, 'ResourceNotFound') ? `invalid ssm parameters: ${from}` : why),
    async () => {
      await assertExecutionRole(deps, task, role, 'ssm:GetParameters', await parameterResource(deps.store, from, scope));
      return await deps.store.read((tx) => openParameter(tx, deps.vault, scope, from));
    },
  );
  return value;
}

async function registryOf(asker: Asker, from: string): Promise<TaskSecrets['registry']> {
  // AWS takes the name of a secret too.
  const { account, region } = asker.task;
  const arn = isSecret(from) ? from : `arn:aws:secretsmanager:${region}:${account}:secret:${from}`;
  const { username, password } = jsonObject(await secretValue(asker, arn)) ?? {};
  const wrong = (why: string) => failed(`unable to get registry auth from asm: the secret ${arn} ${why}`);
  if (typeof username !== 'string' || username === '') throw wrong('is no JSON object with a username');
  if (typeof password !== 'string' || password === '') throw wrong('is no JSON object with a password');
  return { username, password };
}

/** A role that can't be assumed has words of its own. */
async function inItsWords<T>(refuse: (why: string, fault: Fault) => Fault, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const fault = asFault(error);
    if (fault.code === 'Internal' || fault.details['kind'] === UNASSUMABLE) throw fault;
    const name = fault.details['errorName'];
    const said = secretsErrors.name(fault.code, typeof name === 'string' ? name : undefined).name;
    throw refuse(`${said}: ${fault.message}`, fault);
  }
}
