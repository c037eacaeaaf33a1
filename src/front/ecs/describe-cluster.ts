/** A cluster's record -> the API's Cluster. */
import type { Cluster, ClusterField, KeyValuePair } from '@aws-sdk/client-ecs';
import { clusterArn } from '#domain/arn.ts';
import type { ClusterRecord } from '#domain/records.ts';
import type { TaskStatus } from '#domain/task.ts';
import { serviceStatus } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';

const running: TaskStatus[] = ['RUNNING'];
const pending: TaskStatus[] = ['PROVISIONING', 'PENDING', 'ACTIVATING'];
export const allFields: ClusterField[] = ['ATTACHMENTS', 'CONFIGURATIONS', 'SETTINGS', 'STATISTICS', 'TAGS'];

/** `include` as DescribeClusters has it: what isn't asked for is an empty list. */
export async function describeCluster(tx: ReadTx, cluster: ClusterRecord, include: readonly string[]): Promise<Cluster> {
  const { account, region, name } = cluster.key;
  const count = (status: TaskStatus[]) => tx.tasks.count({ account, region, cluster: name, status });
  const [runningCount, pendingCount] = [await count(running), await count(pending)];
  const services = await tx.services.list({ account, region, cluster: name });
  const active = services.filter((service) => serviceStatus(service) === 'ACTIVE').length;
  const draining = services.filter((service) => serviceStatus(service) === 'DRAINING').length;
  const has = (field: ClusterField) => include.includes(field);
  return {
    clusterArn: clusterArn(cluster.key, name),
    clusterName: name,
    status: cluster.status,
    registeredContainerInstancesCount: 0,
    runningTasksCount: runningCount,
    pendingTasksCount: pendingCount,
    activeServicesCount: active,
    statistics: has('STATISTICS') ? statistics({ runningCount, pendingCount, active, draining }) : [],
    tags: has('TAGS') ? cluster.tags : [],
    settings: has('SETTINGS') ? (cluster.settings as Cluster['settings']) : [],
    capacityProviders: cluster.capacityProviders,
    defaultCapacityProviderStrategy: cluster.defaultStrategy,
    ...(has('ATTACHMENTS') ? { attachments: [] } : {}),
    ...(has('CONFIGURATIONS') && cluster.configuration !== null ? { configuration: cluster.configuration } : {}),
    ...(cluster.serviceConnectDefaults === null ? {} : { serviceConnectDefaults: cluster.serviceConnectDefaults }),
  };
}

function statistics(counts: { runningCount: number; pendingCount: number; active: number; draining: number }): KeyValuePair[] {
  const values: [string, number][] = [
    ['runningEC2TasksCount', 0],
    ['runningFargateTasksCount', counts.runningCount],
    ['pendingEC2TasksCount', 0],
    ['pendingFargateTasksCount', counts.pendingCount],
    ['runningExternalTasksCount', 0],
    ['pendingExternalTasksCount', 0],
    ['activeEC2ServiceCount', 0],
    ['activeFargateServiceCount', counts.active],
    ['drainingEC2ServiceCount', 0],
    ['drainingFargateServiceCount', counts.draining],
    ['activeExternalServiceCount', 0],
    ['drainingExternalServiceCount', 0],
  ];
  return values.map(([name, value]) => ({ name, value: String(value) }));
}
