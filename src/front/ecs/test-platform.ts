/** For tests: the ECS API over a store in memory, behind a real gateway, with an SDK client, and rows that hosts and loops would write. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ECSClient, RegisterTaskDefinitionCommand, type RegisterTaskDefinitionCommandInput, type Service } from '@aws-sdk/client-ecs';
import { realClock } from '#base/clock.ts';
import { hexId } from '#base/ids.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { listenerArn, targetGroupArn } from '#domain/load-balancer.ts';
import type { HostRecord } from '#domain/records.ts';
import { deploymentName, serviceGroup } from '#domain/service.ts';
import type { ServiceDeploymentObserved, ServiceKey, ServiceObserved } from '#domain/service.ts';
import { newTaskObserved } from '#domain/task.ts';
import type { TaskObserved, TaskRecord } from '#domain/task.ts';
import { defaultHealthCheck } from '#domain/target-health-check.ts';
import { authorizeRoot, createGateway, openKeys } from '#gateway/index.ts';
import { ensureRegion } from '#intent/index.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import { createEcsApi } from './index.ts';

const GIB = 1024 ** 3;
export const region = 'us-west-2';
export const account = '123456789012';

/** `resource`: all that follows the account. */
export const arn = (resource: string) => `arn:aws:ecs:${region}:${account}:${resource}`;
/** The key of a service of the cluster `default`. */
export const serviceKey = (name: string): ServiceKey => ({ account, region, cluster: 'default', name });
/** The ids of a service's revisions, by the deployments in its description, and of the deployment under way. */
export const revisionOf = (service: Service, index = 0) => service.deployments?.[index]?.id?.replace('ecs-svc/', '') ?? '';
export const deploymentOf = (service: Service) => service.currentServiceDeployment?.split('/').at(-1) ?? '';

/** For `assert.rejects`: an error of that name, whose message is the text or matches it. */
export const refused = (name: string, text?: string | RegExp) => (error: unknown) => {
  assert.ok(error instanceof Error);
  assert.equal(error.name, name, error.message);
  if (typeof text === 'string') assert.equal(error.message, text);
  else if (text !== undefined) assert.match(error.message, text);
  return true;
};

export const web: RegisterTaskDefinitionCommandInput = {
  family: 'web',
  requiresCompatibilities: ['FARGATE'],
  networkMode: 'awsvpc',
  cpu: '256',
  executionRoleArn: 'arn:aws:iam::123456789012:role/execution',
  memory: '512',
  containerDefinitions: [
    {
      name: 'web',
      image: 'nginx:1',
      portMappings: [{ containerPort: 80 }],
      logConfiguration: {
        logDriver: 'awslogs',
        options: { 'awslogs-group': '/web', 'awslogs-stream-prefix': 'p', 'awslogs-region': region },
      },
    },
  ],
  tags: [{ key: 'team', value: 'a' }],
};

export type TestPlatform = {
  ecs: ECSClient;
  store: Store;
  subnets: string[];
  vpcId: string;
  close(): Promise<void>;
};

/** `web:1` is registered; the cluster `default` and the account's VPC are there. */
export async function startTestPlatform(): Promise<TestPlatform> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-services-'));
  const deps = { clock: realClock(), random: realRandom(), log: silentLog };
  const keys = openKeys(deps, { path: join(folder, 'keys.json'), account });
  const store = await createSqliteStore({ path: ':memory:' });
  await store.write((tx) => tx.hosts.put(host, 0));
  const intent = { ...deps, store };
  const gateway = createGateway({
    ...deps,
    apis: [createEcsApi(intent)],
    keys,
    authorize: authorizeRoot,
    beforeCall: (context) => ensureRegion(intent, context),
    version: 'test',
  });
  const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  const ecs = new ECSClient({ endpoint: `http://127.0.0.1:${port}`, region, maxAttempts: 1, credentials: keys.root });
  const close = async () => {
    ecs.destroy();
    await gateway.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ecs.send(new RegisterTaskDefinitionCommand(web));
  } catch (error) {
    await close();
    throw error;
  }
  const found = await store.read((tx) => tx.subnets.list({ account, region }));
  return {
    ecs,
    store,
    subnets: found.map((subnet) => subnet.key.id),
    vpcId: found[0]?.vpcId ?? '',
    close,
  };
}

export const host: Omit<HostRecord, 'revision'> = {
  key: { hostId: 'host-1' },
  status: 'CONNECTED',
  seenAt: 0,
  usage: { freeMemoryBytes: 20 * GIB, freeDiskBytes: GIB, loadPercent: 0, tasks: 0, sandboxes: [] },
  info: {
    hostname: 'one',
    arch: 'amd64',
    cpuMillis: 2000,
    memoryBytes: 24 * GIB,
    reserveBytes: GIB,
    isolation: [{ kind: 'container', works: true, reason: '', accelerator: null, auto: true }],
    strictCapacity: false,
    occupiedCidrs: [],
    cidrSeed: 3,
  },
};

