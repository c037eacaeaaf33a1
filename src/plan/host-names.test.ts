import { it } from 'node:test';
import assert from 'node:assert/strict';
import type { ListenerRecord, LoadBalancerRecord, RuleRecord } from '#domain/load-balancer.ts';
import { planHostNames } from './host-names.ts';

const scope = { account: '123456789012', region: 'us-east-1' };

function loadBalancer(name: string, ip: string | null): LoadBalancerRecord {
  return {
    key: { ...scope, name },
    revision: 1,
    desired: {
      id: '0123456789abcdef',
      type: 'application',
      scheme: 'internet-facing',
      ipAddressType: 'ipv4',
      vpcId: 'vpc-1',
      subnetIds: [],
      securityGroupIds: [],
      attributes: {},
      tags: [],
      createdAt: 1,
    },
    observed: { ip, subnetId: 'subnet-1', state: 'active', reason: null },
  };
}

function listener(loadBalancer: string, port: number, protocol: 'HTTP' | 'HTTPS' | 'TCP'): ListenerRecord {
  return {
    key: { ...scope, loadBalancer, id: `${port}` },
    revision: 1,
    desired: {
      defaultRuleId: 'd',
      loadBalancerType: 'application',
      loadBalancerId: '0123456789abcdef',
      port,
      protocol,
      sslPolicy: null,
      certificateArns: [],
      alpnPolicy: null,
      defaultActions: [],
      attributes: {},
      tags: [],
      createdAt: 1,
      modifiedAt: 1,
    },
    observed: { shift: null },
  };
}

function hostRule(loadBalancer: string, values: string[]): RuleRecord {
  const conditions = [{ field: 'host-header' as const, values }];
  const desired = { priority: 1, conditions, actions: [], tags: [], createdAt: 1, modifiedAt: 1 };
  return { key: { ...scope, loadBalancer, listener: '80', id: values.join() }, revision: 1, desired, observed: { shift: null } };
}

it('names lead to load balancers that have an address', () => {
  const planned = planHostNames({
    loadBalancers: [loadBalancer('Web', '10.0.0.9'), loadBalancer('later', null), loadBalancer('tcp', '10.0.0.10')],
    listeners: [listener('Web', 443, 'HTTPS'), listener('Web', 8080, 'HTTP'), listener('later', 80, 'HTTP'), listener('tcp', 80, 'TCP')],
    rules: [hostRule('Web', ['Shop.localhost', 'shop.ecs.us-east-1.berth.internal', '*.example.org', 'example.org'])],
  });
  assert.deepEqual(planned.aliases, [
    { name: 'shop', ip: '10.0.0.9', port: 8080, tls: false },
    { name: 'web', ip: '10.0.0.9', port: 8080, tls: false },
  ]);
  assert.deepEqual(planned.names, {
    'web-0123456789abcdef.us-east-1.elb.berth.internal': ['10.0.0.9'],
    'shop.ecs.us-east-1.berth.internal': ['10.0.0.9'],
    'tcp-0123456789abcdef.us-east-1.elb.berth.internal': ['10.0.0.10'],
  });
});

it('a name that two ask for belongs to the first load balancer, and to its port 80', () => {
  const { aliases } = planHostNames({
    loadBalancers: [loadBalancer('b', '10.0.0.2'), loadBalancer('a', '10.0.0.1')],
    listeners: [listener('a', 443, 'HTTPS'), listener('b', 81, 'HTTP'), listener('b', 80, 'HTTP')],
    rules: [hostRule('b', ['shop.localhost']), hostRule('a', ['shop.localhost'])],
  });
  assert.deepEqual(aliases, [
    { name: 'a', ip: '10.0.0.1', port: 443, tls: true },
    { name: 'b', ip: '10.0.0.2', port: 80, tls: false },
    { name: 'shop', ip: '10.0.0.1', port: 443, tls: true },
  ]);
});
