import type { UpdateExpressGatewayServiceRequest, UpdateExpressGatewayServiceResponse, UpdateServiceRequest } from '@aws-sdk/client-ecs';
import { serviceArn } from '#domain/arn.ts';
import { targetGroupArn } from '#domain/load-balancer.ts';
import type { ServiceKey, ServiceRecord } from '#domain/service.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { modifyTargetGroup, updateService, within, type IntentDeps } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import { configurationOf, expressStatus } from './express/describe-express.ts';
import { expressDefinition } from './express/express-definition.ts';
import { expressFrontOf } from './express/express-front.ts';
import type { ExpressFront } from './express/express-front.ts';
import { assertExpress, scalingOf } from './express/express-input.ts';
import { countWithin, frontOfUpdate, nextDefinition, withExpress } from './express/express-plan.ts';
import { expressKey, expressService } from './express/express-service.ts';
import type { RevisionFront } from './service/revision-wish.ts';
import { planUpdate } from './service/service-members.ts';
import { effectiveRevisionId } from './service/effective.ts';
import { assertPassDefinition, assertPassRoles } from './pass-role.ts';

/** What is left out stays as it was. A new container, size or network starts a deployment. */
export function updateExpressGatewayServiceOperation(
  deps: IntentDeps,
): Handler<UpdateExpressGatewayServiceRequest, UpdateExpressGatewayServiceResponse> {
  return {
    name: 'UpdateExpressGatewayService',
    async handle(input, context) {
      assertExpress(input);
      await assertPassRoles(context, input);
      await assertPassDefinition(deps, context, input.taskDefinitionArn);
      const key = expressKey(context, input.serviceArn);
      const service = await update(deps, context, key, input);
      return { service: await deps.store.read((tx) => describeUpdated(tx, service)) };
    },
  };
}

async function update(
  deps: IntentDeps,
  context: CallContext,
  key: ServiceKey,
  input: UpdateExpressGatewayServiceRequest,
): Promise<ServiceRecord> {
  return await deps.store.write(async (tx) => {
    const parts = within(deps, tx);
    const present = await expressService(tx, key);
    const before = expressFrontOf(present);
    scalingOf(input.scalingTarget, before.scaling);
    const front = frontOfUpdate(input, before);
    if (front.healthCheckPath !== before.healthCheckPath) await changeHealthPath(parts, tx, present, front);
    const request = await requestOf(parts, context, present, input, front);
    const { cluster, name } = key;
    return await updateService(parts, context, {
      cluster,
      name,
      plan: async (of, record, service) => withExpress(await planUpdate(of, context, record, service, request), front),
    });
  });
}

async function requestOf(
  parts: IntentDeps,
  context: CallContext,
  service: ServiceRecord,
  input: UpdateExpressGatewayServiceRequest,
  front: ExpressFront,
): Promise<UpdateServiceRequest> {
  const { cluster, name } = service.key;
  const request: UpdateServiceRequest = { cluster, service: name, desiredCount: countWithin(service, front) };
  const next = nextDefinition(input, expressFrontOf(service));
  if (next !== undefined) {
    const definition = await expressDefinition(parts, context, { cluster, name, registeredBy: context.principal.arn }, next);
    request.taskDefinition = definition.arn;
    const balancers = await currentBalancers(parts, service);
    if (balancers.some((one) => one.containerPort !== definition.port)) {
      request.loadBalancers = balancers.map((one) => ({ ...one, containerPort: definition.port }));
    }
  }
  const network = input.networkConfiguration;
  if (network !== undefined) {
    const awsvpcConfiguration = {
      subnets: network.subnets ?? [],
      securityGroups: network.securityGroups ?? [],
      assignPublicIp: 'ENABLED' as const,
    };
    request.networkConfiguration = { awsvpcConfiguration };
  }
  return request;
}

async function currentBalancers(
  parts: IntentDeps,
  service: ServiceRecord,
): Promise<NonNullable<RevisionFront['members']['loadBalancers']>> {
  const id = effectiveRevisionId(service);
  const revision = id === null ? undefined : await parts.store.read((tx) => tx.serviceRevisions.get({ ...service.key, id }));
  return (revision?.desired.front as RevisionFront | undefined)?.members.loadBalancers ?? [];
}

async function changeHealthPath(parts: IntentDeps, tx: ReadTx, service: ServiceRecord, front: ExpressFront): Promise<void> {
  const { account, region } = service.key;
  for (const name of service.desired.managed?.targetGroups ?? []) {
    const group = await tx.targetGroups.get({ account, region, name });
    if (group !== undefined) await modifyTargetGroup(parts, { account, region }, targetGroupArn(group), { path: front.healthCheckPath });
  }
}

async function describeUpdated(tx: ReadTx, service: ServiceRecord): Promise<UpdateExpressGatewayServiceResponse['service']> {
  const { key, desired } = service;
  const id = effectiveRevisionId(service);
  const revision = id === null ? undefined : await tx.serviceRevisions.get({ ...key, id });
  return {
    serviceArn: serviceArn(key, key.cluster, key.name),
    cluster: key.cluster,
    serviceName: key.name,
    status: expressStatus(service),
    ...(revision === undefined ? {} : { targetConfiguration: await configurationOf(tx, service, revision, expressFrontOf(service)) }),
    createdAt: new Date(desired.createdAt),
    updatedAt: new Date(revision?.desired.createdAt ?? desired.createdAt),
  };
}
