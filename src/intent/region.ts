/**
 * What exists in every account and region from the first call on, as in AWS: the cluster `default`, and a default VPC with a subnet
 * per zone and a default security group. Ids follow from account and region, so they are the same in every berth and after a reset.
 */
import { createHash } from 'node:crypto';
import { fargateProviders } from '#domain/capacity-strategy.ts';
import { chooseVpcCidr, cutInto, formatCidr, parseCidr } from '#domain/cidr.ts';
import type { ClusterRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { WriteTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

export const DEFAULT_CLUSTER = 'default';
const zones = ['a', 'b', 'c'] as const;
const SUBNET_PREFIX = 20;

/**
 * Makes what is missing; cheap when all is there. The VPC waits until a host has said which ranges its machine uses. A default cluster
 * that was deleted stays deleted.
 */
export async function ensureRegion(deps: IntentDeps, scope: Scope): Promise<void> {
  const complete = await deps.store.read(async (tx) => {
    const cluster = await tx.clusters.get({ ...scope, name: DEFAULT_CLUSTER });
    return cluster !== undefined && (await tx.vpcs.get({ ...scope, id: defaultVpcId(scope) })) !== undefined;
  });
  if (!complete) await deps.store.write((tx) => ensureRegionIn(tx, scope, deps.clock.now()));
}

/** The same inside a transaction that goes on with something else. */
export async function ensureRegionIn(tx: WriteTx, scope: Scope, now: number): Promise<void> {
  if ((await tx.clusters.get({ ...scope, name: DEFAULT_CLUSTER })) === undefined) await tx.clusters.put(defaultCluster(scope, now), 0);
  if ((await tx.vpcs.get({ ...scope, id: defaultVpcId(scope) })) === undefined) await putDefaultNetwork(tx, scope);
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
  await tx.vpcs.put({ key: { ...scope, id: vpcId }, cidr, isDefault: true, tags: [] }, 0);
  const subnets = cutInto(parseCidr(cidr), SUBNET_PREFIX, zones.length);
  for (const [index, zone] of zones.entries()) {
    const range = subnets[index];
    if (range === undefined) continue;
    await tx.subnets.put(
      {
        key: { ...scope, id: stableId('subnet', scope, zone) },
        vpcId,
        cidr: formatCidr(range),
        zone: `${scope.region}${zone}`,
        zoneId: zoneId(scope.region, index),
        isDefault: true,
        tags: [],
      },
      0,
    );
  }
  await tx.securityGroups.put(
    {
      key: { ...scope, id: stableId('sg', scope, 'default') },
      vpcId,
      name: 'default',
      description: 'default VPC security group',
      isDefault: true,
      tags: [],
    },
    0,
  );
}

/** EC2's shape: a prefix and 17 hex digits. */
function stableId(prefix: string, scope: Scope, name: string): string {
  const digest = createHash('sha256').update(`${scope.account}/${scope.region}/${prefix}/${name}`).digest('hex');
  return `${prefix}-0${digest.slice(0, 16)}`;
}

/** `us-east-1`, 0 -> `use1-az1`: AWS's own short form of a region's name. */
function zoneId(region: string, index: number): string {
  const short = region
    .split('-')
    .map((part, at, all) => (at === 0 || at === all.length - 1 ? part : shortDirection(part)))
    .join('');
  return `${short}-az${index + 1}`;
}

/** `east` -> `e`, `northeast` -> `ne`, `gov` -> `g`. */
function shortDirection(part: string): string {
  return part
    .replace(/^(north|south)(east|west)$/, (_, a: string, b: string) => `${a.charAt(0)}${b.charAt(0)}`)
    .replace(/^(\w)\w{2,}$/, '$1');
}
