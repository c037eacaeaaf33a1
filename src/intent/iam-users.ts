/** Wishes about users, roles, their access keys, and instance profiles. */
import type { Random } from '#base/random.ts';
import { entityArn, iamScope, type AccessKeyRecord, type InstanceProfileRecord, type RoleRecord, type UserRecord } from '#domain/iam.ts';
import { clip, constraintText } from '#domain/names.ts';
import type { Tag } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';
import { assertDescription, assertDocument, assertIamName, iamTags, pathOf, sessionSecondsOf } from './iam-checks.ts';
import { assertAttachable } from './iam-entities.ts';
import {
  alreadyExists,
  changeIam,
  deleteConflict,
  entityOf,
  iamFault,
  limitExceeded,
  noSuchEntity,
  roleOf,
  uniqueId,
  type Account,
} from './iam-faults.ts';
import { assertPrincipals, renamePrincipal } from './iam-named.ts';
import type { IntentDeps } from './types.ts';

const KEYS_PER_USER = 2;
const TRUST_MAX = 2048;
const SECRET_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

type EntityWish = { name: string; path: string | undefined; tags: Tag[]; boundary: string | undefined };
export type RoleWish = EntityWish & { description: string | undefined; maxSessionSeconds: number | undefined; trust: string };

function entityParts(deps: IntentDeps, of: Account, { name, path, tags, boundary }: EntityWish) {
  return {
    key: { ...iamScope(of), name },
    path: pathOf(path),
    createdAt: deps.clock.now(),
    tags: iamTags([], tags),
    boundary: boundary ?? null,
    inline: {},
    attached: [],
  };
}

/** Names are unique whatever their case. */
async function assertNew(tx: WriteTx, of: Account, kind: 'User' | 'Role', name: string): Promise<void> {
  const all = kind === 'User' ? await tx.iamUsers.list(iamScope(of)) : await tx.iamRoles.list(iamScope(of));
  const is = name.toLowerCase();
  if (all.some((one) => one.key.name.toLowerCase() === is)) throw alreadyExists(`${kind} with name ${name} already exists.`);
}

export async function createUser(deps: IntentDeps, of: Account, wish: EntityWish): Promise<UserRecord> {
  assertIamName('userName', wish.name, 64);
  const record = { ...entityParts(deps, of, wish), id: uniqueId(deps.random, 'AIDA') };
  return await changeIam(deps, of, async (tx) => {
    await assertNew(tx, of, 'User', wish.name);
    if (record.boundary !== null) await assertAttachable(tx, of, record.boundary);
    return await tx.iamUsers.put(record, 0);
  });
}

/** Throws DeleteConflict while it has keys or policies. */
export async function deleteUser(deps: IntentDeps, of: Account, name: string): Promise<void> {
  await changeIam(deps, of, async (tx) => {
    const user = await entityOf(tx, of, 'user', name);
    if ((await keysOf(tx, of, name)).length > 0) throw deleteConflict('Cannot delete entity, must delete access keys first.');
    assertBare(user);
    await tx.iamUsers.delete(user.key);
    await renamePrincipal(tx, of, 'user', user, user.id);
  });
}

function assertBare({ attached, inline }: UserRecord): void {
  if (attached.length > 0) throw deleteConflict('Cannot delete entity, must detach all policies first.');
  if (Object.keys(inline).length > 0) throw deleteConflict('Cannot delete entity, must delete policies first.');
}

/** Another name or path. Its keys go with it. */
export async function updateUser(
  deps: IntentDeps,
  of: Account,
  name: string,
  to: { name?: string | undefined; path?: string | undefined },
) {
  if (to.name !== undefined) assertIamName('newUserName', to.name, 64);
  await changeIam(deps, of, async (tx) => {
    const user = await entityOf(tx, of, 'user', name);
    const renamed = to.name ?? name;
    const path = to.path === undefined ? user.path : pathOf(to.path);
    await renamePrincipal(tx, of, 'user', user, entityArn('user', { key: { ...user.key, name: renamed }, path }));
    if (renamed === name) return void (await tx.iamUsers.put({ ...user, path }, user.revision));
    if (renamed.toLowerCase() !== name.toLowerCase()) await assertNew(tx, of, 'User', renamed);
    await tx.iamUsers.delete(user.key);
    await tx.iamUsers.put({ ...user, key: { ...user.key, name: renamed }, path }, 0);
    for (const key of await keysOf(tx, of, name)) await tx.iamAccessKeys.put({ ...key, user: renamed }, key.revision);
  });
}

