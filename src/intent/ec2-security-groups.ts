/** Security groups. Their rules: ec2-security-group-rules.ts. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import type { SecurityGroupRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { putSecurityGroup } from './ec2-defaults.ts';
import { ec2Fault, groupOf, invalidValue, vpcOf } from './ec2-faults.ts';
import { defaultVpcId } from './region.ts';
import type { IntentDeps } from './types.ts';

export type SecurityGroupWish = { vpcId: string | undefined; name: string; description: string; tags: Tag[] };

const TEXT = /^[a-zA-Z0-9 ._\-:/()#,@[\]+=&;{}!$*]{1,255}$/;
const TEXT_RULE = '1 to 255 characters out of a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$* are allowed.';

/** Throws InvalidVpcID.NotFound, InvalidGroup.Duplicate, InvalidGroup.Reserved, SecurityGroupLimitExceeded. */
export async function createSecurityGroup(deps: IntentDeps, scope: Scope, wish: SecurityGroupWish): Promise<SecurityGroupRecord> {
  if (!TEXT.test(wish.name) || wish.name.startsWith('sg-'))
    throw invalidValue(wish.name, 'GroupName', `${TEXT_RULE} It may not begin with sg-.`);
  if (!TEXT.test(wish.description)) throw invalidValue(wish.description, 'GroupDescription', TEXT_RULE);
  return await deps.store.write(async (tx) => {
    const vpcId = (await vpcOf(tx, scope, wish.vpcId ?? defaultVpcId(scope))).key.id;
    if (wish.name.toLowerCase() === 'default') throw ec2Fault('InvalidGroup.Reserved', `The security group '${wish.name}' is reserved`);
    const groups = await tx.securityGroups.list(scope);
    if (groups.some((group) => group.vpcId === vpcId && group.name === wish.name)) {
      throw ec2Fault(
        'InvalidGroup.Duplicate',
        `The security group '${clip(wish.name, 255)}' already exists for VPC '${vpcId}'`,
        'AlreadyExists',
      );
    }
    if (groups.length >= limits.securityGroupsPerRegion) {
      throw ec2Fault('SecurityGroupLimitExceeded', `The maximum number of security groups has been reached: ${limits.securityGroupsPerRegion} in a region.`, 'LimitExceeded'); // prettier-ignore
    }
    const { name, description, tags } = wish;
    return await putSecurityGroup(tx, {
      key: { ...scope, id: `sg-${hexId(deps.random, 17)}` },
      vpcId,
      name,
      description,
      isDefault: false,
      tags,
    });
  });
}

/** Throws CannotDelete for a VPC's default group, DependencyViolation while a task, a load balancer or another group's rule names it. */
export async function deleteSecurityGroup(deps: IntentDeps, scope: Scope, id: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const group = await groupOf(tx, scope, id);
    if (group.isDefault) throw ec2Fault('CannotDelete', `the specified group: "${id}" name: "default" cannot be deleted by a user`);
    const why = await groupDependant(tx, scope, id);
    if (why !== undefined) throw ec2Fault('DependencyViolation', `resource ${id} has a dependent object: ${why}`, 'Conflict');
    await deleteGroupIn(tx, group);
  });
}

export async function deleteGroupIn(tx: WriteTx, group: SecurityGroupRecord): Promise<void> {
  const { id, ...scope } = group.key;
  for (const rule of await tx.securityGroupRules.list({ ...scope, group: id })) await tx.securityGroupRules.delete(rule.key);
  await tx.securityGroups.delete(group.key);
}

async function groupDependant(tx: ReadTx, scope: Scope, id: string): Promise<string | undefined> {
  const task = (await tx.tasks.list({ ...scope, live: true })).find(({ desired }) => desired.network.securityGroupIds.includes(id));
  if (task !== undefined) return `the network interface of the task ${task.key.id}`;
  const balancer = (await tx.loadBalancers.list(scope)).find((lb) => lb.desired.securityGroupIds.includes(id));
  if (balancer !== undefined) return `the load balancer ${balancer.key.name}`;
  const rules = await tx.securityGroupRules.list(scope);
  const rule = rules.find(({ key, traffic }) => key.group !== id && traffic.peer.kind === 'group' && traffic.peer.groupId === id);
  return rule === undefined ? undefined : `the rule ${rule.key.id} of ${rule.key.group}`;
}
