import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Fault, isFault } from '#base/fault.ts';
import { silentLog } from '#base/log.ts';
import { createNetwork } from './network.ts';
import type { Network, VpcRequest } from './types.ts';
import { chooseUplinkRange } from './uplinks.ts';
import { formatCidr, parseCidr } from '#domain/cidr.ts';

/** A worker that keeps what stands, as the kernel does. */
function createWorker() {
  const standing = new Map<string, VpcRequest>();
  let refuse = false;
  return {
    standing,
    calls: [] as string[],
    refuse: (on: boolean) => void (refuse = on),
    async vpcUp(vpc: VpcRequest) {
      this.calls.push(`up ${vpc.hostIf}`);
      if (refuse) throw new Fault('Internal', 'no');
      standing.set(vpc.hostIf, vpc);
    },
    async vpcDown({ hostIf }: { hostIf: string }) {
      this.calls.push(`down ${hostIf}`);
      standing.delete(hostIf);
    },
    routerRules: async () => {},
  };
}

function setUp(t: TestContext, occupied: string[] = []) {
  const runDir = mkdtempSync(join(tmpdir(), 'berth-network-'));
  t.after(() => rmSync(runDir, { recursive: true }));
  const worker = createWorker();
  const ports = { dns: 4053, metadata: null, api: 4566 };
  const start = (): Network =>
    createNetwork({ worker, log: silentLog, occupied: () => occupied }, { instance: 'ab12cd', runDir, ports, mtu: 1500 });
  return { runDir, worker, start };
}

const address = {
  vpcId: 'vpc-1',
  vpcCidr: '10.64.0.0/16',
  gatewayIp: '10.64.16.1',
  ip: '10.64.16.9',
  mac: '02:00:00:00:00:09',
  hostname: 'ip-10-64-16-9',
};

test('a VPC is made once, also when many tasks ask at the same time', async (t) => {
  const { runDir, worker, start } = setUp(t);
  const network = start();
  const interfaces = await Promise.all(['0123456789abcdef', 'fedcba9876543210'].map((id) => network.taskNetwork(id, address)));
  assert.deepEqual(worker.calls, ['up brab12cd0']);
  assert.deepEqual(interfaces[0], {
    ip: '10.64.16.9',
    mac: '02:00:00:00:00:09',
    gatewayIp: '10.64.16.1',
    gatewayMac: '02:67:0a:40:10:01',
    hostname: 'ip-10-64-16-9',
    mtu: 1500,
    routerNetns: join(runDir, 'ns/vpc-1'),
    routerIf: 't0123456789ab',
  });
  assert.ok((interfaces[0]?.routerIf.length ?? 99) <= 15);
  const vpc = worker.standing.get('brab12cd0');
  assert.match(vpc?.routerRules ?? '', /table ip berth_ab12cd_0/);
  assert.deepEqual(vpc?.serviceIps, ['169.254.169.253', '169.254.170.2', '169.254.170.3', '169.254.170.4']);
});

test('a new host agent finds the uplinks of the former one', async (t) => {
  const { runDir, worker, start } = setUp(t);
  const first = start();
  const a = await first.ensureVpc('vpc-1', '10.64.0.0/16');
  const b = await first.ensureVpc('vpc-2', '10.65.0.0/16');
  assert.notEqual(a.hostIp, b.hostIp);
  const second = start();
  assert.deepEqual(second.vpcs(), [a, b]);
  assert.deepEqual(await second.ensureVpc('vpc-2', '10.65.0.0/16'), b);
  await second.down();
  assert.equal(worker.standing.size, 0);
  assert.deepEqual(start().vpcs(), []);
  assert.deepEqual(readdirSync(join(runDir, 'ns')), []);
});

