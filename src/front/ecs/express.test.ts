/** Express gateway services through a real gateway and the SDK's client: what one call makes, keeps, changes and removes. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  CreateExpressGatewayServiceCommand,
  DeleteExpressGatewayServiceCommand,
  DescribeExpressGatewayServiceCommand,
  DescribeServiceRevisionsCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  ListTaskDefinitionsCommand,
  UpdateExpressGatewayServiceCommand,
  UpdateServiceCommand,
  type CreateExpressGatewayServiceCommandInput,
} from '@aws-sdk/client-ecs';
import { removeManaged } from '../../control/services/managed.ts';
import { account, region, startTestPlatform, type TestPlatform } from './test-platform.ts';

const role = `arn:aws:iam::${account}:role/infrastructure`;
const scope = { account, region };
let platform: TestPlatform;

before(async () => {
  platform = await startTestPlatform();
});
after(() => platform.close());

const create = (name: string, change: Partial<CreateExpressGatewayServiceCommandInput> = {}) =>
  platform.ecs.send(
    new CreateExpressGatewayServiceCommand({
      serviceName: name,
      infrastructureRoleArn: role,
      primaryContainer: { image: 'nginx:1', containerPort: 8080, environment: [{ name: 'A', value: '1' }] },
      ...change,
    }),
  );

/** Everything that such a call may touch. */
const everything = () =>
  platform.store.read(async (tx) =>
    JSON.stringify([
      await tx.services.list({}),
      await tx.serviceRevisions.list({}),
      await tx.serviceDeployments.list({}),
      await tx.taskDefinitions.list({}),
      await tx.loadBalancers.list({}),
      await tx.listeners.list({}),
      await tx.listenerRules.list({}),
      await tx.targetGroups.list({}),
      await tx.certificates.list({}),
    ]),
  );

describe('an Express gateway service', () => {
  it('is made with its definition, load balancer, certificate, target groups and rules', async () => {
    const { service } = await create('web', { scalingTarget: { minTaskCount: 2 }, tags: [{ key: 'team', value: 'a' }] });
    assert.equal(service?.serviceArn, `arn:aws:ecs:${region}:${account}:service/default/web`);
    assert.equal(service?.status?.statusCode, 'ACTIVE');
    const [configuration, ...others] = service?.activeConfigurations ?? [];
    assert.equal(others.length, 0);
    assert.deepEqual(configuration?.ingressPaths, [{ accessType: 'PUBLIC', endpoint: `https://web.ecs.${region}.berth.internal` }]);
    assert.equal(configuration?.healthCheckPath, '/ping');
    assert.deepEqual(configuration?.scalingTarget, {
      minTaskCount: 2,
      maxTaskCount: 20,
      autoScalingMetric: 'AVERAGE_CPU',
      autoScalingTargetValue: 60,
    });
    const { taskDefinition } = await platform.ecs.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: configuration?.taskDefinitionArn }),
    );
    assert.deepEqual(
      taskDefinition?.containerDefinitions?.map(({ name, image, portMappings }) => [name, image, portMappings?.[0]?.containerPort]),
      [['Main', 'nginx:1', 8080]],
    );
    const described = await platform.ecs.send(new DescribeServicesCommand({ services: ['web'], include: ['TAGS'] }));
    const plain = described.services?.[0];
    assert.equal(plain?.resourceManagementType, 'ECS');
    assert.equal(plain?.desiredCount, 2);
    assert.equal(plain?.deploymentConfiguration?.strategy, 'CANARY');
    assert.equal(plain?.loadBalancers?.[0]?.containerPort, 8080);
    const rows = await platform.store.read(async (tx) => ({
      balancers: await tx.loadBalancers.list(scope),
      listeners: await tx.listeners.list(scope),
      rules: await tx.listenerRules.list(scope),
      groups: await tx.targetGroups.list(scope),
      certificates: await tx.certificates.list(scope),
    }));
    assert.equal(rows.balancers.length, 1);
    assert.deepEqual(rows.listeners.map((one) => `${one.desired.protocol}:${one.desired.port}`).toSorted(), ['HTTP:80', 'HTTPS:443']);
    assert.equal(rows.groups.length, 2);
    assert.deepEqual(rows.certificates[0]?.desired.names, [`*.ecs.${region}.berth.internal`]);
    const { serviceRevisions } = await platform.ecs.send(
      new DescribeServiceRevisionsCommand({ serviceRevisionArns: [configuration?.serviceRevisionArn ?? ''] }),
    );
    const [path] = serviceRevisions?.[0]?.ecsManagedResources?.ingressPaths ?? [];
    assert.equal(path?.endpoint, `https://web.ecs.${region}.berth.internal`);
    assert.deepEqual([path?.loadBalancer?.status, path?.certificate?.status], ['PROVISIONING', 'PROVISIONING']);
    assert.equal(path?.targetGroups?.length, 2);
    for (const rule of rows.rules) {
      assert.deepEqual(rule.desired.conditions, [{ field: 'host-header', values: [`web.ecs.${region}.berth.internal`, 'web.localhost'] }]);
    }
  });

  it('shares the load balancer with the next, under a name of its own', async () => {
    await create('api', { tags: [{ key: 'berth:exec', value: 'on' }] });
    const rows = await platform.store.read(async (tx) => [
      await tx.loadBalancers.list(scope),
      await tx.listenerRules.list(scope),
      await tx.targetGroups.list(scope),
    ]);
    assert.deepEqual(
      rows.map((list) => list.length),
      [1, 4, 4],
    );
  });

  it('lets people into its tasks where its tag says so, and only there', async () => {
    const { services = [] } = await platform.ecs.send(new DescribeServicesCommand({ services: ['web', 'api'] }));
    assert.deepEqual(
      services.map((service) => [service.serviceName, service.enableExecuteCommand]),
      [
        ['web', false],
        ['api', true],
      ],
    );
  });

  it('is updated: what is left out stays, a new container makes a deployment, plain UpdateService keeps what it is', async () => {
    const arn = `arn:aws:ecs:${region}:${account}:service/default/web`;
    const scaled = await platform.ecs.send(
      new UpdateExpressGatewayServiceCommand({ serviceArn: arn, scalingTarget: { minTaskCount: 3, maxTaskCount: 4 } }),
    );
    const before = scaled.service?.targetConfiguration;
    assert.equal(before?.scalingTarget?.minTaskCount, 3);
    const updated = await platform.ecs.send(
      new UpdateExpressGatewayServiceCommand({
        serviceArn: arn,
        primaryContainer: { image: 'nginx:2', containerPort: 9090 },
        healthCheckPath: '/well',
      }),
    );
    const now = updated.service?.targetConfiguration;
    assert.notEqual(now?.serviceRevisionArn, before?.serviceRevisionArn);
    assert.equal(now?.primaryContainer?.image, 'nginx:2');
    assert.equal(now?.scalingTarget?.maxTaskCount, 4);
    await platform.ecs.send(new UpdateServiceCommand({ service: 'web', desiredCount: 4 }));
    const { service } = await platform.ecs.send(new DescribeExpressGatewayServiceCommand({ serviceArn: arn, include: ['TAGS'] }));
    assert.equal(service?.activeConfigurations?.[0]?.healthCheckPath, '/well');
    assert.deepEqual(service?.tags, [{ key: 'team', value: 'a' }]);
    const plain = await platform.ecs.send(new DescribeServicesCommand({ services: ['web'] }));
    assert.equal(plain.services?.[0]?.desiredCount, 4);
    assert.equal(plain.services?.[0]?.loadBalancers?.[0]?.containerPort, 9090);
    const groups = await platform.store.read((tx) => tx.targetGroups.list(scope));
    assert.equal(groups.filter((group) => group.desired.healthCheck.path === '/well').length, 2);
  });

  it('goes with all that was made for it; the load balancer with the last one', async () => {
    const arn = (name: string) => `arn:aws:ecs:${region}:${account}:service/default/${name}`;
    const counts = () =>
      platform.store.read(async (tx) => [
        (await tx.loadBalancers.list(scope)).length,
        (await tx.listenerRules.list(scope)).length,
        (await tx.targetGroups.list(scope)).length,
        (await tx.certificates.list(scope)).length,
      ]);
    for (const [name, left] of [
      ['api', [1, 2, 2, 1]],
      ['web', [0, 0, 0, 0]],
    ] as const) {
      const deleted = await platform.ecs.send(new DeleteExpressGatewayServiceCommand({ serviceArn: arn(name) }));
      assert.equal(deleted.service?.status?.statusCode, 'DRAINING');
      const key = { ...scope, cluster: 'default', name };
      await platform.store.write(async (tx) => {
        const service = await tx.services.get(key);
        assert.ok(service?.desired.managed !== undefined);
        await removeManaged(tx, key, service.desired.managed);
      });
      assert.deepEqual(await counts(), left);
    }
  });
});

