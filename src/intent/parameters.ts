/** Wishes about parameters, their versions, labels and tags. */
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import { labelsOf, parameterContext } from '#domain/parameter.ts';
import type { ParameterRecord, ParameterTier, ParameterType } from '#domain/parameter.ts';
import type { Scope } from '#domain/scope.ts';
import { mergeTags, withoutTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';
import { invalidParameter, noParameterVersion, parameterFault, parameterOf } from './parameters-faults.ts';
import type { SecretDeps } from './secrets-versions.ts';

export type ParameterWish = {
  name: string;
  value: string;
  overwrite: boolean;
  /** undefined: as before. */
  type: ParameterType | undefined;
  tier: ParameterTier | 'Intelligent-Tiering' | undefined;
  description: string | undefined;
  allowedPattern: string | undefined;
  dataType: string | undefined;
  tags: Tag[];
  by: string;
  /** Throws unless the value is one that the pattern allows. */
  assertAllowed(pattern: string, value: string): void;
};

export async function putParameter(deps: SecretDeps, scope: Scope, wish: ParameterWish): Promise<ParameterRecord> {
  const { account, region } = scope;
  return await deps.store.write(async (tx) => {
    const key = { account, region, name: wish.name };
    const present = await tx.parameters.get(key);
    if (present === undefined) await assertRoom(tx, scope);
    const content = contentOf(wish, present, deps.clock.now());
    if (content.allowedPattern !== null) wish.assertAllowed(content.allowedPattern, wish.value);
    const version = (present?.version ?? 0) + 1;
    const own = { ...key, version };
    await tx.parameterVersions.put({ key: own, ...content, value: deps.vault.encrypt(wish.value, parameterContext(own)) }, 0);
    if (present === undefined) return await tx.parameters.put({ key, ...content, version, labels: {}, tags: wish.tags }, 0);
    await dropOldest(tx, present, version);
    return await tx.parameters.put({ ...present, ...content, version }, present.revision);
  });
}

async function assertRoom(tx: WriteTx, { account, region }: Scope): Promise<void> {
  if ((await tx.parameters.list({ account, region })).length < limits.parametersPerRegion) return;
  const text = `You have exceeded the number of parameters for this account: ${limits.parametersPerRegion}. Delete one or more parameters and try again.`;
  throw parameterFault('ParameterLimitExceeded', text, 'LimitExceeded');
}

function contentOf(wish: ParameterWish, present: ParameterRecord | undefined, now: number) {
  if (present !== undefined && !wish.overwrite) {
    const text = 'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.';
    throw parameterFault('ParameterAlreadyExists', text, 'AlreadyExists');
  }
  const type = wish.type ?? present?.type;
  if (type === undefined) throw invalidParameter('A parameter type is required when you create a parameter.');
  if (present !== undefined && present.type !== type) {
    const text = `The type of a parameter can't be changed: ${wish.name} is of the type ${present.type}. Delete it and make it again.`;
    throw parameterFault('HierarchyTypeMismatchException', text);
  }
  return {
    type,
    tier: tierOf(wish, present?.tier),
    description: wish.description ?? present?.description ?? null,
    allowedPattern: wish.allowedPattern ?? present?.allowedPattern ?? null,
    dataType: wish.dataType ?? present?.dataType ?? 'text',
    modifiedAt: now,
    modifiedBy: wish.by,
  };
}

function tierOf({ tier, value }: ParameterWish, before: ParameterTier | undefined): ParameterTier {
  const bytes = Buffer.byteLength(value);
  const { Standard, Advanced } = limits.parameterBytes;
  const wanted = tier === 'Intelligent-Tiering' ? (bytes > Standard ? 'Advanced' : (before ?? 'Standard')) : (tier ?? before ?? 'Standard');
  if (wanted === 'Standard' && before === 'Advanced') {
    throw invalidParameter(
      "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
    );
  }
  if (wanted === 'Standard' && bytes > Standard) {
    throw invalidParameter(
      `Standard tier parameters support a maximum parameter value of ${Standard} characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html`,
    );
  }
  if (bytes > Advanced) throw invalidParameter(`Advanced tier parameters support a maximum parameter value of ${Advanced} characters.`);
  return wanted;
}

/** The oldest version makes way, unless a label holds it. */
async function dropOldest(tx: WriteTx, present: ParameterRecord, newest: number): Promise<void> {
  const oldest = newest - limits.parameterVersions;
  if (oldest < 1) return;
  if (labelsOf(present, oldest).length > 0) {
    const text = `You attempted to create a new version of ${present.key.name} by calling the PutParameter API with the overwrite flag. Version ${oldest}, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.`;
    throw parameterFault('ParameterMaxVersionLimitExceeded', text, 'LimitExceeded');
  }
  await tx.parameterVersions.delete({ ...present.key, version: oldest });
}

/** Names of those that were there. */
export async function deleteParameters(deps: SecretDeps, { account, region }: Scope, names: readonly string[]): Promise<string[]> {
  return await deps.store.write(async (tx) => {
    const deleted: string[] = [];
    for (const name of new Set(names)) {
      if (!(await tx.parameters.delete({ account, region, name }))) continue;
      for (const version of await tx.parameterVersions.list({ account, region, name })) await tx.parameterVersions.delete(version.key);
      deleted.push(name);
    }
    return deleted;
  });
}

const LABEL = /^(?!\d|aws|ssm)[a-zA-Z0-9_.-]{1,100}$/i;

/** A label is on one version at a time. What can't be a label is given back; the others are set. */
export async function labelParameter(
  deps: SecretDeps,
  scope: Scope,
  name: string,
  version: number | undefined,
  labels: readonly string[],
): Promise<{ version: number; invalid: string[] }> {
  const valid = labels.filter((label) => LABEL.test(label));
  return await deps.store.write(async (tx) => {
    const present = await parameterOf(tx, scope, name);
    const wanted = await versionOf(tx, present, version);
    const after = { ...present.labels, ...Object.fromEntries(valid.map((label) => [label, wanted])) };
    if (labelsOf({ labels: after }, wanted).length > limits.parameterLabels) {
      const text = `A parameter version can have maximum ${limits.parameterLabels} labels. Move one or more labels to another version and try again.`;
      throw parameterFault('ParameterVersionLabelLimitExceeded', text, 'LimitExceeded');
    }
    if (valid.length > 0) await tx.parameters.put({ ...present, labels: after }, present.revision);
    return { version: wanted, invalid: labels.filter((label) => !LABEL.test(label)) };
  });
}

/** Which of the labels were on that version. */
export async function unlabelParameter(
  deps: SecretDeps,
  scope: Scope,
  name: string,
  version: number,
  labels: readonly string[],
): Promise<{ removed: string[]; invalid: string[] }> {
  return await deps.store.write(async (tx) => {
    const present = await parameterOf(tx, scope, name);
    await versionOf(tx, present, version);
    const removed = labels.filter((label) => present.labels[label] === version);
    const after = Object.fromEntries(Object.entries(present.labels).filter(([label]) => !removed.includes(label)));
    if (removed.length > 0) await tx.parameters.put({ ...present, labels: after }, present.revision);
    return { removed, invalid: labels.filter((label) => !removed.includes(label)) };
  });
}

async function versionOf(tx: WriteTx, present: ParameterRecord, version = present.version): Promise<number> {
  const found = await tx.parameterVersions.get({ ...present.key, version });
  if (found === undefined) throw noParameterVersion(present.key.name, String(version));
  return version;
}

export async function tagParameter(deps: SecretDeps, scope: Scope, name: string, change: { add: Tag[]; remove: string[] }): Promise<void> {
  await deps.store.write(async (tx) => {
    const { account, region } = scope;
    const present = await tx.parameters.get({ account, region, name });
    if (present === undefined) {
      const text = `The resource ID "${clip(name)}" is not valid. Verify that you entered the correct ID and try again.`;
      throw parameterFault('InvalidResourceId', text, 'ResourceNotFound');
    }
    const tags = withoutTags(mergeTags(present.tags, change.add), change.remove);
    await tx.parameters.put({ ...present, tags }, present.revision);
  });
}
