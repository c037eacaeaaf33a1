/** Operations on mount targets. */
import type {
  CreateMountTargetRequest,
  DeleteMountTargetRequest,
  DescribeMountTargetSecurityGroupsRequest,
  DescribeMountTargetSecurityGroupsResponse,
  DescribeMountTargetsRequest,
  DescribeMountTargetsResponse,
  ModifyMountTargetSecurityGroupsRequest,
  MountTargetDescription,
} from '@aws-sdk/client-efs';
import { isIPv4 } from 'node:net';
import type { MountTargetRecord } from '#domain/file-system.ts';
import { efsIdOf } from '#domain/file-system.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { Handler } from '#gateway/types.ts';
import {
  accessPointOf,
  createMountTarget,
  deleteMountTarget,
  efsFault,
  fileSystemOf,
  mountTargetOf,
  setMountTargetGroups,
} from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import { pageOf } from './input.ts';
import { efsOperation } from './operation.ts';
import { mountTargetView } from './views.ts';

export function mountTargetOperations(deps: IntentDeps): Handler[] {
  return [
    efsOperation<CreateMountTargetRequest, MountTargetDescription>('CreateMountTarget', async (input, context) => {
      if ((input.IpAddressType ?? 'IPV4_ONLY') !== 'IPV4_ONLY' || input.Ipv6Address !== undefined) {
        throw efsFault('BadRequest', 'berth has no IPv6: a mount target has an IPv4 address (IpAddressType IPV4_ONLY).');
      }
      const ip = input.IpAddress ?? null;
      if (ip !== null && !isIPv4(ip)) throw efsFault('BadRequest', `'${clip(ip)}' is not an IPv4 address.`);
      const wish = { fileSystemId: efsIdOf(context, input.FileSystemId ?? ''), subnetId: input.SubnetId ?? '', ip, securityGroups: input.SecurityGroups ?? [] }; // prettier-ignore
      return mountTargetView(await createMountTarget(deps, context, wish));
    }),
    efsOperation<DescribeMountTargetsRequest, DescribeMountTargetsResponse>(
      'DescribeMountTargets',
      async (input, { account, region }) =>
        await deps.store.read(async (tx) => {
          const { page, next } = pageOf(await selected(tx, { account, region }, input), input.Marker, input.MaxItems);
          return { MountTargets: page.map(mountTargetView), Marker: input.Marker, NextMarker: next };
        }),
    ),
    efsOperation<DeleteMountTargetRequest, object>('DeleteMountTarget', async (input, context) => {
      await deleteMountTarget(deps, context, input.MountTargetId ?? '');
      return {};
    }),
    efsOperation<DescribeMountTargetSecurityGroupsRequest, DescribeMountTargetSecurityGroupsResponse>(
      'DescribeMountTargetSecurityGroups',
      async (input, context) => {
        const target = await deps.store.read((tx) => mountTargetOf(tx, context, input.MountTargetId ?? ''));
        return { SecurityGroups: target.securityGroups };
      },
    ),
    efsOperation<ModifyMountTargetSecurityGroupsRequest, object>('ModifyMountTargetSecurityGroups', async (input, context) => {
      await setMountTargetGroups(deps, context, input.MountTargetId ?? '', input.SecurityGroups ?? []);
      return {};
    }),
  ];
}

/** EFS wants exactly one of the three. */
async function selected(tx: ReadTx, scope: Scope, input: DescribeMountTargetsRequest): Promise<MountTargetRecord[]> {
  const { FileSystemId: system, MountTargetId: target, AccessPointId: point } = input;
  if ([system, target, point].filter((one) => one !== undefined).length !== 1) {
    throw efsFault('BadRequest', 'Specify exactly one of FileSystemId, MountTargetId and AccessPointId.');
  }
  if (target !== undefined) return [await mountTargetOf(tx, scope, target)];
  const id =
    point === undefined
      ? (await fileSystemOf(tx, scope, efsIdOf(scope, system ?? ''))).key.id
      : (await accessPointOf(tx, scope, efsIdOf(scope, point))).fileSystemId;
  return (await tx.mountTargets.list(scope)).filter((one) => one.fileSystemId === id);
}
