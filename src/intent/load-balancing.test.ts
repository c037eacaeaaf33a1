/** Load balancing's wishes in any order: what they leave fits together, and a wish that was refused left nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { virtualClock } from '#base/clock.ts';
import { isFault } from '#base/fault.ts';
import { seededRandom } from '#base/random.ts';
import { formatIp, parseCidr } from '#domain/cidr.ts';
import { listenerArn, loadBalancerArn, ruleArn, targetGroupArn, type ListenerAction } from '#domain/load-balancer.ts';
import { createSqliteStore } from '#store/index.ts';
import type { Store } from '#store/types.ts';
import {
  createListener,
  createLoadBalancer,
  createRule,
  createTargetGroup,
  deleteListener,
  deleteLoadBalancer,
  deleteRule,
  deleteTargetGroup,
  deregisterTargets,
  ensureRegion,
  modifyListener,
  modifyRule,
  registerTargets,
  setRulePriorities,
} from './index.ts';

const scope = { account: '123456789012', region: 'us-east-1' };

async function startRegion() {
  const store = await createSqliteStore({ path: ':memory:' });
  const clock = virtualClock();
  const deps = { store, clock, random: seededRandom(7) };
  const info = { hostname: 'h', arch: 'amd64', cpuMillis: 1, memoryBytes: 1, reserveBytes: 0, isolation: [], strictCapacity: false, occupiedCidrs: [], cidrSeed: 0 } as const; // prettier-ignore
  const usage = { freeMemoryBytes: 1, freeDiskBytes: 1, loadPercent: 0, tasks: 0, sandboxes: [] };
  await store.write((tx) =>
    tx.hosts.put({ key: { hostId: 'h' }, info: { ...info, isolation: [], occupiedCidrs: [] }, usage, status: 'CONNECTED', seenAt: 0 }, 0),
  );
  await ensureRegion(deps, scope);
  const subnets = await store.read((tx) => tx.subnets.list(scope));
  return { store, clock, deps, subnets, vpcId: subnets[0]?.vpcId ?? '' };
}
type Region = Awaited<ReturnType<typeof startRegion>>;

const everything = (store: Store) =>
  store.read(async (tx) => ({
    balancers: await tx.loadBalancers.list({}),
    listeners: await tx.listeners.list({}),
    rules: await tx.listenerRules.list({}),
    groups: await tx.targetGroups.list({}),
    targets: await tx.targets.list({}),
  }));
type All = Awaited<ReturnType<typeof everything>>;

/** Numbers choose among what there is, so that most wishes mean something. */
type Wish = { kind: number; a: number; b: number; c: number };
const pick = <T>(items: readonly T[], n: number): T | undefined => items[n % Math.max(1, items.length)];

