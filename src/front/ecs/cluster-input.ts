/** Parts of a cluster as callers write them. */
import type { ClusterServiceConnectDefaultsRequest, ClusterSetting } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';

export function settingsOf(settings: ClusterSetting[] | undefined): { name: string; value: string }[] {
  return (settings ?? []).map(({ name, value }) => ({ name: name ?? '', value: value ?? '' }));
}

/**
 * Kept as it is; the namespace itself is made once Cloud Map is served. An empty namespace takes the default away (API reference,
 * ClusterServiceConnectDefaultsRequest).
 */
export function serviceConnectDefaultsOf(request: ClusterServiceConnectDefaultsRequest | undefined): Record<string, unknown> | null {
  if (request === undefined || request.namespace === '') return null;
  if (request.namespace === undefined) throw new Fault('InvalidParameter', 'serviceConnectDefaults.namespace should not be null.');
  return { namespace: request.namespace };
}
