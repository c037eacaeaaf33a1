/** Rules of security groups: authorised, revoked, changed; a call does all that it names or nothing. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { RulePeer, RuleTraffic, SecurityGroupRuleRecord } from '#domain/network.ts';
import type { SecurityGroupRecord } from '#domain/records.ts';
import { trafficKey, trafficText } from '#domain/rule-traffic.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx } from '#store/types.ts';
import { ec2Fault, groupOf, notFound, ruleOf } from './ec2-faults.ts';
import { defaultVpcId } from './region.ts';
import type { IntentDeps } from './types.ts';

/** A group by its id, or by its name in the default VPC. */
export type GroupRef = { id: string } | { name: string };
export type PeerWish = Exclude<RulePeer, { kind: 'group' }> | { kind: 'group'; group: GroupRef } | { kind: 'prefix-list'; id: string };
export type PermissionWish = Omit<RuleTraffic, 'peer'> & { peer: PeerWish; description: string | null };

/** Rules by their ids, or by all that they let through. */
export type RuleSelection = { ids: string[] } | { rules: PermissionWish[] };

export async function findGroup(tx: ReadTx, scope: Scope, ref: GroupRef): Promise<SecurityGroupRecord> {
  if ('id' in ref) return await groupOf(tx, scope, ref.id);
  const groups = await tx.securityGroups.list(scope);
  const found = groups.find((group) => group.name === ref.name && group.vpcId === defaultVpcId(scope));
  if (found === undefined) throw notFound('InvalidGroup.NotFound', 'security group', ref.name);
  return found;
}

/** Throws InvalidPermission.Duplicate, RulesPerSecurityGroupLimitExceeded, InvalidGroup.NotFound. */
export async function authorizeRules(
  deps: IntentDeps,
  scope: Scope,
  wish: { group: GroupRef; egress: boolean; rules: PermissionWish[]; tags: Tag[] },
): Promise<SecurityGroupRuleRecord[]> {
  return await deps.store.write(async (tx) => {
    const group = await findGroup(tx, scope, wish.group);
    const present = await rulesOf(tx, group, wish.egress);
    const known = new Set(present.map((rule) => trafficKey(rule.traffic)));
    const asked = await resolveAll(tx, group, wish.rules);
    for (const { traffic } of asked) {
      const key = trafficKey(traffic);
      if (known.has(key)) throw duplicate(traffic);
      known.add(key);
    }
    if (known.size > limits.rulesPerSecurityGroup) {
      const text = `The maximum number of rules per security group has been reached: ${limits.rulesPerSecurityGroup} in each direction.`;
      throw ec2Fault('RulesPerSecurityGroupLimitExceeded', text, 'LimitExceeded');
    }
    const made: SecurityGroupRuleRecord[] = [];
    for (const { traffic, description } of asked) {
      const key = { ...scope, group: group.key.id, id: `sgr-${hexId(deps.random, 17)}` };
      made.push(await tx.securityGroupRules.put({ key, egress: wish.egress, traffic, description, tags: wish.tags }, 0));
    }
    return made;
  });
}

/** Throws InvalidPermission.NotFound, InvalidSecurityGroupRuleId.NotFound. */
export async function revokeRules(
  deps: IntentDeps,
  scope: Scope,
  wish: { group: GroupRef; egress: boolean; which: RuleSelection },
): Promise<SecurityGroupRuleRecord[]> {
  return await deps.store.write(async (tx) => {
    const group = await findGroup(tx, scope, wish.group);
    const found = await selectRules(tx, group, wish.egress, wish.which);
    for (const { rule } of found) await tx.securityGroupRules.delete(rule.key);
    return found.map(({ rule }) => rule);
  });
}

/** Each named rule becomes what is given. Throws InvalidSecurityGroupRuleId.NotFound, InvalidPermission.Duplicate. */
export async function modifyRules(
  deps: IntentDeps,
  scope: Scope,
  groupId: string,
  changes: { id: string; rule: PermissionWish }[],
): Promise<void> {
  await deps.store.write(async (tx) => {
    const group = await groupOf(tx, scope, groupId);
    for (const { id, rule } of changes) {
      const present = await ruleOf(tx, scope, groupId, id);
      const traffic = await resolve(tx, group, rule);
      await tx.securityGroupRules.put({ ...present, traffic, description: rule.description }, present.revision);
    }
    for (const egress of [true, false]) {
      const seen = new Set<string>();
      for (const { traffic } of await rulesOf(tx, group, egress)) {
        if (seen.has(trafficKey(traffic))) throw duplicate(traffic);
        seen.add(trafficKey(traffic));
      }
    }
  });
}

