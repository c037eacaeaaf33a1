import type { CapacityProvider, DescribeCapacityProvidersRequest, DescribeCapacityProvidersResponse } from '@aws-sdk/client-ecs';
import { capacityProviderArn, ecsResource } from '#domain/arn.ts';
import { fargateProviders } from '#domain/capacity-strategy.ts';
import type { Scope } from '#domain/scope.ts';
import type { Handler } from '#gateway/types.ts';
import { cutPage } from './page.ts';

/** The two that AWS has in every account; further ones come with hosts of one's own. */
export function describeCapacityProvidersOperation(): Handler<DescribeCapacityProvidersRequest, DescribeCapacityProvidersResponse> {
  return {
    name: 'DescribeCapacityProviders',
    async handle(input, context) {
      const names = namesOf(input, context);
      const known = names.filter((name) => fargateProviders.includes(name));
      const { page, nextToken } = cutPage(known, input, (name) => name);
      return {
        capacityProviders: page.map((name) => describe(context, name)),
        failures: names
          .filter((name) => !fargateProviders.includes(name))
          .map((name) => ({ arn: capacityProviderArn(context, name), reason: 'MISSING' })),
        nextToken,
      };
    },
  };
}

function namesOf(input: DescribeCapacityProvidersRequest, scope: Scope): string[] {
  const given = input.capacityProviders ?? [];
  if (given.length === 0) return [...fargateProviders];
  return [...new Set(given.map((ref) => ecsResource(scope, ref)?.replace(/^capacity-provider\//, '') ?? ref))];
}

function describe(scope: Scope, name: string): CapacityProvider {
  return {
    capacityProviderArn: capacityProviderArn(scope, name),
    name,
    status: 'ACTIVE',
    type: name as NonNullable<CapacityProvider['type']>,
    tags: [],
  };
}
