/** Operations on access points. */
import type {
  CreateAccessPointRequest,
  DeleteAccessPointRequest,
  GetAccessPointRequest,
  GetAccessPointResponse,
  ListAccessPointsRequest,
  ListAccessPointsResponse,
} from '@aws-sdk/client-s3files';
import { uuid } from '#base/ids.ts';
import type { AccessPointRecord } from '#domain/file-system.ts';
import type { Handler } from '#gateway/types.ts';
import { accessPointOf, bucketSystemOf, createAccessPoint, deleteAccessPoint, s3FilesFamily } from '#intent/index.ts';
import type { S3FilesDeps } from './index.ts';
import { integerOf, pageOf, pointIdOf, refuse, systemIdOf, tagsOf } from './input.ts';
import { s3FilesOperation } from './operation.ts';
import { pointView } from './views.ts';

const ID_MAX = 4_294_967_295;
const GROUPS_MAX = 16;
const PATH_MAX = 100;
const PAGE_MAX = 1000;

export function accessPointOperations(deps: S3FilesDeps): Handler[] {
  return [
    s3FilesOperation<CreateAccessPointRequest, GetAccessPointResponse>('CreateAccessPoint', async (input, context) => {
      const wish = {
        fileSystemId: systemIdOf(context, input.fileSystemId),
        clientToken: input.clientToken ?? uuid(deps.random),
        user: userOf(input),
        root: rootOf(input),
        tags: tagsOf(input.tags),
      };
      return pointView(await createAccessPoint(deps, context, wish, s3FilesFamily));
    }),
    s3FilesOperation<GetAccessPointRequest, GetAccessPointResponse>('GetAccessPoint', async (input, context) =>
      pointView(await deps.store.read((tx) => accessPointOf(tx, context, pointIdOf(context, input.accessPointId), s3FilesFamily))),
    ),
    s3FilesOperation<ListAccessPointsRequest, ListAccessPointsResponse>('ListAccessPoints', async (input, { account, region }) => {
      const scope = { account, region };
      const id = systemIdOf(scope, input.fileSystemId);
      const points = await deps.store.read(async (tx) => {
        await bucketSystemOf(tx, scope, id);
        return (await tx.bucketAccessPoints.list(scope)).filter((point) => point.fileSystemId === id);
      });
      const { page, next } = pageOf(points, input.nextToken, input.maxResults, PAGE_MAX);
      return { accessPoints: page.map(pointView), nextToken: next };
    }),
    s3FilesOperation<DeleteAccessPointRequest, object>('DeleteAccessPoint', async (input, context) => {
      await deleteAccessPoint(deps, context, pointIdOf(context, input.accessPointId), s3FilesFamily);
      return {};
    }),
  ];
}

function userOf({ posixUser: user }: CreateAccessPointRequest): AccessPointRecord['user'] {
  if (user === undefined) return null;
  const secondaryGids = user.secondaryGids ?? [];
  if (secondaryGids.length > GROUPS_MAX)
    throw refuse(
      'posixUser.secondaryGids',
      `${secondaryGids.length} groups`,
      `Member must have length less than or equal to ${GROUPS_MAX}`,
    );
  for (const gid of secondaryGids) integerOf('posixUser.secondaryGids', gid, 0, ID_MAX);
  return { uid: integerOf('posixUser.uid', user.uid, 0, ID_MAX), gid: integerOf('posixUser.gid', user.gid, 0, ID_MAX), secondaryGids };
}

function rootOf({ rootDirectory: root }: CreateAccessPointRequest): AccessPointRecord['root'] {
  const path = root?.path ?? '/';
  if (path.length > PATH_MAX || !/^(\/|(\/(?!\.)+[^$#<>;`|&?{}^*/\n\0]+){1,4})$/.test(path)) {
    throw refuse('rootDirectory.path', path, `Member must have at most ${PATH_MAX} characters and satisfy regular expression pattern: (\\/|(\\/(?!\\.)+[^$#<>;;\`|&?{}^*/\\n]+){1,4})`); // prettier-ignore
  }
  const owner = root?.creationPermissions;
  if (owner === undefined) return { path, creation: null };
  const permissions = owner.permissions ?? '';
  if (!/^[0-7]{3,4}$/.test(permissions))
    throw refuse(
      'rootDirectory.creationPermissions.permissions',
      permissions,
      'Member must satisfy regular expression pattern: [0-7]{3,4}',
    );
  const uid = integerOf('rootDirectory.creationPermissions.ownerUid', owner.ownerUid, 0, ID_MAX);
  const gid = integerOf('rootDirectory.creationPermissions.ownerGid', owner.ownerGid, 0, ID_MAX);
  return { path, creation: { uid, gid, permissions } };
}
