import type {
  AuthorizeSecurityGroupEgressRequest,
  AuthorizeSecurityGroupIngressRequest,
  AuthorizeSecurityGroupIngressResult,
  ModifySecurityGroupRulesRequest,
  ModifySecurityGroupRulesResult,
  RevokeSecurityGroupEgressRequest,
  RevokeSecurityGroupIngressRequest,
  RevokeSecurityGroupIngressResult,
  UpdateSecurityGroupRuleDescriptionsIngressRequest,
  UpdateSecurityGroupRuleDescriptionsIngressResult,
} from '@aws-sdk/client-ec2';
import { ruleDescription } from '#domain/rule-traffic.ts';
import { authorizeRules, describeRules, ec2Fault, modifyRules, revokeRules } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { revokedView, ruleRequestWish, ruleView, ruleWishes } from './permissions.ts';
import { groupRef } from './security-group-changes.ts';
import { tagsFor } from './tag-specifications.ts';

type Direction = 'Ingress' | 'Egress';

export const authorizeOperation = (direction: Direction) => (deps: IntentDeps) =>
  ec2Operation<AuthorizeSecurityGroupIngressRequest & AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupIngressResult>(
    `AuthorizeSecurityGroup${direction}`,
    async (input, context) => {
      const made = await authorizeRules(deps, scopeOf(context), {
        group: groupRef(input),
        egress: direction === 'Egress',
        rules: ruleWishes(input),
        tags: tagsFor('security-group-rule', input.TagSpecifications),
      });
      return { Return: true, SecurityGroupRules: made.map(ruleView) };
    },
  );

export const revokeOperation = (direction: Direction) => (deps: IntentDeps) =>
  ec2Operation<RevokeSecurityGroupIngressRequest & RevokeSecurityGroupEgressRequest, RevokeSecurityGroupIngressResult>(
    `RevokeSecurityGroup${direction}`,
    async (input, context) => {
      const ids = input.SecurityGroupRuleIds ?? [];
      const gone = await revokeRules(deps, scopeOf(context), {
        group: groupRef(input),
        egress: direction === 'Egress',
        which: ids.length > 0 ? { ids } : { rules: ruleWishes(input) },
      });
      return { Return: true, UnknownIpPermissions: [], RevokedSecurityGroupRules: gone.map(revokedView) };
    },
  );

export const updateDescriptionsOperation = (direction: Direction) => (deps: IntentDeps) =>
  ec2Operation<UpdateSecurityGroupRuleDescriptionsIngressRequest, UpdateSecurityGroupRuleDescriptionsIngressResult>(
    `UpdateSecurityGroupRuleDescriptions${direction}`,
    async (input, context) => {
      const named = input.SecurityGroupRuleDescriptions ?? [];
      const byId = named.map(({ SecurityGroupRuleId: id = '', Description }) => ({ id, description: ruleDescription(Description) }));
      if (byId.length > 0 === (input.IpPermissions !== undefined)) {
        throw ec2Fault('MissingParameter', 'Either ipPermissions or securityGroupRuleDescriptions must be given, and not both.');
      }
      await describeRules(deps, scopeOf(context), {
        group: groupRef(input),
        egress: direction === 'Egress',
        which: byId.length > 0 ? { byId } : { rules: ruleWishes({ IpPermissions: input.IpPermissions }) },
      });
      return { Return: true };
    },
  );

export const modifySecurityGroupRulesOperation = (deps: IntentDeps) =>
  ec2Operation<ModifySecurityGroupRulesRequest, ModifySecurityGroupRulesResult>('ModifySecurityGroupRules', async (input, context) => {
    const changes = (input.SecurityGroupRules ?? []).map(({ SecurityGroupRuleId: id = '', SecurityGroupRule }) => ({
      id,
      rule: ruleRequestWish(SecurityGroupRule ?? {}),
    }));
    if (changes.length === 0) throw ec2Fault('MissingParameter', 'The request must contain the parameter SecurityGroupRule');
    await modifyRules(deps, scopeOf(context), input.GroupId ?? '', changes);
    return { Return: true };
  });