/** As the loop makes a task of a service's revision; returns it as its host would report it. */
export async function addServiceTask(
  { store, subnets, vpcId }: TestPlatform,
  key: ServiceKey,
  revisionId: string,
  observed: Partial<TaskObserved> = { status: 'RUNNING' },
  taskSetId: string | null = null,
): Promise<TaskRecord> {
  return await store.write(async (tx) => {
    const revision = await tx.serviceRevisions.get({ ...key, id: revisionId });
    if (revision === undefined) throw new Error(`no revision ${revisionId}`);
    const { desired } = revision;
    const { name, ...inCluster } = key;
    return await tx.tasks.insert(
      { ...inCluster, id: hexId(realRandom()) },
      {
        status: 'RUNNING',
        createdAt: 1,
        stop: null,
        spec: desired.template,
        network: { vpcId, subnetId: subnets[0] ?? '', securityGroupIds: [], publicIp: false },
        family: desired.family,
        revision: desired.taskRevision,
        group: serviceGroup(name),
        startedBy: deploymentName(revisionId),
        tags: desired.taskTags,
        launchType: 'FARGATE',
        capacityProvider: null,
        platformVersion: desired.platformVersion,
        enableExec: desired.enableExec,
        front: desired.taskFront,
        service: { name, revisionId, taskSetId },
        protectedUntil: null,
        injectEndpoint: true,
      },
      { ...newTaskObserved(desired.template), ...observed },
    );
  });
}

export async function observeTask(store: Store, id: string, observed: Partial<TaskObserved>): Promise<void> {
  await store.write(async (tx) => {
    const task = await tx.tasks.byId(id);
    if (task !== undefined) await tx.tasks.setObserved(task.key, { ...task.observed, ...observed }, task.revision);
  });
}

/** What the loop of services would write. */
export async function observeService(store: Store, key: ServiceKey, observed: Partial<ServiceObserved>): Promise<void> {
  await store.write(async (tx) => {
    const service = await tx.services.get(key);
    if (service !== undefined) await tx.services.setObserved(key, { ...service.observed, ...observed }, service.revision);
  });
}

export async function observeDeployment(
  store: Store,
  key: ServiceKey & { id: string },
  observed: Partial<ServiceDeploymentObserved>,
): Promise<void> {
  await store.write(async (tx) => {
    const record = await tx.serviceDeployments.get(key);
    if (record !== undefined) await tx.serviceDeployments.setObserved(key, { ...record.observed, ...observed }, record.revision);
  });
}

/** Target groups, and a listener that forwards to those that are `listened`. */
export async function addTargetGroups(
  { store, vpcId }: TestPlatform,
  groups: readonly { name: string; targetType?: 'ip' | 'instance'; listened?: boolean }[],
): Promise<{ arns: Record<string, string>; listener: string }> {
  return await store.write(async (tx) => {
    const scope = { account, region };
    const arns: Record<string, string> = {};
    for (const { name, targetType = 'ip' } of groups) {
      const group = await tx.targetGroups.insert(
        { ...scope, name },
        {
          id: hexId(realRandom(), 16),
          protocol: 'HTTP',
          protocolVersion: 'HTTP1',
          port: 80,
          vpcId,
          targetType,
          ipAddressType: 'ipv4',
          healthCheck: defaultHealthCheck({ protocol: 'HTTP', protocolVersion: 'HTTP1', targetType }, 'HTTP'),
          attributes: {},
          tags: [],
          createdAt: 1,
        },
        {},
      );
      arns[name] = targetGroupArn(group);
    }
    const listened = groups.filter((group) => group.listened !== false).map((group) => ({ arn: arns[group.name] ?? '', weight: 1 }));
    const listener = await tx.listeners.insert(
      { ...scope, loadBalancer: 'lb', id: hexId(realRandom(), 16) },
      {
        defaultRuleId: hexId(realRandom(), 16),
        loadBalancerType: 'application',
        loadBalancerId: hexId(realRandom(), 16),
        port: 80,
        protocol: 'HTTP',
        sslPolicy: null,
        certificateArns: [],
        alpnPolicy: null,
        defaultActions: [{ type: 'forward', order: null, groups: listened, stickiness: null }],
        attributes: {},
        tags: [],
        createdAt: 1,
        modifiedAt: 1,
      },
      { shift: null },
    );
    return { arns, listener: listenerArn(listener) };
  });
}