async function wishFor({ deps, subnets, vpcId }: Region, all: All, { kind, a, b, c }: Wish): Promise<unknown> {
  const lb = pick(all.balancers, a);
  const listener = pick(all.listeners, a);
  const rule = pick(all.rules, a);
  const group = pick(all.groups, b);
  const lbArn = lb === undefined ? 'x' : loadBalancerArn(lb);
  const onListener = listener === undefined ? 'x' : listenerArn(listener);
  const ruleOwner = all.listeners.find((one) => one.key.id === rule?.key.listener);
  const onRule = rule === undefined || ruleOwner === undefined ? 'x' : ruleArn(ruleOwner, rule.key.id);
  const groupArn = group === undefined ? 'x' : targetGroupArn(group);
  const forward: ListenerAction[] = [{ type: 'forward', order: null, groups: [{ arn: groupArn, weight: c }], stickiness: null }];
  const conditions = [{ field: 'path-pattern' as const, values: [`/${c}`] }];
  const targets = [{ id: formatIp(parseCidr(subnets[0]?.cidr ?? '').base + 10 + c), port: 80 }];
  switch (kind) {
    case 0:
      return await createLoadBalancer(deps, scope, { name: `lb${a % 3}`, type: b % 4 === 0 ? 'network' : 'application', scheme: 'internal', ipAddressType: 'ipv4', subnetIds: subnets.map((s) => s.key.id), securityGroupIds: [], tags: [] }); // prettier-ignore
    case 1:
      return await createTargetGroup(deps, scope, { name: `g${a % 4}`, protocol: b % 4 === 0 ? 'TCP' : 'HTTP', protocolVersion: null, port: 80, vpcId, targetType: 'ip', healthCheck: {}, tags: [] }); // prettier-ignore
    case 2:
      return await createListener(deps, scope, lbArn, { protocol: lb?.desired.type === 'network' ? 'TCP' : 'HTTP', port: 80 + (c % 3), defaultActions: forward, tags: [] }); // prettier-ignore
    case 3:
      return await createRule(deps, scope, onListener, { priority: 1 + (c % 4), conditions, actions: forward, tags: [] });
    case 4:
      return await modifyListener(deps, scope, onListener, { port: 80 + (c % 3), defaultActions: c % 2 === 0 ? forward : undefined });
    case 5:
      return await modifyRule(deps, scope, onRule, { actions: forward });
    case 6:
      return await setRulePriorities(deps, scope, [{ arn: onRule, priority: 1 + (c % 4) }]);
    case 7:
      return await registerTargets(deps, scope, groupArn, targets);
    case 8:
      return await deregisterTargets(deps, scope, groupArn, targets);
    case 9:
      return await deleteTargetGroup(deps, scope, groupArn);
    case 10:
      return await deleteRule(deps, scope, onRule);
    case 11:
      return await deleteListener(deps, scope, onListener);
    default:
      return await deleteLoadBalancer(deps, scope, lbArn);
  }
}

function assertFits(all: All): void {
  const groupArns = all.groups.map((group) => targetGroupArn(group));
  const owner = new Map<string, string>();
  const forwardsOf = (actions: ListenerAction[]) =>
    actions.flatMap((action) => (action.type === 'forward' ? action.groups.map((one) => one.arn) : []));
  const note = (balancer: string, actions: ListenerAction[]): void => {
    for (const arn of forwardsOf(actions)) {
      assert.ok(groupArns.includes(arn), `${arn} is forwarded to and is not there`);
      assert.equal(owner.get(arn) ?? balancer, balancer, `${arn} serves two load balancers`);
      owner.set(arn, balancer);
    }
  };
  for (const listener of all.listeners) {
    const lb = all.balancers.find((one) => one.key.name === listener.key.loadBalancer);
    assert.equal(lb?.desired.id, listener.desired.loadBalancerId);
    note(listener.key.loadBalancer, listener.desired.defaultActions);
  }
  for (const rule of all.rules) {
    assert.ok(all.listeners.some((one) => one.key.id === rule.key.listener && one.key.loadBalancer === rule.key.loadBalancer));
    note(rule.key.loadBalancer, rule.desired.actions);
  }
  const ports = all.listeners.map((one) => `${one.key.loadBalancer}:${one.desired.port}`);
  assert.equal(new Set(ports).size, ports.length, 'two listeners on one port');
  const priorities = all.rules.map((one) => `${one.key.listener}:${one.desired.priority}`);
  assert.equal(new Set(priorities).size, priorities.length, 'two rules of one priority');
  for (const target of all.targets) assert.ok(all.groups.some((group) => group.desired.id === target.key.group));
}

