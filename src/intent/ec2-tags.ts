/** Tags of EC2's resources, by their ids. */
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { mergeTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';
import { ec2Fault, groupOf, internetGatewayOf, routeTableOf, ruleOf, snapshotOf, subnetOf, volumeOf, vpcOf } from './ec2-faults.ts';
import { volumeTagsKept } from './ec2-volumes.ts';
import type { IntentDeps } from './types.ts';

type Change = (present: Tag[]) => Tag[];

/** All of the resources get them, or none. Throws InvalidID and the resources' own NotFound. */
export async function createEc2Tags(deps: IntentDeps, scope: Scope, ids: string[], tags: Tag[]): Promise<void> {
  await changeAll(deps, scope, ids, (present) => mergeTags(present, tags));
}

/** Without a list of tags all go; one without a value goes whatever its value. */
export async function deleteEc2Tags(
  deps: IntentDeps,
  scope: Scope,
  ids: string[],
  tags: { key: string; value: string | undefined }[] | undefined,
): Promise<void> {
  const goes = (tag: Tag) => tags?.some(({ key, value }) => key === tag.key && (value === undefined || value === tag.value)) ?? true;
  await changeAll(deps, scope, ids, (present) => present.filter((tag) => !goes(tag)));
}

async function changeAll(deps: IntentDeps, scope: Scope, ids: string[], change: Change): Promise<void> {
  if (ids.length > limits.tagResources) {
    throw new Fault('InvalidParameter', `A call may name up to ${limits.tagResources} resources; this one names ${ids.length}.`);
  }
  await deps.store.write(async (tx) => {
    for (const id of new Set(ids)) await changeOne(tx, scope, id, change);
  });
}

async function changeOne(tx: WriteTx, scope: Scope, id: string, change: Change): Promise<void> {
  const changed = <R extends { tags: Tag[] }>(record: R): R => ({ ...record, tags: change(record.tags) });
  switch (id.slice(0, id.indexOf('-'))) {
    case 'vpc': {
      const record = await vpcOf(tx, scope, id);
      return void (await tx.vpcs.put(changed(record), record.revision));
    }
    case 'subnet': {
      const record = await subnetOf(tx, scope, id);
      return void (await tx.subnets.put(changed(record), record.revision));
    }
    case 'sg': {
      const record = await groupOf(tx, scope, id);
      return void (await tx.securityGroups.put(changed(record), record.revision));
    }
    case 'sgr': {
      const record = await ruleOf(tx, scope, undefined, id);
      return void (await tx.securityGroupRules.put(changed(record), record.revision));
    }
    case 'rtb': {
      const record = await routeTableOf(tx, scope, id);
      return void (await tx.routeTables.put(changed(record), record.revision));
    }
    case 'igw': {
      const record = await internetGatewayOf(tx, scope, id);
      return void (await tx.internetGateways.put(changed(record), record.revision));
    }
    case 'vol': {
      const { key, desired, revision } = await volumeOf(tx, scope, id);
      return void (await tx.volumes.setDesired(key, { ...desired, tags: volumeTagsKept(desired, change(desired.tags)) }, revision));
    }
    case 'snap': {
      const { key, desired, revision } = await snapshotOf(tx, scope, id);
      return void (await tx.snapshots.setDesired(key, changed(desired), revision));
    }
    default:
      throw ec2Fault('InvalidID', `The ID '${clip(id)}' is not valid: VPCs, subnets, security groups and their rules, route tables, internet gateways, volumes and snapshots have tags here.`); // prettier-ignore
  }
}