/** Sets descriptions: of rules by their ids, or of those that let the same through. */
export async function describeRules(
  deps: IntentDeps,
  scope: Scope,
  wish: { group: GroupRef; egress: boolean; which: { rules: PermissionWish[] } | { byId: { id: string; description: string | null }[] } },
): Promise<void> {
  await deps.store.write(async (tx) => {
    const group = await findGroup(tx, scope, wish.group);
    const byId = 'byId' in wish.which ? wish.which.byId : undefined;
    const selection = 'rules' in wish.which ? wish.which : { ids: wish.which.byId.map(({ id }) => id) };
    for (const { rule, wish: given } of await selectRules(tx, group, wish.egress, selection)) {
      const description = given === null ? (byId?.find(({ id }) => id === rule.key.id)?.description ?? null) : given.description;
      await tx.securityGroupRules.put({ ...rule, description }, rule.revision);
    }
  });
}

async function rulesOf(tx: ReadTx, group: SecurityGroupRecord, egress: boolean): Promise<SecurityGroupRuleRecord[]> {
  const { id, ...scope } = group.key;
  return (await tx.securityGroupRules.list({ ...scope, group: id })).filter((rule) => rule.egress === egress);
}

type Selected = { rule: SecurityGroupRuleRecord; wish: PermissionWish | null };

async function selectRules(tx: ReadTx, group: SecurityGroupRecord, egress: boolean, which: RuleSelection): Promise<Selected[]> {
  const present = await rulesOf(tx, group, egress);
  if ('ids' in which) {
    return [...new Set(which.ids)].map((id) => {
      const rule = present.find(({ key }) => key.id === id);
      if (rule === undefined) throw notFound('InvalidSecurityGroupRuleId.NotFound', 'security group rule ID', id);
      return { rule, wish: null };
    });
  }
  const byTraffic = new Map(present.map((rule) => [trafficKey(rule.traffic), rule]));
  const selected: Selected[] = [];
  for (const { traffic, wish } of await resolveAll(tx, group, which.rules)) {
    const rule = byTraffic.get(trafficKey(traffic));
    if (rule === undefined) {
      throw ec2Fault('InvalidPermission.NotFound', 'The specified rule does not exist in this security group.', 'ResourceNotFound');
    }
    selected.push({ rule, wish });
  }
  return selected;
}

type Resolved = { traffic: RuleTraffic; description: string | null; wish: PermissionWish };

/** Throws InvalidParameterValue when two of them are the same. */
async function resolveAll(tx: ReadTx, group: SecurityGroupRecord, rules: PermissionWish[]): Promise<Resolved[]> {
  const resolved: Resolved[] = [];
  for (const wish of rules) resolved.push({ traffic: await resolve(tx, group, wish), description: wish.description, wish });
  if (new Set(resolved.map(({ traffic }) => trafficKey(traffic))).size < resolved.length) {
    throw ec2Fault('InvalidParameterValue', 'The same permission must not appear multiple times');
  }
  return resolved;
}

async function resolve(tx: ReadTx, group: SecurityGroupRecord, wish: PermissionWish): Promise<RuleTraffic> {
  const { protocol, fromPort, toPort, peer } = wish;
  if (peer.kind === 'prefix-list') throw notFound('InvalidPrefixListID.NotFound', 'prefix list ID', peer.id);
  if (peer.kind !== 'group') return { protocol, fromPort, toPort, peer };
  const { id: _, ...scope } = group.key;
  const other = await findGroup(tx, scope, peer.group);
  if (other.vpcId !== group.vpcId) {
    throw ec2Fault('InvalidGroup.NotFound', `You have specified two resources that belong to different networks: ${other.key.id} is in ${other.vpcId}, ${group.key.id} in ${group.vpcId}.`, 'ResourceNotFound'); // prettier-ignore
  }
  return { protocol, fromPort, toPort, peer: { kind: 'group', groupId: other.key.id } };
}

function duplicate(traffic: RuleTraffic) {
  return ec2Fault('InvalidPermission.Duplicate', `the specified rule "${trafficText(traffic)}" already exists`, 'AlreadyExists');
}