describe('load balancing', () => {
  it('whatever is wished in whatever order', async () => {
    const wish = fc.record({
      kind: fc.oneof({ weight: 1, arbitrary: fc.nat(12) }, { weight: 2, arbitrary: fc.constantFrom(2, 2, 3, 4, 5, 6) }),
      a: fc.nat(9),
      b: fc.nat(9),
      c: fc.nat(9),
    });
    const seen = { kept: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(wish, { minLength: 20, maxLength: 60 }), async (wishes) => {
        const region = await startRegion();
        try {
          // Something to begin with: two load balancers, two groups, a listener and two rules.
          for (const [kind, a, b, c] of [
            [0, 1, 1, 0],
            [0, 2, 1, 0],
            [1, 1, 1, 0],
            [1, 2, 1, 0],
            [2, 0, 0, 0],
            [3, 0, 0, 0],
            [3, 0, 0, 1],
          ] as const) {
            await wishFor(region, await everything(region.store), { kind, a, b, c });
          }
          for (const one of wishes) {
            const before = await everything(region.store);
            try {
              await wishFor(region, before, one);
              seen.kept++;
            } catch (error) {
              assert.ok(isFault(error) && typeof error.details['errorName'] === 'string', String(error));
              assert.deepEqual(await everything(region.store), before, `${JSON.stringify(one)} was refused and changed something`);
              seen.refused++;
            }
            assertFits(await everything(region.store));
            await region.clock.advance(1);
          }
        } finally {
          await region.store.close();
        }
      }),
      { numRuns: 40 },
    );
    assert.ok(seen.kept > 100 && seen.refused > 100, JSON.stringify(seen));
  });

  it('a thousand rounds of registering and deregistering lose nothing', async () => {
    const region = await startRegion();
    const { deps, store, subnets, vpcId } = region;
    const group = await createTargetGroup(deps, scope, { name: 'g', protocol: 'HTTP', protocolVersion: null, port: 80, vpcId, targetType: 'ip', healthCheck: {}, tags: [] }); // prettier-ignore
    const arn = targetGroupArn(group);
    const base = parseCidr(subnets[0]?.cidr ?? '').base;
    const target = (n: number) => ({ id: formatIp(base + 10 + (n % 50)) });
    for (let n = 0; n < 1000; n++) {
      await registerTargets(deps, scope, arn, [target(n), target(n + 1)]);
      await deregisterTargets(deps, scope, arn, [target(n)]);
      await region.clock.advance(1);
    }
    const rows = await store.read((tx) => tx.targets.list(scope));
    assert.equal(rows.length, 50);
    assert.deepEqual(rows.filter((row) => row.desired.deregisteredAt === null).map((row) => row.key.target), [target(1000).id]); // prettier-ignore
    await store.close();
  });

  it('a service’s target may be deregistered by a caller, and stays the task’s', async () => {
    const { deps, store, subnets, vpcId, clock } = await startRegion();
    const group = await createTargetGroup(deps, scope, { name: 'g', protocol: 'HTTP', protocolVersion: null, port: 80, vpcId, targetType: 'ip', healthCheck: {}, tags: [] }); // prettier-ignore
    const target = { id: formatIp(parseCidr(subnets[0]?.cidr ?? '').base + 10) };
    const key = { ...scope, group: group.desired.id, target: target.id, port: 80 };
    const observed = { state: 'healthy', reason: null, description: null, since: 1, drained: false } as const;
    await store.write((tx) => tx.targets.insert(key, { registeredAt: 0, deregisteredAt: null, zone: null, taskId: 't' }, observed));
    await clock.advance(5);
    await deregisterTargets(deps, scope, targetGroupArn(group), [target]);
    const drained = await store.read((tx) => tx.targets.get(key));
    assert.deepEqual(drained?.desired, { registeredAt: 0, deregisteredAt: clock.now(), zone: null, taskId: 't' });
    assert.deepEqual(drained?.observed, observed, 'what was seen is not for a wish to say');
    await clock.advance(5);
    await registerTargets(deps, scope, targetGroupArn(group), [target]);
    assert.deepEqual((await store.read((tx) => tx.targets.get(key)))?.desired, { registeredAt: clock.now(), deregisteredAt: null, zone: null, taskId: 't' }); // prettier-ignore
    await store.close();
  });
});
