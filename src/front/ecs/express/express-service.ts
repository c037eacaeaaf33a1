/** Finding the Express gateway service that a call names by its ARN. */
import { Fault } from '#base/fault.ts';
import { ecsResource } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';
import type { ServiceKey, ServiceRecord } from '#domain/service.ts';
import type { ReadTx } from '#store/types.ts';
import { expressFrontOf } from './express-front.ts';
import { refuse } from './express-input.ts';

export function expressKey({ account, region }: Scope, arn: string | undefined): ServiceKey {
  const match = /^service\/([^/]+)\/([^/]+)$/.exec(ecsResource({ account, region }, arn ?? '') ?? '');
  if (match?.[1] === undefined || match[2] === undefined)
    throw refuse(`serviceArn must be the ARN of a service; it is '${(arn ?? '').slice(0, 200)}'.`);
  return { account, region, cluster: match[1], name: match[2] };
}

/** Throws ResourceNotFound when there is none, InvalidParameter when it isn't an Express service. */
export async function expressService(tx: ReadTx, key: ServiceKey): Promise<ServiceRecord> {
  const service = await tx.services.get(key);
  if (service === undefined) throw new Fault('ResourceNotFound', 'The specified Express Gateway service was not found.');
  expressFrontOf(service);
  return service;
}
