/** Operations on mount targets. */
import type {
  CreateMountTargetRequest,
  DeleteMountTargetRequest,
  GetMountTargetRequest,
  GetMountTargetResponse,
  ListMountTargetsRequest,
  ListMountTargetsResponse,
  UpdateMountTargetRequest,
} from '@aws-sdk/client-s3files';
import { isIPv4 } from 'node:net';
import type { Handler } from '#gateway/types.ts';
import {
  accessPointOf,
  bucketSystemOf,
  createMountTarget,
  deleteMountTarget,
  mountTargetOf,
  s3FilesFamily,
  setMountTargetGroups,
} from '#intent/index.ts';
import type { S3FilesDeps } from './index.ts';
import { pageOf, pointIdOf, refuse, systemIdOf } from './input.ts';
import { s3FilesOperation } from './operation.ts';
import { targetView } from './views.ts';

const PAGE_MAX = 1000;

export function mountTargetOperations(deps: S3FilesDeps): Handler[] {
  return [
    s3FilesOperation<CreateMountTargetRequest, GetMountTargetResponse>('CreateMountTarget', async (input, context) => {
      if ((input.ipAddressType ?? 'IPV4_ONLY') !== 'IPV4_ONLY' || input.ipv6Address !== undefined)
        throw refuse('ipAddressType', input.ipAddressType ?? input.ipv6Address, 'Member must be IPV4_ONLY: berth has no IPv6');
      const ip = input.ipv4Address ?? null;
      if (ip !== null && !isIPv4(ip)) throw refuse('ipv4Address', ip, 'Member must be an IPv4 address');
      const wish = {
        fileSystemId: systemIdOf(context, input.fileSystemId),
        subnetId: input.subnetId ?? '',
        ip,
        securityGroups: input.securityGroups ?? [],
      };
      return targetView(await createMountTarget(deps, context, wish, s3FilesFamily));
    }),
    s3FilesOperation<GetMountTargetRequest, GetMountTargetResponse>('GetMountTarget', async (input, context) =>
      targetView(await deps.store.read((tx) => mountTargetOf(tx, context, input.mountTargetId ?? '', s3FilesFamily))),
    ),
    s3FilesOperation<ListMountTargetsRequest, ListMountTargetsResponse>('ListMountTargets', async (input, { account, region }) => {
      const scope = { account, region };
      const wanted = await deps.store.read(async (tx) => {
        const { fileSystemId: system, accessPointId: point } = input;
        const ids = [
          ...(system === undefined ? [] : [(await bucketSystemOf(tx, scope, systemIdOf(scope, system))).key.id]),
          ...(point === undefined ? [] : [(await accessPointOf(tx, scope, pointIdOf(scope, point), s3FilesFamily)).fileSystemId]),
        ];
        return (await tx.bucketMountTargets.list(scope)).filter((target) => ids.every((id) => id === target.fileSystemId));
      });
      const { page, next } = pageOf(wanted, input.nextToken, input.maxResults, PAGE_MAX);
      return { mountTargets: page.map(targetView), nextToken: next };
    }),
    s3FilesOperation<UpdateMountTargetRequest, GetMountTargetResponse>('UpdateMountTarget', async (input, context) =>
      targetView(await setMountTargetGroups(deps, context, input.mountTargetId ?? '', input.securityGroups ?? [], s3FilesFamily)),
    ),
    s3FilesOperation<DeleteMountTargetRequest, object>('DeleteMountTarget', async (input, context) => {
      await deleteMountTarget(deps, context, input.mountTargetId ?? '', s3FilesFamily);
      return {};
    }),
  ];
}