export async function createRole(deps: IntentDeps, of: Account, wish: RoleWish): Promise<RoleRecord> {
  assertIamName('roleName', wish.name, 64);
  assertDescription(wish.description ?? '');
  assertDocument(wish.trust, 'trust', TRUST_MAX, `Cannot exceed quota for ACLSizePerRole: ${TRUST_MAX}`);
  const { description = '', trust } = wish;
  const record = { ...entityParts(deps, of, wish), id: uniqueId(deps.random, 'AROA'), description, trust, maxSessionSeconds: sessionSecondsOf(wish.maxSessionSeconds) }; // prettier-ignore
  return await changeIam(deps, of, async (tx) => {
    await assertNew(tx, of, 'Role', wish.name);
    if (record.boundary !== null) await assertAttachable(tx, of, record.boundary);
    await assertPrincipals(tx, of, trust);
    return await tx.iamRoles.put(record, 0);
  });
}

/** Throws DeleteConflict while it has policies or stands in an instance profile. */
export async function deleteRole(deps: IntentDeps, of: Account, name: string): Promise<void> {
  await changeIam(deps, of, async (tx) => {
    const role = await roleOf(tx, of, name);
    const profiles = await tx.iamInstanceProfiles.list(iamScope(of));
    if (profiles.some((profile) => profile.role === name)) throw deleteConflict('Cannot delete entity, must remove roles from instance profile first.'); // prettier-ignore
    assertBare(role);
    await tx.iamRoles.delete(role.key);
    await renamePrincipal(tx, of, 'role', role, role.id);
  });
}

/** What is left out stays. */
export async function updateRole(
  deps: IntentDeps,
  of: Account,
  name: string,
  to: { description?: string | undefined; maxSessionSeconds?: number | undefined; trust?: string | undefined },
): Promise<RoleRecord> {
  assertDescription(to.description ?? '');
  if (to.trust !== undefined) assertDocument(to.trust, 'trust', TRUST_MAX, `Cannot exceed quota for ACLSizePerRole: ${TRUST_MAX}`);
  const seconds = to.maxSessionSeconds === undefined ? undefined : sessionSecondsOf(to.maxSessionSeconds);
  return await changeIam(deps, of, async (tx) => {
    const role = await roleOf(tx, of, name);
    const { description = role.description, trust = role.trust } = to;
    if (to.trust !== undefined) await assertPrincipals(tx, of, trust);
    return await tx.iamRoles.put({ ...role, description, trust, maxSessionSeconds: seconds ?? role.maxSessionSeconds }, role.revision);
  });
}

export async function keysOf(tx: WriteTx, of: Account, user: string): Promise<AccessKeyRecord[]> {
  return (await tx.iamAccessKeys.list(iamScope(of))).filter((key) => key.user === user);
}

export const newSecret = (random: Random) => Array.from(random.bytes(40), (byte) => SECRET_LETTERS[byte % 64]).join('');

/** `seal`: encrypts the secret of this key. The secret itself is told once, here. */
export async function createAccessKey(
  deps: IntentDeps,
  of: Account,
  user: string,
  seal: (secret: string, id: string) => string,
): Promise<{ record: AccessKeyRecord; secret: string }> {
  const id = uniqueId(deps.random, 'AKIA');
  const secret = newSecret(deps.random);
  return await changeIam(deps, of, async (tx) => {
    await entityOf(tx, of, 'user', user);
    if ((await keysOf(tx, of, user)).length >= KEYS_PER_USER)
      throw limitExceeded(`Cannot exceed quota for AccessKeysPerUser: ${KEYS_PER_USER}`);
    const record = { key: { ...iamScope(of), id }, user, active: true, createdAt: deps.clock.now(), secret: seal(secret, id) };
    return { record: await tx.iamAccessKeys.put(record, 0), secret };
  });
}

