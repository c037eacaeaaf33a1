import type { DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResult } from '@aws-sdk/client-ec2';
import type { SecurityGroupRuleRecord } from '#domain/network.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { ruleView } from './permissions.ts';
import { select, type ResourceKind } from './selection.ts';

const kind: ResourceKind<SecurityGroupRuleRecord> = {
  noun: 'security group rule ID',
  code: 'InvalidSecurityGroupRuleId',
  malformedCode: 'InvalidSecurityGroupRuleId.Malformed',
  prefix: 'sgr-',
  id: (rule) => rule.key.id,
  tags: (rule) => rule.tags,
  filters: {
    'group-id': (rule) => [rule.key.group],
    'security-group-rule-id': (rule) => [rule.key.id],
  },
};

export const describeSecurityGroupRulesOperation = ({ store }: IntentDeps) =>
  ec2Operation<DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResult>(
    'DescribeSecurityGroupRules',
    async (input, context) => {
      const rules = await store.read((tx) => tx.securityGroupRules.list(scopeOf(context)));
      const { page, nextToken } = select(kind, rules, {
        ids: input.SecurityGroupRuleIds,
        filters: input.Filters,
        maxResults: input.MaxResults,
        nextToken: input.NextToken,
      });
      return { SecurityGroupRules: page.map(ruleView), NextToken: nextToken };
    },
  );
