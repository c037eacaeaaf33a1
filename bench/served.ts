/** A service of small web servers behind a load balancer of its own, for the benchmarks of traffic. */
import { createRequire } from 'node:module';
import type { Bed } from './bed.ts';
import { createBalanced } from '../test/balanced.ts';
import type { Balanced } from '../test/balanced.ts';
import { until } from '../test/e2e/platform.ts';
import type { DeploymentConfiguration, Service } from '@aws-sdk/client-ecs';

const load = createRequire(import.meta.url);
const ecsSdk = load('@aws-sdk/client-ecs') as typeof import('@aws-sdk/client-ecs');
const WAIT_MS = 120_000;
const POLL_MS = 20;
const SERVER_PORT = 80;

export type Served = Balanced & {
  name: string;
  /** Of the tasks that serve. */
  addresses(): Promise<string[]>;
  describe(): Promise<Service>;
  /** Resolves once so many tasks are healthy targets, and there are no others. */
  scale(count: number): Promise<void>;
  /** To a new revision of the same tasks; resolves once the deployment is COMPLETED, with how long that took in ms. */
  roll(): Promise<number>;
  end(): Promise<void>;
};

/** Deregistration delay 0; `port`: of the listener, another for each service. */
export async function serve(
  bed: Bed,
  name: string,
  options: { port: number; count: number; cpu?: string; deployment?: DeploymentConfiguration },
): Promise<Served> {
  const { ElasticLoadBalancingV2Client, DescribeTargetHealthCommand, ...elbSdk } = load(
    '@aws-sdk/client-elastic-load-balancing-v2',
  ) as typeof import('@aws-sdk/client-elastic-load-balancing-v2');
  const elb = new ElasticLoadBalancingV2Client(bed.settings);
  const define = () =>
    bed.define(name, [String(SERVER_PORT)], {
      program: '/serve',
      port: SERVER_PORT,
      ...(options.cpu === undefined ? {} : { cpu: options.cpu, memory: String(2 * Number(options.cpu)) }),
    });
  const { vpcId, subnets } = bed;
  const at = await createBalanced(bed.berth, elb, { name, port: options.port, targetPort: SERVER_PORT, subnets, vpcId, delaySeconds: 0 });
  await define();
  await bed.ecs.send(
    new ecsSdk.CreateServiceCommand({
      serviceName: name,
      taskDefinition: name,
      desiredCount: 0,
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets: subnets.slice(0, 1) } },
      loadBalancers: [{ targetGroupArn: at.groupArn, containerName: 'stamp', containerPort: SERVER_PORT }],
      ...(options.deployment === undefined ? {} : { deploymentConfiguration: options.deployment }),
    }),
  );
  const describe = async (): Promise<Service> => {
    const { services } = await bed.ecs.send(new ecsSdk.DescribeServicesCommand({ services: [name] }));
    if (services?.[0] === undefined) throw new Error(`the service ${name} is gone`);
    return services[0];
  };
  const targets = async () =>
    (await elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: at.groupArn }))).TargetHealthDescriptions ?? [];
  const served: Served = {
    ...at,
    name,
    describe,
    addresses: async () => (await targets()).map((one) => one.Target?.Id ?? ''),
    async scale(desiredCount) {
      await bed.ecs.send(new ecsSdk.UpdateServiceCommand({ service: name, desiredCount }));
      await until(
        `${desiredCount} tasks of ${name}`,
        async () => {
          const all = await targets();
          if (all.length !== desiredCount || all.some((one) => one.TargetHealth?.State !== 'healthy')) return false;
          const { runningCount, pendingCount, deployments } = await describe();
          return runningCount === desiredCount && pendingCount === 0 && deployments?.[0]?.rolloutState === 'COMPLETED';
        },
        WAIT_MS,
      );
    },
    async roll() {
      await define();
      const before = performance.now();
      const { service } = await bed.ecs.send(new ecsSdk.UpdateServiceCommand({ service: name, taskDefinition: name }));
      const id = service?.deployments?.find((one) => one.status === 'PRIMARY')?.id;
      for (;;) {
        const { deployments = [] } = await describe();
        if (deployments.length === 1 && deployments[0]?.id === id && deployments[0]?.rolloutState === 'COMPLETED') break;
        if (performance.now() - before > WAIT_MS) throw new Error(`${name} is not rolled: ${JSON.stringify(deployments)}`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
      return performance.now() - before;
    },
    async end() {
      await bed.ecs.send(new ecsSdk.DeleteServiceCommand({ service: name, force: true }));
      await until('the end of the service', async () => (await describe()).status === 'INACTIVE', WAIT_MS);
      await elb.send(new elbSdk.DeleteLoadBalancerCommand({ LoadBalancerArn: at.loadBalancerArn }));
      await elb.send(new elbSdk.DeleteTargetGroupCommand({ TargetGroupArn: at.groupArn }));
      elb.destroy();
    },
  };
  await served.scale(options.count);
  return served;
}
