/** Route tables and which subnets have them. Their routes: ec2-routes.ts. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { derivedId, isMain } from '#domain/network.ts';
import type { RouteAssociation, RouteTableRecord } from '#domain/network.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { WriteTx } from '#store/types.ts';
import { dependencyViolation, ec2Fault, notFound, routeTableOf, subnetOf, vpcOf } from './ec2-faults.ts';
import type { IntentDeps } from './types.ts';

export type RouteTableWish = { vpcId: string; token: string | undefined; tags: Tag[] };

/** A call that is made again with its token gets the table of before: its id follows from the token. */
export async function createRouteTable(deps: IntentDeps, scope: Scope, wish: RouteTableWish): Promise<RouteTableRecord> {
  return await deps.store.write(async (tx) => {
    await vpcOf(tx, scope, wish.vpcId);
    const id = wish.token === undefined ? `rtb-${hexId(deps.random, 17)}` : derivedId('rtb', `${wish.vpcId}/${wish.token}`);
    const key = { ...scope, id };
    const before = await tx.routeTables.get(key);
    if (before !== undefined) return before;
    const tables = (await tx.routeTables.list(scope)).filter((table) => table.vpcId === wish.vpcId);
    if (tables.length >= limits.routeTablesPerVpc) {
      throw ec2Fault('RouteTableLimitExceeded', `The maximum number of route tables has been reached: ${limits.routeTablesPerVpc} in a VPC.`, 'LimitExceeded'); // prettier-ignore
    }
    return await tx.routeTables.put({ key, vpcId: wish.vpcId, routes: [], associations: [], tags: wish.tags }, 0);
  });
}

/** Throws DependencyViolation for the main table, and for one that subnets have. */
export async function deleteRouteTable(deps: IntentDeps, scope: Scope, id: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const table = await routeTableOf(tx, scope, id);
    const first = table.associations[0];
    if (first !== undefined) {
      const why = isMain(table) ? `it is the main table of ${table.vpcId}` : `the subnet ${first.subnetId} has it`;
      throw dependencyViolation('routeTable', id, why);
    }
    await tx.routeTables.delete(table.key);
  });
}

/** Throws Resource.AlreadyAssociated when the subnet has another table. Associated with this one already: the same answer again. */
export async function associateRouteTable(deps: IntentDeps, scope: Scope, id: string, subnetId: string): Promise<string> {
  return await deps.store.write(async (tx) => {
    const table = await routeTableOf(tx, scope, id);
    const subnet = await subnetOf(tx, scope, subnetId);
    if (subnet.vpcId !== table.vpcId) {
      throw ec2Fault('InvalidParameterValue', `route table ${id} and subnet ${subnetId} belong to different networks`);
    }
    const same = table.associations.find((association) => association.subnetId === subnetId);
    if (same !== undefined) return same.id;
    const tables = await tx.routeTables.list(scope);
    if (tables.some((other) => other.associations.some((association) => association.subnetId === subnetId))) {
      throw ec2Fault('Resource.AlreadyAssociated', `the specified association for route table ${id} conflicts with an existing association`, 'Conflict'); // prettier-ignore
    }
    const made = { id: newAssociation(deps), subnetId };
    await tx.routeTables.put({ ...table, associations: [...table.associations, made] }, table.revision);
    return made.id;
  });
}

/** Throws InvalidAssociationID.NotFound; InvalidParameterValue for that of the main table, which can only be replaced. */
export async function disassociateRouteTable(deps: IntentDeps, scope: Scope, associationId: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const { table, association } = await associationOf(tx, scope, associationId);
    if (association.subnetId === null) {
      throw ec2Fault('InvalidParameterValue', `cannot disassociate the main route table association ${associationId}`);
    }
    await withoutAssociation(tx, table, associationId);
  });
}

/** Gives a subnet, or the VPC as a whole, another table; the association gets a new id. */
export async function replaceAssociation(
  deps: IntentDeps,
  scope: Scope,
  associationId: string,
  tableId: string,
): Promise<RouteAssociation> {
  return await deps.store.write(async (tx) => {
    const { table, association } = await associationOf(tx, scope, associationId);
    const next = await routeTableOf(tx, scope, tableId);
    if (next.vpcId !== table.vpcId) {
      throw ec2Fault('InvalidParameterValue', `route table ${tableId} and route table association ${associationId} belong to different networks`); // prettier-ignore
    }
    await withoutAssociation(tx, table, associationId);
    const target = await routeTableOf(tx, scope, tableId);
    const made = { ...association, id: newAssociation(deps) };
    await tx.routeTables.put({ ...target, associations: [...target.associations, made] }, target.revision);
    return made;
  });
}

const newAssociation = (deps: IntentDeps) => `rtbassoc-${hexId(deps.random, 17)}`;

async function associationOf(tx: WriteTx, scope: Scope, id: string): Promise<{ table: RouteTableRecord; association: RouteAssociation }> {
  for (const table of await tx.routeTables.list(scope)) {
    const association = table.associations.find((one) => one.id === id);
    if (association !== undefined) return { table, association };
  }
  throw notFound('InvalidAssociationID.NotFound', 'association ID', id);
}

async function withoutAssociation(tx: WriteTx, table: RouteTableRecord, id: string): Promise<void> {
  await tx.routeTables.put({ ...table, associations: table.associations.filter((one) => one.id !== id) }, table.revision);
}
