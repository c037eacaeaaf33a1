/** An Express gateway service's rows -> the API's own shape. */
import type {
  ECSExpressGatewayService,
  ExpressGatewayServiceConfiguration,
  ExpressGatewayServiceStatus,
  TaskDefinition,
} from '@aws-sdk/client-ecs';
import { serviceArn, serviceDeploymentArn, serviceRevisionArn } from '#domain/arn.ts';
import type { ServiceRecord, ServiceRevisionRecord } from '#domain/service.ts';
import { serviceStatus } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import { revisionsPresent } from '../service/counts.ts';
import { effectiveRevisionId } from '../service/effective.ts';
import { frontOf } from '../service/shown-members.ts';
import { expressFrontOf } from './express-front.ts';
import type { ExpressFront } from './express-front.ts';

/** The configurations are of the revisions that have tasks, and of the one that the service is brought to. `include`: TAGS. */
export async function describeExpress(tx: ReadTx, service: ServiceRecord, include: readonly string[]): Promise<ECSExpressGatewayService> {
  const { key, desired } = service;
  const front = expressFrontOf(service);
  const target = effectiveRevisionId(service);
  const present = revisionsPresent(await tx.tasks.serviceCounts(key));
  const configurations: ExpressGatewayServiceConfiguration[] = [];
  let updatedAt = desired.createdAt;
  for (const id of new Set([...(target === null ? [] : [target]), ...present])) {
    const revision = await tx.serviceRevisions.get({ ...key, id });
    if (revision === undefined) continue;
    updatedAt = Math.max(updatedAt, revision.desired.createdAt);
    configurations.push(await configurationOf(tx, service, revision, front));
  }
  return {
    cluster: key.cluster,
    serviceName: key.name,
    serviceArn: serviceArn(key, key.cluster, key.name),
    infrastructureRoleArn: front.infrastructureRoleArn,
    status: expressStatus(service),
    ...(desired.deploymentId === null ? {} : { currentDeployment: serviceDeploymentArn(key, key.cluster, key.name, desired.deploymentId) }),
    activeConfigurations: configurations,
    createdAt: new Date(desired.createdAt),
    updatedAt: new Date(updatedAt),
    ...(include.includes('TAGS') ? { tags: desired.tags } : {}),
  };
}

export function expressStatus(service: ServiceRecord): ExpressGatewayServiceStatus {
  return { statusCode: serviceStatus(service) };
}

export async function configurationOf(
  tx: ReadTx,
  service: ServiceRecord,
  revision: ServiceRevisionRecord,
  front: ExpressFront,
): Promise<ExpressGatewayServiceConfiguration> {
  const { key } = service;
  const { account, region, cluster, name } = key;
  const { family, taskRevision, network } = revision.desired;
  const record = await tx.taskDefinitions.get({ account, region, family, taskRevision });
  const definition = (record?.definition ?? {}) as TaskDefinition;
  return {
    serviceRevisionArn: serviceRevisionArn(key, cluster, name, revision.key.id),
    taskDefinitionArn: frontOf(revision).taskDefinition,
    executionRoleArn: definition.executionRoleArn,
    taskRoleArn: definition.taskRoleArn,
    cpu: definition.cpu,
    memory: definition.memory,
    networkConfiguration: { subnets: network.subnetIds, securityGroups: network.securityGroupIds },
    healthCheckPath: front.healthCheckPath,
    ...(front.container === null ? {} : { primaryContainer: front.container }),
    scalingTarget: front.scaling,
    ingressPaths: [{ accessType: 'PUBLIC', endpoint: `https://${front.host}` }],
    createdAt: new Date(revision.desired.createdAt),
  };
}
