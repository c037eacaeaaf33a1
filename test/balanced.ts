/** A load balancer with one listener and one target group, as its API makes them; and where it is reached from this machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  CreateTargetGroupCommand,
  DescribeTargetHealthCommand,
  ModifyTargetGroupAttributesCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { CreateTargetGroupCommandInput, ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { until } from './e2e/platform.ts';
import type { Platform } from './e2e/platform.ts';

export type Balanced = { loadBalancerArn: string; groupArn: string; listenerArn: string; address: string; port: number };
export type BalancedWish = {
  name: string;
  /** Of the listener; no two load balancers of a platform have the same here, so that the address is known by it. */
  port: number;
  targetPort: number;
  subnets: string[];
  vpcId: string;
  delaySeconds: number;
  group?: Partial<CreateTargetGroupCommandInput>;
};

/** Resolves once HAProxy listens at its address. */
export async function createBalanced(platform: Platform, elb: ElasticLoadBalancingV2Client, wish: BalancedWish): Promise<Balanced> {
  const { name, port } = wish;
  // One that was deleted a moment ago may still be served.
  const before = new Set(listenAddresses(platform, port));
  const { LoadBalancers } = await elb.send(new CreateLoadBalancerCommand({ Name: name, Subnets: wish.subnets }));
  const loadBalancerArn = LoadBalancers?.[0]?.LoadBalancerArn ?? '';
  const { TargetGroups } = await elb.send(
    new CreateTargetGroupCommand({
      Name: name,
      Protocol: 'HTTP',
      Port: wish.targetPort,
      VpcId: wish.vpcId,
      TargetType: 'ip',
      HealthCheckIntervalSeconds: 5,
      HealthCheckTimeoutSeconds: 2,
      ...wish.group,
    }),
  );
  const groupArn = TargetGroups?.[0]?.TargetGroupArn ?? '';
  await setDelay(elb, groupArn, wish.delaySeconds);
  const { Listeners } = await elb.send(
    new CreateListenerCommand({
      LoadBalancerArn: loadBalancerArn,
      Protocol: 'HTTP',
      Port: port,
      DefaultActions: [{ Type: 'forward', TargetGroupArn: groupArn }],
    }),
  );
  const address = await until(`${name} listens`, async () => listenAddresses(platform, port).find((one) => !before.has(one)));
  return { loadBalancerArn, groupArn, listenerArn: Listeners?.[0]?.ListenerArn ?? '', address, port };
}

export async function setDelay(elb: ElasticLoadBalancingV2Client, groupArn: string, seconds: number): Promise<void> {
  const Attributes = [{ Key: 'deregistration_delay.timeout_seconds', Value: String(seconds) }];
  await elb.send(new ModifyTargetGroupAttributesCommand({ TargetGroupArn: groupArn, Attributes }));
}

/** `IP:PORT` of each target that is in a state. */
export async function targetsIn(elb: ElasticLoadBalancingV2Client, groupArn: string, state: string): Promise<string[]> {
  const { TargetHealthDescriptions = [] } = await elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: groupArn }));
  return TargetHealthDescriptions.filter((one) => one.TargetHealth?.State === state).map((one) => `${one.Target?.Id}:${one.Target?.Port}`);
}

/** Addresses that HAProxy serves with that port, by the configuration that it runs. */
function listenAddresses(platform: Platform, port: number): string[] {
  const text = readFileSync(join(platform.state, 'haproxy/haproxy.cfg'), 'utf8');
  return [...text.matchAll(/^# hold \d+ (\S+) (\d+)$/gm)].flatMap((match) => (Number(match[2]) === port ? [match[1] ?? ''] : []));
}
