/** Wishes about API destinations (webhooks) and the connections that say who calls them. */
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { ApiDestinationRecord, ConnectionRecord } from '#domain/event.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { connectionOf, destinationOf, eventsFault, eventsInvalid, eventsLimit } from './events-faults.ts';
import type { IntentDeps } from './types.ts';

export type ConnectionWish = Pick<ConnectionRecord, 'description' | 'kind' | 'shown'> & {
  /** Sealed for the connection of this id. */
  secret: (id: string) => string;
};

export async function createConnection(
  deps: IntentDeps,
  { account, region }: Scope,
  name: string,
  wish: ConnectionWish,
): Promise<ConnectionRecord> {
  const now = deps.clock.now();
  const id = uuid(deps.random);
  const key = { account, region, name };
  return await deps.store.write(async (tx) => {
    if ((await tx.eventConnections.get(key)) !== undefined) {
      throw eventsFault('ResourceAlreadyExistsException', `Connection ${clip(name)} already exists.`, 'AlreadyExists');
    }
    if ((await tx.eventConnections.list({ account, region })).length >= limits.eventConnectionsPerRegion) throw eventsLimit();
    return await tx.eventConnections.put({ key, ...wish, id, secret: wish.secret(id), createdAt: now, updatedAt: now }, 0);
  });
}

/** `wishOf`: from what is there, so that what the call leaves out stays. */
export async function updateConnection(
  deps: IntentDeps,
  scope: Scope,
  name: string,
  wishOf: (known: ConnectionRecord) => Pick<ConnectionRecord, 'description' | 'kind' | 'shown' | 'secret'>,
): Promise<ConnectionRecord> {
  const updatedAt = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const known = await connectionOf(tx, scope, name);
    return await tx.eventConnections.put({ ...known, ...wishOf(known), updatedAt }, known.revision);
  });
}

export async function deleteConnection(deps: IntentDeps, scope: Scope, name: string): Promise<ConnectionRecord> {
  const { account, region } = scope;
  return await deps.store.write(async (tx) => {
    const known = await connectionOf(tx, scope, name);
    const user = (await tx.eventDestinations.list({ account, region })).find(({ connection }) => connection === name);
    if (user !== undefined) throw eventsInvalid(`Connection ${clip(name)} is used by the API destination ${user.key.name}.`);
    await tx.eventConnections.delete(known.key);
    return known;
  });
}

export type DestinationWish = Pick<ApiDestinationRecord, 'description' | 'connection' | 'endpoint' | 'method' | 'rate'>;

export async function createDestination(
  deps: IntentDeps,
  { account, region }: Scope,
  name: string,
  wish: DestinationWish,
): Promise<ApiDestinationRecord> {
  const now = deps.clock.now();
  const key = { account, region, name };
  const id = uuid(deps.random);
  return await deps.store.write(async (tx) => {
    await connectionOf(tx, key, wish.connection);
    if ((await tx.eventDestinations.get(key)) !== undefined) {
      throw eventsFault('ResourceAlreadyExistsException', `An api-destination '${clip(name)}' already exists.`, 'AlreadyExists');
    }
    if ((await tx.eventDestinations.list({ account, region })).length >= limits.eventConnectionsPerRegion) throw eventsLimit();
    return await tx.eventDestinations.put({ key, ...wish, id, createdAt: now, updatedAt: now }, 0);
  });
}

export async function updateDestination(
  deps: IntentDeps,
  scope: Scope,
  name: string,
  wish: Partial<DestinationWish>,
): Promise<ApiDestinationRecord> {
  const updatedAt = deps.clock.now();
  return await deps.store.write(async (tx) => {
    const known = await destinationOf(tx, scope, name);
    if (wish.connection !== undefined) await connectionOf(tx, scope, wish.connection);
    return await tx.eventDestinations.put({ ...known, ...wish, updatedAt }, known.revision);
  });
}

export async function deleteDestination(deps: IntentDeps, scope: Scope, name: string): Promise<void> {
  await deps.store.write(async (tx) => {
    await tx.eventDestinations.delete((await destinationOf(tx, scope, name)).key);
  });
}
