/** What every VPC and every security group has from its beginning, with ids that follow from theirs. */
import { derivedId, isMain } from '#domain/network.ts';
import type { RuleTraffic } from '#domain/network.ts';
import type { SecurityGroupRecord, VpcRecord } from '#domain/records.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';

const EVERYWHERE: RuleTraffic = { protocol: '-1', fromPort: null, toPort: null, peer: { kind: 'ipv4', cidr: '0.0.0.0/0' } };

export const mainTableId = (vpcId: string) => derivedId('rtb', vpcId);
export const defaultGatewayId = (vpcId: string) => derivedId('igw', vpcId);

/** A new security group and its rule that lets everything out; a VPC's default one lets its own members in too. */
export async function putSecurityGroup(tx: WriteTx, group: Omit<SecurityGroupRecord, 'revision'>): Promise<SecurityGroupRecord> {
  const made = await tx.securityGroups.put(group, 0);
  await putDefaultRules(tx, made);
  return made;
}

/** A VPC's main route table, which leads to a gateway or only to the VPC itself. */
export async function putMainTable(tx: WriteTx, vpc: Pick<VpcRecord, 'key'>, gatewayId: string | null, tags: Tag[] = []): Promise<void> {
  const { id, ...scope } = vpc.key;
  const routes = gatewayId === null ? [] : [{ destination: '0.0.0.0/0', gatewayId }];
  const associations = [{ id: derivedId('rtbassoc', id), subnetId: null }];
  await tx.routeTables.put({ key: { ...scope, id: mainTableId(id) }, vpcId: id, routes, associations, tags }, 0);
}

/** The default VPC's main table and gateway, and the rules of its default group. A berth of before made no rows for them. */
export async function putDefaultVpcParts(tx: WriteTx, vpc: Pick<VpcRecord, 'key'>): Promise<void> {
  const { id, ...scope } = vpc.key;
  const gatewayId = defaultGatewayId(id);
  await tx.internetGateways.put({ key: { ...scope, id: gatewayId }, vpcId: id, tags: [] }, 0);
  await putMainTable(tx, vpc, gatewayId);
}

/** Whether the VPC's parts have rows: it has a main table always. */
export async function hasParts(tx: ReadTx, vpc: Pick<VpcRecord, 'key'>): Promise<boolean> {
  const { id, ...scope } = vpc.key;
  if ((await tx.routeTables.get({ ...scope, id: mainTableId(id) })) !== undefined) return true;
  return (await tx.routeTables.list(scope)).some((table) => table.vpcId === id && isMain(table));
}

export async function putDefaultRules(tx: WriteTx, group: SecurityGroupRecord): Promise<void> {
  const { id, ...scope } = group.key;
  const put = (egress: boolean, traffic: RuleTraffic) => {
    const ruleId = derivedId('sgr', `${id}/${egress ? 'egress' : 'ingress'}`);
    return tx.securityGroupRules.put({ key: { ...scope, group: id, id: ruleId }, egress, traffic, description: null, tags: [] }, 0);
  };
  await put(true, EVERYWHERE);
  if (group.isDefault) await put(false, { ...EVERYWHERE, peer: { kind: 'group', groupId: id } });
}
