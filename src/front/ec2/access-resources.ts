/** EC2's resources as IAM sees them: their ARNs, their tags, and what lies in what. */
import { ec2Arn } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import { ifThere, resourceTags } from '#gateway/access.ts';
import type { OwnFacts } from '#gateway/types.ts';
import { defaultVpcId, type IntentDeps } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';

/** Kinds by the prefix of their ids. */
const kinds: Record<string, string> = {
  vpc: 'vpc',
  subnet: 'subnet',
  sg: 'security-group',
  sgr: 'security-group-rule',
  rtb: 'route-table',
  igw: 'internet-gateway',
  vol: 'volume',
  snap: 'snapshot',
  eni: 'network-interface',
  i: 'instance',
};

/** `*` for an id of no kind that is known: the operation refuses it. */
export function ec2ArnOf(scope: Scope, id: string): string {
  const kind = kinds[id.slice(0, id.indexOf('-'))];
  return kind === undefined ? '*' : ec2ResourceArn(scope, kind, id);
}

/** Snapshots have no account in theirs. */
export function ec2ResourceArn({ account, region }: Scope, kind: string, id: string): string {
  return ec2Arn({ region, account: kind === 'snapshot' ? '' : account }, `${kind}/${id}`);
}

type Named = { GroupId?: string | undefined; GroupName?: string | undefined };

/** A group that is named by its name lies in the default VPC. */
export async function groupId({ store }: IntentDeps, { account, region }: Scope, { GroupId: id, GroupName: name }: Named): Promise<string> {
  if (id !== undefined) return id;
  const scope = { account, region };
  const groups = await store.read((tx) => tx.securityGroups.list(scope));
  return groups.find((group) => group.vpcId === defaultVpcId(scope) && group.name === name)?.key.id ?? '*';
}

/** The route table of an association, and its subnet. */
export async function associationArns({ store }: IntentDeps, { account, region }: Scope, id: string | undefined): Promise<string[]> {
  const scope = { account, region };
  const tables = await store.read((tx) => tx.routeTables.list(scope));
  for (const { key, associations } of tables) {
    const found = associations.find((one) => one.id === id);
    if (found === undefined) continue;
    const subnet = found.subnetId === null ? [] : [ec2Arn(scope, `subnet/${found.subnetId}`)];
    return [ec2Arn(scope, `route-table/${key.id}`), ...subnet];
  }
  return [ec2Arn(scope, 'route-table/*')];
}

/** `ec2:Region` of every call; tags, and `ec2:Vpc` of what lies in one. */
export async function aboutEc2({ store }: IntentDeps, arn: string, { account, region }: Scope): Promise<OwnFacts> {
  const scope = { account, region };
  const [, kind = '', id = '*'] = /^arn:aws:ec2:[^:]*:[^:]*:([^/]+)\/(.+)$/.exec(arn) ?? [];
  const facts: OwnFacts = { 'ec2:Region': region };
  if (id === '*') return facts;
  const found = await ifThere(() => store.read((tx) => look(tx, scope, kind, id)));
  if (found?.vpcId !== undefined) facts['ec2:Vpc'] = ec2Arn(scope, `vpc/${found.vpcId}`);
  return { ...facts, ...idFacts(kind, id), ...found?.facts, ...resourceTags(found?.tags, 'ec2') };
}

const idKeys: Record<string, string> = {
  vpc: 'ec2:VpcID',
  subnet: 'ec2:SubnetID',
  'security-group': 'ec2:SecurityGroupID',
  'route-table': 'ec2:RouteTableID',
  'internet-gateway': 'ec2:InternetGatewayID',
  volume: 'ec2:VolumeID',
  snapshot: 'ec2:SnapshotID',
};

function idFacts(kind: string, id: string): OwnFacts {
  const key = idKeys[kind];
  return key === undefined ? {} : { [key]: id };
}

type Found = { tags: Tag[]; vpcId?: string; facts?: OwnFacts };

async function look(tx: ReadTx, scope: Scope, kind: string, id: string): Promise<Found | undefined> {
  const key = { ...scope, id };
  switch (kind) {
    case 'vpc':
      return await tx.vpcs.get(key);
    case 'subnet': {
      const subnet = await tx.subnets.get(key);
      return subnet && { ...subnet, facts: { 'ec2:AvailabilityZone': subnet.zone } };
    }
    case 'security-group':
      return await tx.securityGroups.get(key);
    case 'security-group-rule':
      return (await tx.securityGroupRules.list(key))[0];
    case 'route-table':
      return await tx.routeTables.get(key);
    case 'internet-gateway':
      return await tx.internetGateways.get(key).then((gateway) => gateway && { tags: gateway.tags });
    case 'volume':
      return await tx.volumes.get(key).then((volume) => volume && { tags: volume.desired.tags, facts: volumeFacts(volume.desired) });
    case 'snapshot':
      return (await tx.snapshots.get(key))?.desired;
    default:
      return undefined;
  }
}

function volumeFacts({ zone, encrypted, sizeGib, type }: { zone: string; encrypted: boolean; sizeGib: number; type: string }): OwnFacts {
  return { 'ec2:AvailabilityZone': zone, 'ec2:Encrypted': String(encrypted), 'ec2:VolumeSize': String(sizeGib), 'ec2:VolumeType': type };
}
