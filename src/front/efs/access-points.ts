/** Operations on access points. */
import type {
  AccessPointDescription,
  CreateAccessPointRequest,
  DeleteAccessPointRequest,
  DescribeAccessPointsRequest,
  DescribeAccessPointsResponse,
} from '@aws-sdk/client-efs';
import { uuid } from '#base/ids.ts';
import type { AccessPointRecord } from '#domain/file-system.ts';
import { efsIdOf } from '#domain/file-system.ts';
import { clip, constraintText } from '#domain/names.ts';
import type { Handler } from '#gateway/types.ts';
import { accessPointOf, createAccessPoint, deleteAccessPoint, efsFault, fileSystemOf } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { readTags } from '#gateway/key-value-tags.ts';
import { pageOf } from './input.ts';
import { efsOperation } from './operation.ts';
import { accessPointView } from './views.ts';

const ID_MAX = 4_294_967_295;
const GROUPS_MAX = 16;
const PATH_MAX = 100;

export function accessPointOperations(deps: IntentDeps): Handler[] {
  return [
    efsOperation<CreateAccessPointRequest, AccessPointDescription>('CreateAccessPoint', async (input, context) =>
      accessPointView(
        await createAccessPoint(deps, context, {
          fileSystemId: efsIdOf(context, input.FileSystemId ?? ''),
          clientToken: input.ClientToken ?? uuid(deps.random),
          user: userOf(input),
          root: rootOf(input),
          tags: readTags(input.Tags),
        }),
      ),
    ),
    efsOperation<DescribeAccessPointsRequest, DescribeAccessPointsResponse>(
      'DescribeAccessPoints',
      async (input, { account, region }) =>
        await deps.store.read(async (tx) => {
          const scope = { account, region };
          const system = input.FileSystemId === undefined ? undefined : await fileSystemOf(tx, scope, efsIdOf(scope, input.FileSystemId));
          const one = input.AccessPointId;
          const all = one === undefined ? await tx.accessPoints.list(scope) : [await accessPointOf(tx, scope, efsIdOf(scope, one))];
          const wanted = all.filter((point) => system === undefined || point.fileSystemId === system.key.id);
          const { page, next } = pageOf(wanted, input.NextToken, input.MaxResults);
          return { AccessPoints: page.map(accessPointView), NextToken: next };
        }),
    ),
    efsOperation<DeleteAccessPointRequest, object>('DeleteAccessPoint', async (input, context) => {
      await deleteAccessPoint(deps, context, efsIdOf(context, input.AccessPointId ?? ''));
      return {};
    }),
  ];
}

function userOf({ PosixUser: user }: CreateAccessPointRequest): AccessPointRecord['user'] {
  if (user === undefined) return null;
  const secondaryGids = user.SecondaryGids ?? [];
  if (secondaryGids.length > GROUPS_MAX) {
    throw efsFault(
      'ValidationException',
      `posixUser.secondaryGids may have at most ${GROUPS_MAX} items; there are ${secondaryGids.length}.`,
    );
  }
  secondaryGids.forEach((gid) => idOf('posixUser.secondaryGids', gid));
  return { uid: idOf('posixUser.uid', user.Uid), gid: idOf('posixUser.gid', user.Gid), secondaryGids };
}

function rootOf({ RootDirectory: root }: CreateAccessPointRequest): AccessPointRecord['root'] {
  const path = root?.Path ?? '/';
  const parts = path.split('/').slice(1);
  const inside = path.startsWith('/') && !path.includes('\0') && !parts.includes('..') && !parts.includes('.');
  if (!inside || path.length > PATH_MAX || parts.length > 4) {
    throw efsFault('ValidationException', `'${clip(path)}' can't be an access point's root directory: it begins with '/', has at most 4 subdirectories and ${PATH_MAX} characters, and no '.' or '..'.`); // prettier-ignore
  }
  const info = root?.CreationInfo;
  if (info === undefined) return { path, creation: null };
  const permissions = info.Permissions ?? '';
  if (!/^[0-7]{3,4}$/.test(permissions)) {
    throw efsFault('ValidationException', constraintText(permissions, 'rootDirectory.creationInfo.permissions', 'satisfy regular expression pattern: ^[0-7]{3,4}$')); // prettier-ignore
  }
  return { path, creation: { uid: idOf('ownerUid', info.OwnerUid), gid: idOf('ownerGid', info.OwnerGid), permissions } };
}

function idOf(path: string, id: number | undefined): number {
  if (id !== undefined && Number.isInteger(id) && id >= 0 && id <= ID_MAX) return id;
  throw efsFault('ValidationException', `1 validation error detected: Value '${id}' at '${path}' failed to satisfy constraint: Member must be an integer from 0 to ${ID_MAX}`); // prettier-ignore
}
