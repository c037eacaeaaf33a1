/** Routes of a table. Internet gateways are the only way out that a VPC of berth has. */
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import type { Route, RouteTableRecord } from '#domain/network.ts';
import { canonicalCidr } from '#domain/rule-traffic.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx } from '#store/types.ts';
import { ec2Fault, notFound, routeTableOf, vpcOf } from './ec2-faults.ts';
import { isInside } from './ec2-ranges.ts';
import type { IntentDeps } from './types.ts';

export type RouteWish = { tableId: string; destination: string; gatewayId: string };

/** Throws RouteAlreadyExists; the same route again is no error, as in AWS. */
export async function createRoute(deps: IntentDeps, scope: Scope, wish: RouteWish): Promise<void> {
  await change(deps, scope, wish, async (tx, table, destination) => {
    const same = table.routes.find((route) => route.destination === destination);
    if (same?.gatewayId === wish.gatewayId) return table.routes;
    if (same !== undefined) throw ec2Fault('RouteAlreadyExists', `The route identified by ${destination} already exists.`, 'AlreadyExists');
    if (table.routes.length >= limits.routesPerTable) {
      throw ec2Fault(
        'RouteLimitExceeded',
        `The maximum number of routes has been reached: ${limits.routesPerTable} in a table.`,
        'LimitExceeded',
      );
    }
    await assertGateway(tx, scope, table, wish.gatewayId);
    return [...table.routes, { destination, gatewayId: wish.gatewayId }];
  });
}

/** Throws InvalidRoute.NotFound. */
export async function replaceRoute(deps: IntentDeps, scope: Scope, wish: RouteWish): Promise<void> {
  await change(deps, scope, wish, async (tx, table, destination) => {
    assertRoute(table, destination);
    await assertGateway(tx, scope, table, wish.gatewayId);
    return table.routes.map((route) => (route.destination === destination ? { destination, gatewayId: wish.gatewayId } : route));
  });
}

export async function deleteRoute(deps: IntentDeps, scope: Scope, wish: Omit<RouteWish, 'gatewayId'>): Promise<void> {
  await change(deps, scope, wish, async (_tx, table, destination) => {
    assertRoute(table, destination);
    return table.routes.filter((route) => route.destination !== destination);
  });
}

type Change = (tx: ReadTx, table: RouteTableRecord, destination: string) => Promise<Route[]>;

async function change(deps: IntentDeps, scope: Scope, wish: Omit<RouteWish, 'gatewayId'>, fn: Change): Promise<void> {
  const destination = canonicalCidr(wish.destination);
  await deps.store.write(async (tx) => {
    const table = await routeTableOf(tx, scope, wish.tableId);
    const vpc = await vpcOf(tx, scope, table.vpcId);
    if (isInside(destination, vpc)) {
      throw ec2Fault('InvalidParameterValue', `The destination ${destination} lies inside of ${vpc.cidr}, which has the local route in route table ${wish.tableId}: that can't be added, replaced or removed.`); // prettier-ignore
    }
    const routes = await fn(tx, table, destination);
    await tx.routeTables.put({ ...table, routes }, table.revision);
  });
}

function assertRoute(table: RouteTableRecord, destination: string): void {
  if (table.routes.some((route) => route.destination === destination)) return;
  const text = `no route with destination-cidr-block ${destination} in route table ${table.key.id}`;
  throw ec2Fault('InvalidRoute.NotFound', text, 'ResourceNotFound');
}

async function assertGateway(tx: ReadTx, scope: Scope, table: RouteTableRecord, id: string): Promise<void> {
  const gateway = await tx.internetGateways.get({ ...scope, id });
  if (gateway === undefined) throw notFound('InvalidGatewayID.NotFound', 'gateway ID', clip(id));
  if (gateway.vpcId !== table.vpcId) {
    throw ec2Fault('InvalidParameterValue', `route table ${table.key.id} and network gateway ${id} belong to different networks`);
  }
}
