/** Wishes about mount targets: a file system's address in a subnet, at most one in a zone. */
import { hexId } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { containsIp, formatIp, nextFreeIp, parseCidr, parseIp, usableIn } from '#domain/cidr.ts';
import type { MountTargetRecord } from '#domain/file-system.ts';
import { clip } from '#domain/names.ts';
import type { SubnetRecord } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import { balancerAddresses } from '#domain/taken-addresses.ts';
import type { ReadTx } from '#store/types.ts';
import { efsFault, mountTargetOf } from './efs-faults.ts';
import { efsFamily, type ShareFamily } from './share-family.ts';
import type { IntentDeps } from './types.ts';

/** `ip` null: any that is free. */
export type MountTargetWish = { fileSystemId: string; subnetId: string; ip: string | null; securityGroups: string[] };

/** Throws SubnetNotFound, SecurityGroupNotFound, MountTargetConflict, AvailabilityZonesMismatch, IpAddressInUse, NoFreeAddressesInSubnet. */
export async function createMountTarget(
  deps: IntentDeps,
  scope: Scope,
  wish: MountTargetWish,
  family = efsFamily,
): Promise<MountTargetRecord> {
  const { account, region } = scope;
  return await deps.store.write(async (tx) => {
    const onlyZone = await family.zoneOf(tx, scope, wish.fileSystemId);
    const subnet = await tx.subnets.get({ account, region, id: wish.subnetId });
    if (subnet === undefined) throw efsFault('SubnetNotFound', `The subnet ID '${clip(wish.subnetId)}' does not exist`);
    if (onlyZone !== null && onlyZone !== subnet.zone) {
      const text = `The subnet is in ${subnet.zone}, and the file system '${wish.fileSystemId}' is a One Zone file system in ${onlyZone}.`;
      throw efsFault('AvailabilityZonesMismatch', text);
    }
    await assertNoConflict(tx, scope, wish.fileSystemId, subnet, family);
    const {
      key: _key,
      revision: _revision,
      ...place
    } = {
      ...subnet,
      subnetId: subnet.key.id,
      ip: await chooseAddress(tx, subnet, wish.ip),
      securityGroups: await groupsOf(tx, scope, subnet.vpcId, wish.securityGroups),
    };
    const { subnetId, vpcId, zone, zoneId, ip, securityGroups } = place;
    const key = { account, region, id: `fsmt-${hexId(deps.random, 17)}` };
    const networkInterfaceId = `eni-${hexId(deps.random, 17)}`;
    const target = { key, fileSystemId: wish.fileSystemId, subnetId, vpcId, zone, zoneId, ip, networkInterfaceId, securityGroups };
    return await tx[family.targets].put(target, 0);
  });
}

async function assertNoConflict(
  tx: ReadTx,
  { account, region }: Scope,
  fileSystemId: string,
  subnet: SubnetRecord,
  family: ShareFamily,
): Promise<void> {
  const others = (await tx[family.targets].list({ account, region })).filter((one) => one.fileSystemId === fileSystemId);
  if (others.some((one) => one.vpcId !== subnet.vpcId)) {
    throw efsFault(
      'MountTargetConflict',
      'requested subnet for new mount target is not in the same VPC as existing mount targets',
      'Conflict',
    );
  }
  if (others.some((one) => one.zone === subnet.zone))
    throw efsFault('MountTargetConflict', 'mount target already exists in this AZ', 'Conflict');
}

async function chooseAddress(tx: ReadTx, subnet: SubnetRecord, wanted: string | null): Promise<string> {
  const range = parseCidr(subnet.cidr);
  const { account, region } = subnet.key;
  const places = [
    ...(await tx.tasks.slots()).flatMap(({ subnetId, ip }) => (ip === null ? [] : [{ subnetId, ip }])),
    ...balancerAddresses(await tx.loadBalancers.list({})),
    ...(await tx.mountTargets.list({ account, region })),
    ...(await tx.bucketMountTargets.list({ account, region })),
  ];
  const taken = new Set(places.filter((place) => place.subnetId === subnet.key.id).map(({ ip }) => parseIp(ip)));
  if (wanted === null) {
    const lastIp = await tx.tasks.lastAddress(subnet.key.id);
    const free = nextFreeIp(range, taken, lastIp === undefined ? null : parseIp(lastIp));
    if (free === null) throw efsFault('NoFreeAddressesInSubnet', `The subnet '${subnet.key.id}' has no free address.`, 'Conflict');
    return formatIp(free);
  }
  const address = parseIp(wanted);
  const { first, last } = usableIn(range);
  if (!containsIp(range, address) || address < first || address > last) {
    throw efsFault('BadRequest', `Address ${wanted} is not in the range that subnet '${subnet.key.id}' (${subnet.cidr}) gives out.`);
  }
  if (taken.has(address)) throw efsFault('IpAddressInUse', `Address ${wanted} is in use.`, 'Conflict');
  return wanted;
}

/** The VPC's default group where none is named. */
async function groupsOf(tx: ReadTx, { account, region }: Scope, vpcId: string, wanted: string[]): Promise<string[]> {
  const present = (await tx.securityGroups.list({ account, region })).filter((group) => group.vpcId === vpcId);
  if (wanted.length === 0) return present.filter((group) => group.isDefault).map((group) => group.key.id);
  if (wanted.length > limits.securityGroupsPerMountTarget) {
    const text = `A mount target has at most ${limits.securityGroupsPerMountTarget} security groups; ${wanted.length} were given.`;
    throw efsFault('SecurityGroupLimitExceeded', text, 'LimitExceeded');
  }
  const missing = wanted.find((id) => !present.some((group) => group.key.id === id));
  if (missing !== undefined) throw efsFault('SecurityGroupNotFound', `The security group '${clip(missing)}' does not exist in ${vpcId}`);
  return [...new Set(wanted)];
}

export async function setMountTargetGroups(
  deps: IntentDeps,
  scope: Scope,
  id: string,
  groups: string[],
  family = efsFamily,
): Promise<MountTargetRecord> {
  return await deps.store.write(async (tx) => {
    const target = await mountTargetOf(tx, scope, id, family);
    const securityGroups = await groupsOf(tx, scope, target.vpcId, groups);
    return await tx[family.targets].put({ ...target, securityGroups }, target.revision);
  });
}

export async function deleteMountTarget(deps: IntentDeps, scope: Scope, id: string, family = efsFamily): Promise<void> {
  await deps.store.write(async (tx) => void (await tx[family.targets].delete((await mountTargetOf(tx, scope, id, family)).key)));
}
