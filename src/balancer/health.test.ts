import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newTargetObserved } from '#domain/load-balancer.ts';
import type { TargetGroupRecord, TargetRecord } from '#domain/load-balancer.ts';
import { observedTarget } from './health.ts';
import { versionsOf } from './desired-tls.ts';
import type { TargetSeen } from './types.ts';

const scope = { account: '123456789012', region: 'us-east-1' };
const group = { desired: { healthCheck: { intervalSeconds: 10, unhealthyThreshold: 3 } } } as unknown as TargetGroupRecord;
const target = (change: Partial<TargetRecord['desired']> = {}, id = '10.0.0.5', observed = newTargetObserved(1000)): TargetRecord => ({
  key: { ...scope, group: 'g', target: id, port: 80 },
  revision: 1,
  desired: { registeredAt: 1000, deregisteredAt: null, zone: null, taskId: null, ...change },
  observed,
});
const seen = (change: Partial<TargetSeen>): TargetSeen => ({
  groupId: 'g',
  ip: '10.0.0.5',
  port: 80,
  status: 'down',
  wasUp: false,
  check: '',
  code: 0,
  sessions: 0,
  ...change,
});
const told = (one: TargetRecord, what: TargetSeen | undefined, now = 2000) => {
  const { state, reason, description, drained } = observedTarget(one, group, what, now);
  return [state, reason, description, drained];
};

describe("a target's health in AWS's words", () => {
  it('before its first pass it is initial, and unhealthy once as many checks could have failed as the group says', () => {
    const initial = ['initial', 'Elb.InitialHealthChecking', 'Initial health checks in progress', false];
    assert.deepEqual(told(target(), seen({ check: 'INI' })), initial);
    assert.deepEqual(told(target(), seen({ check: 'L7STS', code: 500 })), initial);
    const later = told(target(), seen({ check: 'L7STS', code: 500 }), 21_001);
    assert.deepEqual(later, ['unhealthy', 'Target.ResponseCodeMismatch', 'Health checks failed with these codes: [500]', false]);
  });

  it('one that was up and is down says why', () => {
    const reasonOf = (check: string, code = 0) => told(target(), seen({ wasUp: true, check, code }))[1];
    assert.equal(reasonOf('L4TOUT'), 'Target.Timeout');
    assert.equal(reasonOf('L7TOUT'), 'Target.Timeout');
    assert.equal(reasonOf('L4CON'), 'Target.FailedHealthChecks');
    assert.equal(reasonOf('L7STS', 502), 'Target.ResponseCodeMismatch');
  });

  it('nobody who leads there, no address, on its way out', () => {
    assert.deepEqual(told(target(), undefined).slice(0, 2), ['unused', 'Target.NotInUse']);
    assert.deepEqual(told(target({}, 'i-0123456789abcdef0'), undefined).slice(0, 2), ['unused', 'Target.InvalidState']);
    const leaving = target({ deregisteredAt: 1500 });
    assert.deepEqual(told(leaving, seen({ status: 'draining' })).at(-1), false);
    assert.deepEqual(told(leaving, seen({ status: 'absent' })).at(-1), true);
    assert.deepEqual(told(leaving, undefined).at(-1), true);
  });

  it('its time begins anew with its state, and when it is registered again', () => {
    const healthy = { state: 'healthy', reason: null, description: null, since: 1500, drained: false } as const;
    const since = (registeredAt: number) =>
      observedTarget(target({ registeredAt }, '10.0.0.5', healthy), group, seen({ status: 'up' }), 3000).since;
    assert.equal(since(1000), 1500);
    assert.equal(since(2000), 3000);
  });
});

it('security policies are the versions of TLS that they take', () => {
  const of = (name: string | null) => Object.values(versionsOf(name)).join(' ');
  assert.equal(of('ELBSecurityPolicy-TLS13-1-2-2021-06'), 'TLSv1.2 TLSv1.3');
  assert.equal(of('ELBSecurityPolicy-TLS13-1-3-2021-06'), 'TLSv1.3 TLSv1.3');
  assert.equal(of('ELBSecurityPolicy-TLS-1-2-Ext-2018-06'), 'TLSv1.2 TLSv1.2');
  assert.equal(of('ELBSecurityPolicy-FS-1-1-2019-08'), 'TLSv1.1 TLSv1.2');
  assert.equal(of('ELBSecurityPolicy-2016-08'), 'TLSv1.0 TLSv1.2');
});
