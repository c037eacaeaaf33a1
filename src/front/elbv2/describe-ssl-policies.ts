import type { DescribeSSLPoliciesCommandInput, DescribeSSLPoliciesCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault } from '#domain/elb-fault.ts';
import { clip } from '#domain/names.ts';
import { sslPolicies, sslPolicyNamed, type SslPolicy } from '#domain/ssl-policies.ts';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { enumValue, pageOf } from './input.ts';

type Output = Omit<DescribeSSLPoliciesCommandOutput, '$metadata'>;

export function describeSSLPoliciesOperation(_deps: IntentDeps): Handler<DescribeSSLPoliciesCommandInput, Output> {
  return {
    name: 'DescribeSSLPolicies',
    async handle(input) {
      const names = input.Names ?? [];
      if (input.LoadBalancerType !== undefined)
        enumValue(input.LoadBalancerType, ['application', 'network', 'gateway'], 'loadBalancerType');
      const missing = names.find((name) => sslPolicyNamed(name) === undefined);
      if (missing !== undefined) throw elbFault('SSLPolicyNotFound', `SSL policy '${clip(missing)}' not found`);
      const found = sslPolicies.filter((policy) => names.length === 0 || names.includes(policy.name));
      const { page, NextMarker } = pageOf(input.LoadBalancerType === 'gateway' ? [] : found, (policy) => policy.name, input);
      return { SslPolicies: page.map(view), NextMarker };
    },
  };
}

function view({ name, protocols, ciphers }: SslPolicy) {
  return {
    Name: name,
    SslProtocols: protocols,
    Ciphers: ciphers.map((cipher, index) => ({ Name: cipher, Priority: index + 1 })),
    SupportedLoadBalancerTypes: ['application', 'network'],
  };
}