test("load balancers' addresses are put on, kept by a new host agent, and taken away", async (t) => {
  const { worker, start } = setUp(t);
  const vpc = { vpcId: 'vpc-1', cidr: '10.64.0.0/16' };
  const addresses = [{ ip: '10.64.0.9', ports: [80] }];
  const first = start();
  await first.setAddresses([{ vpcId: 'vpc-2', cidr: '10.65.0.0/16', addresses: [] }]);
  assert.deepEqual(worker.calls, [], 'nothing is made for nothing');
  await first.setAddresses([{ ...vpc, addresses }]);
  assert.deepEqual(worker.standing.get('brab12cd0')?.addresses, ['10.64.0.9']);
  assert.match(worker.standing.get('brab12cd0')?.hostRules ?? '', /10\.64\.0\.9 \. 80/);
  await first.setAddresses([{ ...vpc, addresses }]);
  await first.ensureVpc('vpc-1', '10.64.0.0/16');
  assert.equal(worker.calls.length, 1, 'said again, nothing is done');
  const second = start();
  await second.ensureVpc('vpc-1', '10.64.0.0/16');
  assert.deepEqual(worker.standing.get('brab12cd0')?.addresses, ['10.64.0.9'], 'before it is told');
  await second.setAddresses([]);
  assert.deepEqual(worker.standing.get('brab12cd0')?.addresses, []);
  await assert.rejects(second.setAddresses([{ vpcId: 'vpc-1', cidr: '10.70.0.0/16', addresses }]), (error) => isFault(error, 'Conflict'));
});

test('the router of a deleted VPC makes way for the VPC that has its range now', async (t) => {
  const { worker, start } = setUp(t);
  const network = start();
  await network.ensureVpc('vpc-1', '10.64.0.0/16');
  await network.ensureVpc('vpc-2', '10.65.0.0/16');
  await network.ensureVpc('vpc-3', '10.64.128.0/20');
  assert.deepEqual(worker.calls, ['up brab12cd0', 'up brab12cd1', 'down brab12cd0', 'up brab12cd0']);
  const standing = network.vpcs().map((vpc) => vpc.vpcId);
  assert.deepEqual(standing.toSorted(), ['vpc-2', 'vpc-3']);
});

test('a VPC that could not be made is tried again', async (t) => {
  const { worker, start } = setUp(t);
  const network = start();
  worker.refuse(true);
  await assert.rejects(network.ensureVpc('vpc-1', '10.64.0.0/16'), (error) => isFault(error, 'Internal'));
  worker.refuse(false);
  await network.ensureVpc('vpc-1', '10.64.0.0/16');
  assert.equal(worker.standing.size, 1);
});

test('what does not fit the VPC is refused', async (t) => {
  const { start } = setUp(t);
  const network = start();
  await network.ensureVpc('vpc-1', '10.64.0.0/16');
  await assert.rejects(network.ensureVpc('vpc-1', '10.65.0.0/16'), (error) => isFault(error, 'Conflict'));
  await assert.rejects(network.taskNetwork('0123456789abcdef', { ...address, ip: '10.65.0.9' }), (error) =>
    isFault(error, 'InvalidParameter'),
  );
  await assert.rejects(network.ensureVpc('../x', '10.65.0.0/16'), (error) => isFault(error, 'InvalidParameter'));
});

test('an uplink keeps away from what is taken and from what clouds serve metadata on', async (t) => {
  const { start } = setUp(t, ['169.254.0.0/16', '169.254.68.180/30', '10.0.0.0/8']);
  const { hostIp } = await start().ensureVpc('vpc-1', '10.64.0.0/16');
  assert.equal(formatCidr(chooseUplinkRange('ab12cd', [])), '169.254.75.52/30');
  assert.equal(hostIp, '169.254.75.53');
  const beforeMetadata = ((169 << 8) / 4 - 1).toString(16);
  const taken = [chooseUplinkRange(beforeMetadata, [])];
  assert.equal(formatCidr(chooseUplinkRange(beforeMetadata, taken)), '169.254.171.0/30');
  assert.throws(
    () => chooseUplinkRange('ab12cd', [parseCidr('169.254.0.0/16')]),
    (error) => isFault(error, 'LimitExceeded'),
  );
});
