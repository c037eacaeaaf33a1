/** Internet gateways, each attached to at most one VPC. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { InternetGatewayRecord } from '#domain/network.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import { ec2Fault, internetGatewayOf, vpcOf } from './ec2-faults.ts';
import type { IntentDeps } from './types.ts';

export async function createInternetGateway(deps: IntentDeps, scope: Scope, tags: Tag[]): Promise<InternetGatewayRecord> {
  return await deps.store.write(async (tx) => {
    if ((await tx.internetGateways.list(scope)).length >= limits.internetGatewaysPerRegion) {
      throw ec2Fault('InternetGatewayLimitExceeded', `The maximum number of internet gateways has been reached: ${limits.internetGatewaysPerRegion} in a region.`, 'LimitExceeded'); // prettier-ignore
    }
    return await tx.internetGateways.put({ key: { ...scope, id: `igw-${hexId(deps.random, 17)}` }, vpcId: null, tags }, 0);
  });
}

/** Throws Resource.AlreadyAssociated when it is attached, InvalidParameterValue when the VPC has another one. */
export async function attachInternetGateway(deps: IntentDeps, scope: Scope, id: string, vpcId: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const gateway = await internetGatewayOf(tx, scope, id);
    await vpcOf(tx, scope, vpcId);
    if (gateway.vpcId !== null) {
      throw ec2Fault('Resource.AlreadyAssociated', `resource ${id} is already attached to network ${gateway.vpcId}`, 'Conflict');
    }
    if ((await tx.internetGateways.list(scope)).some((other) => other.vpcId === vpcId)) {
      throw ec2Fault('InvalidParameterValue', `Network ${vpcId} already has an internet gateway attached`);
    }
    await tx.internetGateways.put({ ...gateway, vpcId }, gateway.revision);
  });
}

/** Its routes stay, as black holes. Throws Gateway.NotAttached. */
export async function detachInternetGateway(deps: IntentDeps, scope: Scope, id: string, vpcId: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const gateway = await internetGatewayOf(tx, scope, id);
    await vpcOf(tx, scope, vpcId);
    if (gateway.vpcId !== vpcId) throw ec2Fault('Gateway.NotAttached', `resource ${id} is not attached to network ${vpcId}`, 'Conflict');
    await tx.internetGateways.put({ ...gateway, vpcId: null }, gateway.revision);
  });
}

/** Throws DependencyViolation while it is attached. */
export async function deleteInternetGateway(deps: IntentDeps, scope: Scope, id: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const gateway = await internetGatewayOf(tx, scope, id);
    if (gateway.vpcId !== null) {
      const text = `The internetGateway '${id}' has dependencies and cannot be deleted: it is attached to ${gateway.vpcId}.`;
      throw ec2Fault('DependencyViolation', text, 'Conflict');
    }
    await tx.internetGateways.delete(gateway.key);
  });
}
