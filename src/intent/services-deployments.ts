/** Wishes about deployments that are under way: to stop one, and to go on from where it waits. */
import { Fault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';
import { ended } from '#domain/service.ts';
import type { ServiceDeploymentRecord, ServiceKey } from '#domain/service.ts';
import type { ReadTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

export type DeploymentKey = ServiceKey & { id: string };

/**
 * Throws ServiceDeploymentNotFound; Conflict when it has ended, or is to be aborted or rolled back already. Asking twice for the same changes
 * nothing; a rollback, also one that nobody asked for, may be aborted.
 */
export async function stopServiceDeployment(
  deps: IntentDeps,
  key: DeploymentKey,
  type: 'ROLLBACK' | 'ABORT',
): Promise<ServiceDeploymentRecord> {
  const at = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const record = await existing(tx, key);
    const { desired, observed } = record;
    if (ended(observed.status)) throw new Fault('Conflict', `The service deployment can't be stopped: it is ${observed.status}.`);
    if (desired.stop?.type === type) return record;
    if (type === 'ROLLBACK' && (desired.stop !== null || observed.rollback !== null)) {
      throw new Fault('Conflict', 'The service deployment is being stopped already.');
    }
    return await tx.serviceDeployments.setDesired(key, { ...desired, stop: { type, at } }, record.revision);
  });
}

/** Throws ServiceDeploymentNotFound, and InvalidParameter when the deployment doesn't wait at that hook. */
export async function continueServiceDeployment(
  deps: IntentDeps,
  key: DeploymentKey,
  wish: { hookId: string; action: 'CONTINUE' | 'ROLLBACK' },
): Promise<ServiceDeploymentRecord> {
  const at = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const record = await existing(tx, key);
    const { desired, observed } = record;
    const place = Object.entries(observed.hooks).find(
      ([name, hook]) => name.startsWith(`${wish.hookId}@`) && hook.status === 'AWAITING_ACTION',
    )?.[0];
    if (place === undefined || ended(observed.status)) {
      throw new Fault(
        'InvalidParameter',
        `The service deployment does not wait for an action at the lifecycle hook '${clip(wish.hookId)}'.`,
      );
    }
    const continued = { ...desired.continued, [place]: { action: wish.action, at } };
    return await tx.serviceDeployments.setDesired(key, { ...desired, continued }, record.revision);
  });
}

async function existing(tx: ReadTx, key: DeploymentKey): Promise<ServiceDeploymentRecord> {
  const record = await tx.serviceDeployments.get(key);
  if (record === undefined) throw new Fault('ServiceDeploymentNotFound', 'Service deployment not found.');
  return record;
}
