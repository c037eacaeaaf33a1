/**
 * What exists in every account and region from the first call on, as in AWS: the cluster `default`, and a default VPC with a subnet
 * per zone and a default security group. Ids follow from account and region, so they are the same in every berth and after a reset.
 */
import { createHash } from 'node:crypto';
import { fargateProviders } from '#domain/capacity-strategy.ts';
import { chooseVpcCidr, cutInto, formatCidr, parseCidr } from '#domain/cidr.ts';
import { zonesOf } from '#domain/network.ts';
import type { ClusterRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { WriteTx } from '#store/types.ts';
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
  if (!complete) await deps.store.write((tx) => ensureRegionIn(tx, scope, deps.clock.now()));
}

/** The same inside a transaction that goes on with something else. */
export async function ensureRegionIn(tx: WriteTx, scope: Scope, now: number): Promise<void> {
  if ((await tx.clusters.get({ ...scope, name: DEFAULT_CLUSTER })) === undefined) await tx.clusters.put(defaultCluster(scope, now), 0);
  const vpc = await tx.vpcs.get({ ...scope, id: defaultVpcId(scope) });
  if (vpc === undefined) await putDefaultNetwork(tx, scope);
  else if (!(await hasParts(tx, vpc))) {
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

async function putDefaultNetwork(tx: WriteTx, scope: Scope): Promise<void> {
  const hosts = await tx.hosts.list({});
  const [first] = hosts;
  if (first === undefined) return;
  // VPCs of other accounts and regions too: the machine routes each range to one VPC only.
  const vpcs = await tx.vpcs.list({});
  const occupied = [...hosts.flatMap((host) => host.info.occupiedCidrs), ...vpcs.map((vpc) => vpc.cidr)];
  const cidr = chooseVpcCidr(occupied, first.info.cidrSeed);
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
