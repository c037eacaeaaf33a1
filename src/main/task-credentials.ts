/** The roles of tasks: temporary credentials for their containers, and what the platform may do for them by the execution role. */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import type { ControlDeps } from '#control/index.ts';
import { taskArn } from '#domain/arn.ts';
import { iamScope, parseRoleArn, type RoleRecord } from '#domain/iam.ts';
import type { Scope } from '#domain/scope.ts';
import type { TaskKey } from '#domain/task.ts';
import { findRole, type Identity, type OwnFacts, type ServiceWish, type TemporaryCredentials, type Touched } from '#identity/index.ts';
import type { TaskCredentials } from '#link/operations.ts';
import type { ReadTx, Store } from '#store/types.ts';

/** As ECS's. */
const HOURS_6 = 6 * 3600;
/** `details.kind` of the Fault for a role that can't be assumed. */
export const UNASSUMABLE = 'unassumable';
const NOMINAL = 'AROAAAAAAAAAAAAAAAAAA';
const SERVICE = 'ecs-tasks.amazonaws.com';

export type Deps = { store: Pick<Store, 'read'>; identity: Identity; clock: Clock };

/** Throws AccessDenied in ECS's words. */
export async function taskCredentials(deps: Deps, task: TaskKey, role: string): Promise<TaskCredentials> {
  const made = await assume(deps, task, role);
  const { accessKeyId, secretAccessKey, sessionToken: token, expiresAt } = made;
  return { roleArn: arnOf(task, role), accessKeyId, secretAccessKey, token, expiresAt };
}

/** A task definition may name a role without its ARN. */
const arnOf = ({ account }: TaskKey, role: string) => (role.startsWith('arn:') ? role : `arn:aws:iam::${account}:role/${role}`);

/**
 * Whether the task's execution role lets the platform do this for it. Where nobody keeps IAM there is nothing to ask; where somebody does, a task
 * without such a role gets nothing that needs one, or whoever may start tasks would have it all. Throws AccessDenied.
 */
export async function assertExecutionRole(
  deps: Deps,
  task: TaskKey,
  role: string | undefined,
  action: string,
  resource: Touched,
  facts: OwnFacts = {},
): Promise<void> {
  if (role === undefined) {
    if (!(await deps.store.read((tx) => keepsIam(tx, task)))) return;
    throw new Fault('AccessDenied', `the task has no execution role that could allow ${action}`);
  }
  const { principal } = await assume(deps, task, role);
  if (isNominal(principal)) return;
  const call = { now: deps.clock.now, region: task.region, sourceIp: '', userAgent: 'ecs-tasks.amazonaws.com', secure: true };
  await deps.identity.assertAllowed(principal, action, [resource], call, facts);
}

/** Nobody keeps IAM: there is nothing to ask. */
export const isNominal = (principal: TemporaryCredentials['principal']): boolean => principal.actor?.id === NOMINAL;

/** The log stream of a container, made by the execution role as on Fargate. */
export function guardedLogStreams(deps: Deps, open: ControlDeps['openLogStream']): ControlDeps['openLogStream'] {
  return async (wish) => {
    const { key, target } = wish;
    const role = (await deps.store.read((tx) => tx.tasks.byId(key.id)))?.desired.spec.executionRole;
    const group = `arn:aws:logs:${target.region}:${key.account}:log-group:${target.group}`;
    // As the API itself asks it (front/logs/access.ts).
    const both = { arn: `${group}:log-stream:`, alias: group };
    if (target.createGroup) await assertExecutionRole(deps, key, role, 'logs:CreateLogGroup', both);
    await assertExecutionRole(deps, key, role, 'logs:CreateLogStream', `${group}:log-stream:${target.stream}`);
    await open(wish);
  };
}

async function keepsIam(tx: ReadTx, task: Scope): Promise<boolean> {
  const scope = iamScope(task);
  return (await tx.iamRoles.list(scope)).length > 0 || (await tx.iamUsers.list(scope)).length > 0;
}

async function assume({ store, identity }: Deps, task: TaskKey, name: string): Promise<TemporaryCredentials> {
  const arn = arnOf(task, name);
  const facts = { 'aws:SourceAccount': task.account, 'aws:SourceArn': taskArn(task) };
  const made = await assumeRole({ store, identity }, task, arn, { service: SERVICE, sessionName: task.id, seconds: HOURS_6, facts });
  if (made !== null) return made;
  throw new Fault(
    'AccessDenied',
    `ECS was unable to assume the role '${arn}' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.`,
    { details: { kind: UNASSUMABLE } },
  );
}

/** A session of the role for a service of AWS's; null where the role isn't there or doesn't trust it. Where nobody keeps IAM a role is a name: its session may do nothing. */
export async function assumeRole(
  { store, identity }: Pick<Deps, 'store' | 'identity'>,
  scope: Scope,
  arn: string,
  wish: ServiceWish,
): Promise<TemporaryCredentials | null> {
  const { role, isKept } = await store.read(async (tx) => {
    return { role: await findRole(tx, arn), isKept: await keepsIam(tx, scope) };
  });
  const known = role ?? (isKept ? undefined : nominalRole(arn, wish.service));
  return known === undefined ? null : identity.assumeForService(known, wish);
}

/** What stands for a role that isn't there: no row has its id, so that no policy is ever found for it. */
function nominalRole(arn: string, service: string): RoleRecord | undefined {
  const named = parseRoleArn(arn);
  if (named === undefined) return undefined;
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' }] }); // prettier-ignore
  return { key: { ...iamScope(named), name: named.name }, revision: 0, id: NOMINAL, path: named.path, createdAt: 0, tags: [], boundary: null, inline: {}, attached: [], description: '', maxSessionSeconds: 3600, trust }; // prettier-ignore
}
