/** For tests: a service's rows as CreateService and UpdateService leave them, and what became of them. */
import assert from 'node:assert/strict';
import { targetGroupArn } from '#domain/load-balancer.ts';
import { containerSpec, taskSpec } from '#domain/samples.ts';
import { newServiceDeploymentObserved, newServiceObserved } from '#domain/service.ts';
import type {
  DeploymentConfig,
  ServiceDeploymentRecord,
  ServiceDesired,
  ServiceKey,
  ServiceLoadBalancer,
  ServiceRecord,
} from '#domain/service.ts';
import type { ContainerSpec, TaskSpec } from '#domain/task-spec.ts';
import type { TaskRecord } from '#domain/task.ts';
import { defaultHealthCheck } from '#domain/target-health-check.ts';
import { deploymentConfig } from '#plan/service/world.ts';
import type { Store, WriteTx } from '#store/types.ts';

export const scope = { account: '123456789012', region: 'us-east-1' };
export const serviceKey = (name: string): ServiceKey => ({ ...scope, cluster: 'default', name });

/** Without any waiting of its own. */
const config = deploymentConfig({ canary: { percent: 5, bakeMs: 0 }, linear: { stepPercent: 10, stepBakeMs: 0 } });

export type Change = {
  count?: number;
  container?: Partial<ContainerSpec>;
  size?: Pick<TaskSpec, 'cpuMillis' | 'memoryBytes'>;
  deployment?: Partial<DeploymentConfig>;
  loadBalancers?: ServiceLoadBalancer[];
};

/** Makes the service, or brings it a new revision by a new deployment; `n` numbers both. */
export async function deploy(store: Store, now: number, name: string, n: number, change: Change = {}): Promise<void> {
  const key = serviceKey(name);
  const [revisionId, deploymentId] = [String(n).padStart(19, '0'), `d${n}`.padEnd(21, '_')];
  const deployment = { ...config, ...change.deployment };
  await store.write(async (tx) => {
    await insertRevision(tx, key, revisionId, now, change);
    const present = await tx.services.get(key);
    const count = change.count ?? present?.desired.desiredCount ?? 1;
    const desired = {
      ...desiredOf(now, count, deployment),
      ...present?.desired,
      desiredCount: count,
      deploymentId,
      revisionId,
      deployment,
    };
    if (present === undefined) await tx.services.insert(key, desired, newServiceObserved());
    else await tx.services.setDesired(key, desired, present.revision);
    const source = present?.observed.targetRevisionId ?? null;
    const sourceRevisionIds = source === null ? [] : [source];
    await tx.serviceDeployments.insert(
      { ...key, id: deploymentId },
      {
        createdAt: now,
        targetRevisionId: revisionId,
        sourceRevisionIds,
        config: deployment,
        stop: null,
        continued: {},
        requestedCount: count,
      },
      newServiceDeploymentObserved(now),
    );
  });
}

async function insertRevision(tx: WriteTx, key: ServiceKey, id: string, now: number, change: Change): Promise<void> {
  const subnets = (await tx.subnets.list(scope)).slice(0, 2);
  const log = { driver: 'awslogs' as const, region: 'us-east-1', group: 'g', stream: 'p/web/', createGroup: false };
  const container = containerSpec({ name: 'web', log, ...change.container });
  await tx.serviceRevisions.insert(
    { ...key, id },
    {
      createdAt: now,
      family: 'web',
      taskRevision: Number(id),
      template: taskSpec({ containers: [container], ...change.size }),
      network: {
        vpcId: subnets[0]?.vpcId ?? '',
        subnetIds: subnets.map((subnet) => subnet.key.id),
        securityGroupIds: [],
        publicIp: false,
      },
      launchType: 'FARGATE',
      strategy: [],
      platformVersion: '1.4.0',
      loadBalancers: change.loadBalancers ?? [],
      taskTags: [{ key: 'team', value: 'blue' }],
      enableExec: false,
      injectEndpoint: true,
      taskFront: { cpu: '256' },
      front: {},
    },
    { imageDigests: {}, targetGroupArns: null },
  );
}

function desiredOf(now: number, desiredCount: number, deployment: DeploymentConfig): ServiceDesired {
  return {
    status: 'ACTIVE',
    createdAt: now,
    createdBy: 'arn:aws:iam::123456789012:root',
    deletedAt: null,
    desiredCount,
    deploymentId: null,
    revisionId: null,
    scheduling: 'REPLICA',
    controller: 'ECS',
    deployment,
    healthGraceMs: 0,
    zoneRebalancing: false,
    propagateTags: 'NONE',
    managedTags: false,
    enableExec: false,
    tags: [],
    primaryTaskSetId: null,
    front: {},
  };
}

export async function changeService(store: Store, name: string, change: Partial<ServiceDesired>): Promise<void> {
  await store.write(async (tx) => {
    const service = await tx.services.get(serviceKey(name));
    assert.ok(service !== undefined);
    await tx.services.setDesired(service.key, { ...service.desired, ...change }, service.revision);
  });
}

export async function readService(store: Store, name: string): Promise<ServiceRecord> {
  const service = await store.read((tx) => tx.services.get(serviceKey(name)));
  assert.ok(service !== undefined);
  return service;
}

export async function readDeployment(store: Store, name: string, n: number): Promise<ServiceDeploymentRecord> {
  const deployment = await store.read((tx) => tx.serviceDeployments.get({ ...serviceKey(name), id: `d${n}`.padEnd(21, '_') }));
  assert.ok(deployment !== undefined);
  return deployment;
}

/** Oldest first. */
export async function messages(store: Store, name: string): Promise<string[]> {
  return (await store.read((tx) => tx.serviceEvents.list(serviceKey(name)))).map((event) => event.message);
}

/** Those that are not STOPPED. */
export async function liveTasks(store: Store, name: string): Promise<TaskRecord[]> {
  return await store.read((tx) => tx.tasks.list({ group: `service:${name}`, live: true }));
}

/** A target group of HTTP targets. */
export async function insertGroup(store: Store, attributes: Record<string, string>): Promise<{ id: string; arn: string }> {
  const id = 'a'.repeat(16);
  const group = await store.write((tx) =>
    tx.targetGroups.insert(
      { ...scope, name: 'g' },
      {
        id,
        protocol: 'HTTP',
        protocolVersion: 'HTTP1',
        port: 80,
        vpcId: 'vpc-1',
        targetType: 'ip',
        ipAddressType: 'ipv4',
        healthCheck: defaultHealthCheck({ protocol: 'HTTP', protocolVersion: 'HTTP1', targetType: 'ip' }, 'HTTP'),
        attributes,
        tags: [],
        createdAt: 1,
      },
      {},
    ),
  );
  return { id, arn: targetGroupArn(group) };
}