export async function setAccessKeyActive(deps: IntentDeps, of: Account, user: string, id: string, active: boolean): Promise<void> {
  await changeIam(deps, of, async (tx) => {
    const key = await keyOf(tx, of, user, id);
    await tx.iamAccessKeys.put({ ...key, active }, key.revision);
  });
}

export async function deleteAccessKey(deps: IntentDeps, of: Account, user: string, id: string): Promise<void> {
  await changeIam(deps, of, async (tx) => void (await tx.iamAccessKeys.delete((await keyOf(tx, of, user, id)).key)));
}

async function keyOf(tx: WriteTx, of: Account, user: string, id: string): Promise<AccessKeyRecord> {
  await entityOf(tx, of, 'user', user);
  const key = await tx.iamAccessKeys.get({ ...iamScope(of), id });
  if (key?.user !== user) throw noSuchEntity(`The Access Key with id ${clip(id)} cannot be found.`);
  return key;
}

export async function createInstanceProfile(deps: IntentDeps, of: Account, wish: { name: string; path: string | undefined; tags: Tag[] }) {
  assertIamName('instanceProfileName', wish.name, 128);
  const key = { ...iamScope(of), name: wish.name };
  const record = { key, id: uniqueId(deps.random, 'AIPA'), path: pathOf(wish.path), createdAt: deps.clock.now(), tags: iamTags([], wish.tags), role: null }; // prettier-ignore
  return await changeIam(deps, of, async (tx) => {
    if ((await tx.iamInstanceProfiles.get(key)) !== undefined) throw alreadyExists(`Instance Profile ${wish.name} already exists.`);
    return await tx.iamInstanceProfiles.put(record, 0);
  });
}

/** `to`: what becomes of it; null: it goes. */
export async function changeInstanceProfile(
  deps: IntentDeps,
  of: Account,
  name: string,
  to: (profile: InstanceProfileRecord, tx: WriteTx) => Promise<Partial<InstanceProfileRecord> | null>,
): Promise<void> {
  await changeIam(deps, of, async (tx) => {
    const profile = await tx.iamInstanceProfiles.get({ ...iamScope(of), name });
    if (profile === undefined) throw noSuchEntity(`Instance Profile ${clip(name)} cannot be found.`);
    const next = await to(profile, tx);
    if (next === null) await tx.iamInstanceProfiles.delete(profile.key);
    else await tx.iamInstanceProfiles.put({ ...profile, ...next }, profile.revision);
  });
}

export async function deleteInstanceProfile(deps: IntentDeps, of: Account, name: string): Promise<void> {
  await changeInstanceProfile(deps, of, name, async ({ role }) => {
    if (role !== null) throw deleteConflict('Cannot delete entity, must remove roles from instance profile first.');
    return null;
  });
}

/** One role a profile. */
export async function addRoleToProfile(deps: IntentDeps, of: Account, name: string, role: string): Promise<void> {
  await changeInstanceProfile(deps, of, name, async (profile, tx) => {
    await roleOf(tx, of, role);
    if (profile.role !== null) throw limitExceeded('Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1');
    return { role };
  });
}

export async function removeRoleFromProfile(deps: IntentDeps, of: Account, name: string, role: string): Promise<void> {
  await changeInstanceProfile(deps, of, name, async (profile, tx) => {
    await roleOf(tx, of, role);
    if (profile.role !== role) throw noSuchEntity(`Role ${clip(role)} in instance profile ${name} cannot be found.`);
    return { role: null };
  });
}

/** IAM's word for a status that isn't one. */
export function activeOf(status: string | undefined): boolean {
  if (status === 'Active' || status === 'Inactive') return status === 'Active';
  throw iamFault('ValidationError', constraintText(status ?? '', 'status', 'satisfy enum value set: [Active, Inactive]')); // prettier-ignore
}
