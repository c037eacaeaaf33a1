/**
 * Amazon Elastic Container Registry. Image scanning, replication, signing, creation templates and policies of the whole registry are refused by name; that a
 * repository scans on push is kept and read back. Reference: ECR API reference, version 2015-09-21.
 */
import type {
  DescribeRegistryRequest,
  DescribeRegistryResponse,
  GetAuthorizationTokenRequest,
  GetAuthorizationTokenResponse,
} from '@aws-sdk/client-ecr';
import { limits } from '#base/limits.ts';
import type { ApiSpec, Operation } from '#gateway/types.ts';
import type { EcrDeps } from './access.ts';
import { ecrErrors } from './errors.ts';
import { imageOperations } from './images.ts';
import { registryHost } from './input.ts';
import { layerOperations } from './layers.ts';
import { ecrOperation } from './operation.ts';
import { policyOperations } from './policies.ts';
import { pullThroughOperations } from './pull-through.ts';
import { repositoryOperations } from './repositories.ts';

export function createEcrApi(deps: EcrDeps): ApiSpec {
  return {
    service: 'ecr',
    protocol: 'json-1.1',
    target: 'AmazonEC2ContainerRegistry_V20150921',
    schemaPackage: '@aws-sdk/client-ecr',
    errors: ecrErrors,
    operations: [
      ...repositoryOperations(deps),
      ...imageOperations(deps),
      ...layerOperations(deps),
      ...policyOperations(deps),
      ...pullThroughOperations(deps),
      ...registryOperations(deps),
    ],
  };
}

function registryOperations(deps: EcrDeps): Operation[] {
  return [
    ecrOperation<GetAuthorizationTokenRequest & { repositoryName?: undefined }, GetAuthorizationTokenResponse>(
      deps,
      'GetAuthorizationToken',
      async (_input, context) => {
        const { principal, region } = context;
        const expiresAt = Math.min(deps.clock.now() + limits.registryTokenMs, principal.session?.expiresAt ?? Number.POSITIVE_INFINITY);
        const password = deps.identity.registryTokens.mint({ principal, region, expiresAt });
        const authorizationToken = Buffer.from(`AWS:${password}`).toString('base64');
        const proxyEndpoint = `${context.isTls === true ? 'https' : 'http'}://${registryHost(context)}`;
        return { authorizationData: [{ authorizationToken, expiresAt: new Date(expiresAt), proxyEndpoint }] };
      },
    ),
    ecrOperation<DescribeRegistryRequest & { registryId?: undefined }, DescribeRegistryResponse>(
      deps,
      'DescribeRegistry',
      async (_input, context) => ({
        registryId: context.account,
        replicationConfiguration: { rules: [] },
      }),
    ),
  ];
}

export type { EcrDeps } from './access.ts';