describe('what is wrong with an Express gateway service', () => {
  const cases: [string, Partial<CreateExpressGatewayServiceCommandInput>, RegExp][] = [
    ['no image', { primaryContainer: { image: '' } }, /image can not be blank/],
    ['neither container nor definition', { primaryContainer: undefined }, /either primaryContainer or taskDefinitionArn/],
    ['both of them', { taskDefinitionArn: 'web:1' }, /can't specify primaryContainer together/],
    ['a definition without Main', { primaryContainer: undefined, taskDefinitionArn: 'web:1' }, /container named Main/],
    ['a path that is none', { healthCheckPath: 'ping' }, /must begin with '\/'/],
    ['counts the wrong way round', { scalingTarget: { minTaskCount: 5, maxTaskCount: 2 } }, /can't be above/],
    ['a size that Fargate lacks', { cpu: '257' }, /cpu/i],
    ['a subnet that is not there', { networkConfiguration: { subnets: ['subnet-0123456789abcdef0'] } }, /subnet/i],
    ['a strategy that is none', { tags: [{ key: 'berth:deployment', value: 'FAST' }] }, /ROLLING or CANARY/],
  ];
  for (const [title, change, text] of cases) {
    it(`${title}: an error, and nothing is made`, async () => {
      const before = await everything();
      await assert.rejects(create('bad', change), (error: Error) => text.test(error.message));
      assert.equal(await everything(), before);
    });
  }

  it('a name that is taken: an error, and not even a task definition is left', async () => {
    await create('taken');
    const definitions = await platform.ecs.send(new ListTaskDefinitionsCommand({}));
    const before = await everything();
    await assert.rejects(create('taken'), /idempotent/);
    assert.equal(await everything(), before);
    const after = await platform.ecs.send(new ListTaskDefinitionsCommand({}));
    assert.deepEqual(after.taskDefinitionArns, definitions.taskDefinitionArns);
  });
});
