/**
 * What exists in every account and region from the first call on, as in AWS: the cluster `default`, and a default VPC with a subnet
 * per zone and a default security group. Ids follow from account and region, so they are the same in every berth and after a reset.
 */
import { createHash } from 'node:crypto';
import { fargateProviders } from '#domain/capacity-strategy.ts';
import { isFault } from '#base/fault.ts';
import { chooseVpcCidr, cutInto, formatCidr, overlaps, parseCidr, parseCidrLoosely } from '#domain/cidr.ts';
import type { Cidr } from '#domain/cidr.ts';
import { zonesOf } from '#domain/network.ts';
import type { ClusterRecord, HostRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import { hasParts, putDefaultRules, putDefaultVpcParts, putSecurityGroup } from './ec2-defaults.ts';
import type { IntentDeps } from './types.ts';

export const DEFAULT_CLUSTER = 'default';
const SUBNET_PREFIX = 20;

/**
 * Makes what is missing; cheap when all is there. The VPC waits until a host has said which ranges its machine uses. A default cluster
 * that was deleted stays deleted.
 */
export async function ensureRegion(deps: IntentDeps, scope: Scope): Promise<void> {
  const complete = await deps.store.read(async (tx) => {
    const cluster = await tx.clusters.get({ ...scope, name: DEFAULT_CLUSTER });
    const vpc = await tx.vpcs.get({ ...scope, id: defaultVpcId(scope) });
    return cluster !== undefined && vpc !== undefined && (await hasParts(tx, vpc));
  });
  if (complete) return;
  await deps.store.write((tx) => ensureRegionIn(tx, scope, deps.clock.now()));
  if ((await deps.store.read((tx) => tx.vpcs.get({ ...scope, id: defaultVpcId(scope) }))) !== undefined) return;
  while (!(await makeDefaultNetwork(deps, scope)));
}

/** The same inside a transaction that goes on with something else, but for the VPC. */
export async function ensureRegionIn(tx: WriteTx, scope: Scope, now: number): Promise<void> {
  if ((await tx.clusters.get({ ...scope, name: DEFAULT_CLUSTER })) === undefined) await tx.clusters.put(defaultCluster(scope, now), 0);
  const vpc = await tx.vpcs.get({ ...scope, id: defaultVpcId(scope) });
  if (vpc !== undefined && !(await hasParts(tx, vpc))) {
    // A berth of before had no rows for what a VPC has.
    await putDefaultVpcParts(tx, vpc);
    for (const group of await tx.securityGroups.list(scope)) if (group.vpcId === vpc.key.id) await putDefaultRules(tx, group);
  }
}

export function defaultVpcId(scope: Scope): string {
  return stableId('vpc', scope, 'default');
}

function defaultCluster(scope: Scope, now: number): Omit<ClusterRecord, 'revision'> {
  return {
    key: { ...scope, name: DEFAULT_CLUSTER },
    status: 'ACTIVE',
    createdAt: now,
    tags: [],
    settings: [{ name: 'containerInsights', value: 'disabled' }],
    configuration: null,
    capacityProviders: [...fargateProviders],
    defaultStrategy: [{ capacityProvider: 'FARGATE', weight: 1, base: 0 }],
    serviceConnectDefaults: null,
  };
}

/** Whether all is as well as it can be now; false: another VPC took the range meanwhile. */
async function makeDefaultNetwork(deps: IntentDeps, scope: Scope): Promise<boolean> {
  const cidr = await chooseRange(deps);
  if (cidr === undefined) return true;
  return await deps.store.write(async (tx) => {
    if ((await tx.vpcs.get({ ...scope, id: defaultVpcId(scope) })) !== undefined) return true;
    const { occupied } = await readOccupied(tx);
    if (occupied.some((other) => other.prefix > 0 && overlaps(other, parseCidr(cidr)))) return false;
    await putDefaultNetwork(tx, scope, cidr);
    return true;
  });
}

/** A free range, claimed; undefined while no host is there that could say what is free. */
async function chooseRange({ store, ranges }: IntentDeps): Promise<string | undefined> {
  const { first, occupied } = await store.read(readOccupied);
  if (first === undefined) return undefined;
  const taken = occupied.map(formatCidr);
  for (;;) {
    const cidr = chooseVpcCidr(taken, first.info.cidrSeed);
    try {
      await ranges?.claim(cidr);
      return cidr;
    } catch (error) {
      if (isFault(error, 'Unavailable')) return undefined;
      if (!isFault(error, 'Conflict')) throw error;
      taken.push(cidr);
    }
  }
}

/** VPCs of other accounts and regions too: the machine routes each range to one VPC only. */
async function readOccupied(tx: ReadTx): Promise<{ first: HostRecord | undefined; occupied: Cidr[] }> {
  const [hosts, vpcs] = [await tx.hosts.list({}), await tx.vpcs.list({})];
  const ranges = [...hosts.flatMap((host) => host.info.occupiedCidrs), ...vpcs.map((vpc) => vpc.cidr)];
  return { first: hosts[0], occupied: ranges.map(parseCidrLoosely) };
}

async function putDefaultNetwork(tx: WriteTx, scope: Scope, cidr: string): Promise<void> {
  const vpcId = defaultVpcId(scope);
  const zones = zonesOf(scope.region);
  await putDefaultVpcParts(tx, await tx.vpcs.put({ key: { ...scope, id: vpcId }, cidr, isDefault: true, tags: [] }, 0));
  const subnets = cutInto(parseCidr(cidr), SUBNET_PREFIX, zones.length);
  for (const [index, zone] of zones.entries()) {
    const range = subnets[index];
    if (range === undefined) continue;
    await tx.subnets.put(
      {
        key: { ...scope, id: stableId('subnet', scope, zone.name.slice(-1)) },
        vpcId,
        cidr: formatCidr(range),
        zone: zone.name,
        zoneId: zone.id,
        isDefault: true,
        tags: [],
      },
      0,
    );
  }
  await putSecurityGroup(tx, {
    key: { ...scope, id: stableId('sg', scope, 'default') },
    vpcId,
    name: 'default',
    description: 'default VPC security group',
    isDefault: true,
    tags: [],
  });
}

/** EC2's shape: a prefix and 17 hex digits. */
function stableId(prefix: string, scope: Scope, name: string): string {
  const digest = createHash('sha256').update(`${scope.account}/${scope.region}/${prefix}/${name}`).digest('hex');
  return `${prefix}-0${digest.slice(0, 16)}`;
}
