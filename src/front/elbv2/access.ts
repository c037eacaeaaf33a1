/**
 * What IAM is asked before each operation of Elastic Load Balancing. Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS
 * Elastic Load Balancing V2".
 */
import type { CreateLoadBalancerCommandInput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbArn } from '#domain/load-balancer.ts';
import type { Scope } from '#domain/scope.ts';
import { anything, ifThere, requestTags, resourceTags, type AccessTable, type AnyTags } from '#gateway/access.ts';
import type { AccessRow, Ask, OwnFacts } from '#gateway/types.ts';
import { listElbTags, type IntentDeps } from '#intent/index.ts';

type OfListener = { ListenerArn?: string | undefined };
type Listens = { Protocol?: string | undefined; SslPolicy?: string | undefined };

export function elbv2Access({ store }: IntentDeps): AccessTable {
  const all: AccessRow = { resources: anything };
  const of = (member: 'LoadBalancerArn' | 'ListenerArn' | 'RuleArn' | 'TargetGroupArn'): AccessRow<Record<string, string | undefined>> => ({
    resources: (input) => [input[member] ?? ''],
  });
  const [ofBalancer, ofListener, ofRule, ofGroup] = [of('LoadBalancerArn'), of('ListenerArn'), of('RuleArn'), of('TargetGroupArn')];
  const ofAny: AccessRow<{ ResourceArns?: string[] | undefined }> = { resources: ({ ResourceArns: arns = [] }) => arns };
  return {
    vendor: 'elasticloadbalancing',
    about: async (arn, scope) => {
      const tags = arn === '*' ? undefined : await ifThere(() => store.read((tx) => listElbTags(tx, scope, arn)));
      return resourceTags(tags, 'elasticloadbalancing');
    },
    rows: {
      AddListenerCertificates: ofListener,
      AddTags: { ...ofAny, facts: ({ Tags }) => requestTags(Tags) } satisfies AccessRow,
      CreateListener: {
        ...ofBalancer,
        facts: (input) => ({ ...requestTags(input.Tags), ...listenerFacts(input) }),
        also: ({ LoadBalancerArn: arn = '', Tags }) => tagging('CreateListener', Tags, below(arn, ':loadbalancer/', ':listener/')),
      } satisfies AccessRow,
      CreateLoadBalancer: {
        resources: (input, scope) => [newBalancer(input, scope)],
        facts: balancerFacts,
        also: (input, scope) => tagging('CreateLoadBalancer', input.Tags, newBalancer(input, scope)),
      },
      CreateRule: {
        ...ofListener,
        facts: ({ Tags }) => requestTags(Tags),
        also: ({ ListenerArn: arn = '', Tags }: OfListener & { Tags?: AnyTags }) =>
          tagging('CreateRule', Tags, below(arn, ':listener/', ':listener-rule/')),
      } satisfies AccessRow,
      CreateTargetGroup: {
        resources: ({ Name: name = '' }, scope) => [elbArn(scope, `targetgroup/${name}/*`)],
        facts: ({ Tags }) => requestTags(Tags),
        also: ({ Name: name = '', Tags }, scope) => tagging('CreateTargetGroup', Tags, elbArn(scope, `targetgroup/${name}/*`)),
      },
      DeleteListener: ofListener,
      DeleteLoadBalancer: ofBalancer,
      DeleteRule: ofRule,
      DeleteTargetGroup: ofGroup,
      DeregisterTargets: ofGroup,
      DescribeAccountLimits: all,
      DescribeCapacityReservation: all,
      DescribeListenerAttributes: all,
      DescribeListenerCertificates: all,
      DescribeListeners: all,
      DescribeLoadBalancerAttributes: all,
      DescribeLoadBalancers: all,
      DescribeRules: all,
      DescribeSSLPolicies: all,
      DescribeTags: all,
      DescribeTargetGroupAttributes: all,
      DescribeTargetGroups: all,
      DescribeTargetHealth: all,
      ModifyListener: { ...ofListener, facts: listenerFacts } satisfies AccessRow,
      ModifyListenerAttributes: ofListener,
      ModifyLoadBalancerAttributes: ofBalancer,
      ModifyRule: ofRule,
      ModifyTargetGroup: ofGroup,
      ModifyTargetGroupAttributes: ofGroup,
      RegisterTargets: ofGroup,
      RemoveListenerCertificates: ofListener,
      RemoveTags: { ...ofAny, facts: ({ TagKeys }) => requestTags([], TagKeys) } satisfies AccessRow,
      SetIpAddressType: ofBalancer,
      SetRulePriorities: {
        resources: ({ RulePriorities: pairs = [] }: { RulePriorities?: { RuleArn?: string }[] }) =>
          pairs.map(({ RuleArn: arn = '' }) => arn),
      },
      SetSecurityGroups: {
        ...ofBalancer,
        facts: ({ SecurityGroups: ids = [] }) => ({ 'elasticloadbalancing:SecurityGroup': ids }),
      } satisfies AccessRow,
      SetSubnets: { ...ofBalancer, facts: (input) => ({ 'elasticloadbalancing:Subnet': subnetsOf(input) }) } satisfies AccessRow,
    },
  };
}

const kinds: Record<string, string> = { network: 'net', gateway: 'gwy' };

function newBalancer({ Name: name = '', Type: type = 'application' }: CreateLoadBalancerCommandInput, scope: Scope): string {
  return elbArn(scope, `loadbalancer/${kinds[type] ?? 'app'}/${name}/*`);
}

function balancerFacts(input: CreateLoadBalancerCommandInput): OwnFacts {
  return {
    ...requestTags(input.Tags),
    'elasticloadbalancing:Scheme': input.Scheme ?? 'internet-facing',
    'elasticloadbalancing:SecurityGroup': input.SecurityGroups ?? [],
    'elasticloadbalancing:Subnet': subnetsOf(input),
  };
}

function subnetsOf({
  Subnets: ids,
  SubnetMappings: mappings,
}: Pick<CreateLoadBalancerCommandInput, 'Subnets' | 'SubnetMappings'>): string[] {
  return [...(ids ?? []), ...(mappings ?? []).map(({ SubnetId: id }) => id ?? '')];
}

function listenerFacts({ Protocol: protocol, SslPolicy: policy }: Listens): OwnFacts {
  return {
    ...(protocol === undefined ? {} : { 'elasticloadbalancing:ListenerProtocol': protocol }),
    ...(policy === undefined ? {} : { 'elasticloadbalancing:SecurityPolicy': policy }),
  };
}

/** Any child of what an ARN names. */
const below = (arn: string, parent: string, child: string) => `${arn.replace(parent, child)}/*`;

/** Tags that are set while something is made need a permission of their own. */
function tagging(operation: string, tags: AnyTags | undefined, arn: string): Ask[] {
  const facts = requestTags(tags);
  if (facts['aws:TagKeys'] === undefined) return [];
  return [
    { action: 'elasticloadbalancing:AddTags', resources: [arn], facts: { ...facts, 'elasticloadbalancing:CreateAction': operation } },
  ];
}
