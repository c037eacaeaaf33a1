/** What was made for an Express gateway service goes when its last task is gone; the load balancer that it shared, with the last service behind it. */
import type { ManagedResources, ServiceKey } from '#domain/service.ts';
import type { WriteTx } from '#store/types.ts';

export async function removeManaged(tx: WriteTx, key: ServiceKey, managed: ManagedResources): Promise<void> {
  const scope = { account: key.account, region: key.region };
  const inside = { ...scope, loadBalancer: managed.loadBalancer };
  for (const rule of managed.rules) await tx.listenerRules.delete({ ...inside, ...rule });
  for (const name of managed.targetGroups) await tx.targetGroups.delete({ ...scope, name });
  if ((await tx.listenerRules.list(inside)).length > 0) return;
  for (const listener of await tx.listeners.list(inside)) await tx.listeners.delete(listener.key);
  await tx.loadBalancers.delete({ ...scope, name: managed.loadBalancer });
  await tx.certificates.delete({ ...scope, id: managed.certificate });
}
