import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { array, assert as check, constantFrom, integer, ipV4, ipV6, oneof, property, record, tuple } from 'fast-check';
import { parseFault } from './fault-requests.ts';
import { renderFaults } from './fault-rules.ts';
import type { NetworkFault } from './fault-rules.ts';

const hole: NetworkFault = { type: 'network-blackhole-port', port: 80, protocol: 'tcp', traffic: 'ingress', except: ['10.0.0.1'] };
const loss: NetworkFault = { type: 'network-packet-loss', percent: 30, to: ['10.1.2.3/8', '10.0.0.9', '::/0'], except: ['169.254.170.2'] };

/** In a network namespace of its own, by nft itself. */
function applied(rules: string): void {
  const ran = spawnSync('unshare', ['-n', 'nft', '-f', '-'], { input: rules, encoding: 'utf8' });
  assert.equal(ran.status, 0, `${rules}\n${ran.stderr}`);
}

test('rules of faults name the task and what it sees', () => {
  assert.equal(
    renderFaults('tabc', [hole, loss]),
    `add table ip berth_faults_tabc
delete table ip berth_faults_tabc
table ip berth_faults_tabc {
	chain from_task { type filter hook prerouting priority -300; policy accept;
		iifname "tabc" ip daddr { 10.0.0.0/8 } ip daddr != { 169.254.170.2/32 } numgen random mod 100 < 30 drop
	}
	chain to_task { type filter hook postrouting priority 300; policy accept;
		oifname "tabc" ip saddr != { 10.0.0.1/32 } tcp dport 80 drop
	}
}
`,
  );
  assert.equal(renderFaults('tabc', []), 'add table ip berth_faults_tabc\ndelete table ip berth_faults_tabc\n');
});

test('whatever is taken, nft takes too', () => {
  const block = tuple(ipV4(), integer({ min: 0, max: 32 })).map(([ip, prefix]) => `${ip}/${prefix}`);
  const sources = array(oneof(ipV4(), block, ipV6()), { minLength: 1, maxLength: 6 });
  const asked = oneof(
    record({ LossPercent: integer({ min: 1, max: 100 }), Sources: sources, SourcesToFilter: sources }),
    record({
      Port: integer({ min: 0, max: 65_535 }),
      Protocol: constantFrom('tcp', 'udp'),
      TrafficType: constantFrom('ingress', 'egress'),
      SourcesToFilter: sources,
    }),
  );
  check(
    property(asked, (body) => {
      const parsed = parseFault('Port' in body ? 'network-blackhole-port' : 'network-packet-loss', JSON.stringify(body));
      assert.ok('fault' in parsed, JSON.stringify(parsed));
      applied(renderFaults('tabc', [parsed.fault]));
    }),
    { numRuns: 40 },
  );
  applied(renderFaults('tabc', [{ ...loss, percent: 100, to: ['0.0.0.0/0'] }, hole]));
});

test('what is wrong is said in the words of the agent', () => {
  const error = (type: Parameters<typeof parseFault>[0], body: unknown) => {
    const parsed = parseFault(type, typeof body === 'string' ? body : JSON.stringify(body));
    return 'error' in parsed ? parsed.error : '';
  };
  assert.equal(error('network-latency', ''), 'required request body is missing');
  assert.equal(error('network-latency', '{'), 'failed to decode request');
  assert.equal(error('network-latency', { DelayMilliseconds: 1 }), 'required parameter JitterMilliseconds is missing');
  assert.equal(error('network-packet-loss', { LossPercent: 101, Sources: ['10.0.0.1'] }), 'invalid value 101 for parameter LossPercent');
  assert.equal(error('network-packet-loss', { LossPercent: 1, Sources: [] }), 'required parameter Sources is missing');
  assert.equal(
    error('network-packet-loss', { LossPercent: 1, Sources: ['10.0.0.1/33'] }),
    'invalid value 10.0.0.1/33 for parameter Sources',
  );
  assert.equal(
    error('network-blackhole-port', { Port: 1, Protocol: 'icmp', TrafficType: 'ingress' }),
    'invalid value icmp for parameter Protocol',
  );
});
