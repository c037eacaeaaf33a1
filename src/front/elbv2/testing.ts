/** For tests: the API behind a real gateway and store, with a host so that the region has its network. */
import { ElasticLoadBalancingV2, type Action } from '@aws-sdk/client-elastic-load-balancing-v2';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { formatIp, parseCidr } from '#domain/cidr.ts';
import type { SubnetRecord } from '#domain/records.ts';
import { authorizeRoot, createGateway, openKeys } from '#gateway/index.ts';
import { ensureRegion, type IntentDeps } from '#intent/index.ts';
import { createSqliteStore } from '#store/index.ts';
import { createElbv2Api } from './index.ts';

export const scope = { account: '123456789012', region: 'us-east-1' };

export type Elbv2Bench = {
  elb: ElasticLoadBalancingV2;
  intent: IntentDeps;
  subnets: SubnetRecord[];
  vpcId: string;
  groupId: string;
  close(): Promise<void>;
};

export async function startElbv2(): Promise<Elbv2Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-elbv2-'));
  const deps = { clock: realClock(), random: realRandom(), log: silentLog };
  const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: scope.account });
  const store = await createSqliteStore({ path: ':memory:' });
  const intent = { store, ...deps };
  const info = {
    hostname: 'h',
    arch: 'amd64' as const,
    cpuMillis: 1000,
    memoryBytes: 1,
    reserveBytes: 0,
    isolation: [],
    strictCapacity: false,
    occupiedCidrs: [],
    cidrSeed: 0,
  };
  const usage = { freeMemoryBytes: 1, freeDiskBytes: 1, loadPercent: 0, tasks: 0, sandboxes: [] };
  await store.write((tx) => tx.hosts.put({ key: { hostId: 'h' }, info, usage, status: 'CONNECTED', seenAt: 0 }, 0));
  await ensureRegion(intent, scope);
  const gateway = createGateway({ ...deps, apis: [createElbv2Api(intent)], keys, authorize: authorizeRoot, version: 'test' });
  const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  const elb = new ElasticLoadBalancingV2({
    endpoint: `http://127.0.0.1:${port}`,
    region: scope.region,
    maxAttempts: 1,
    credentials: keys.root,
  });
  const { subnets, groups } = await store.read(async (tx) => ({
    subnets: await tx.subnets.list(scope),
    groups: await tx.securityGroups.list(scope),
  }));
  return {
    elb,
    intent,
    subnets: subnets.sort((a, b) => (a.zone < b.zone ? -1 : 1)),
    vpcId: subnets[0]?.vpcId ?? '',
    groupId: groups[0]?.key.id ?? '',
    async close() {
      elb.destroy();
      await gateway.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const named = (error: string, text?: RegExp) => (thrown: unknown) => {
  const { name: code, message } = thrown as Error;
  assert.equal(code, error, message);
  if (text !== undefined) assert.match(message, text);
  return true;
};

/** The calls that most tests make. `name`: of what is made without a name of its own. */
export function callsOf(bench: () => Elbv2Bench, name: () => string) {
  const subnetIds = () => bench().subnets.map((subnet) => subnet.key.id);
  const addressIn = (zone: number, at: number) => formatIp(parseCidr(bench().subnets[zone]?.cidr ?? '').base + at);

  async function balancer(Type: 'application' | 'network' = 'application', Name = name()) {
    const { LoadBalancers } = await bench().elb.createLoadBalancer({ Name, Type, Subnets: subnetIds() });
    const lb = LoadBalancers?.[0];
    assert.ok(lb?.LoadBalancerArn);
    return { ...lb, LoadBalancerArn: lb.LoadBalancerArn };
  }
  async function group(Protocol: 'HTTP' | 'TCP' = 'HTTP', Name = name()) {
    const { TargetGroups } = await bench().elb.createTargetGroup({ Name, Protocol, Port: 80, VpcId: bench().vpcId, TargetType: 'ip' });
    const made = TargetGroups?.[0];
    assert.ok(made?.TargetGroupArn);
    return { ...made, TargetGroupArn: made.TargetGroupArn };
  }
  const forward = (TargetGroupArn: string): Action[] => [{ Type: 'forward', TargetGroupArn }];
  async function listener(LoadBalancerArn: string, DefaultActions: Action[], Protocol: 'HTTP' | 'TCP' = 'HTTP', Port = 80) {
    const { Listeners } = await bench().elb.createListener({ LoadBalancerArn, Protocol, Port, DefaultActions });
    const made = Listeners?.[0];
    assert.ok(made?.ListenerArn);
    return { ...made, ListenerArn: made.ListenerArn };
  }
  const health = async (TargetGroupArn: string, Targets?: { Id: string; Port?: number }[]) =>
    ((await bench().elb.describeTargetHealth({ TargetGroupArn, Targets })).TargetHealthDescriptions ?? []).map((one) => ({
      ...one.Target,
      state: one.TargetHealth?.State,
      reason: one.TargetHealth?.Reason,
    }));
  return { subnetIds, addressIn, balancer, group, forward, listener, health };
}
