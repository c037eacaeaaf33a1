/** Users and their access keys. */
import type {
  CreateAccessKeyRequest,
  CreateUserRequest,
  DeleteAccessKeyRequest,
  DeleteUserRequest,
  GetUserRequest,
  ListAccessKeysRequest,
  ListUsersRequest,
  UpdateAccessKeyRequest,
  UpdateUserRequest,
} from '@aws-sdk/client-iam';
import { iamScope } from '#domain/iam.ts';
import type { CallContext, Operation } from '#gateway/types.ts';
import {
  activeOf,
  createAccessKey,
  createUser,
  deleteAccessKey,
  deleteUser,
  entityOf,
  iamFault,
  noSuchEntity,
  setAccessKeyActive,
  updateUser,
} from '#intent/index.ts';
import { arnAt, iamOperation, listOf, readTags, resourcesOf, type IamDeps } from './operation.ts';
import { pageOf, underPath } from './page.ts';
import { accessKeyView, userView } from './views.ts';

/** Whoever leaves out the name means themselves. */
function nameOf({ UserName }: { UserName?: string | undefined }, { principal }: Pick<CallContext, 'principal'>): string {
  if (UserName !== undefined) return UserName;
  if (principal.actor?.kind === 'user') return principal.actor.name;
  throw iamFault('ValidationError', 'Must specify userName when calling with non-User credentials');
}

export function userOperations(deps: IamDeps): Operation[] {
  const ofUser = async (input: { UserName?: string | undefined }, context: CallContext) =>
    await resourcesOf(deps, context, 'user', nameOf(input, context));
  return [
    iamOperation<CreateUserRequest, object>(
      'CreateUser',
      (input, { account }) => [arnAt(account, 'user', input.Path, input.UserName ?? '')],
      async (input, context) => {
        const { UserName: name = '', Path: path, PermissionsBoundary: boundary, Tags } = input;
        return { User: userView(await createUser(deps, context, { name, path, boundary, tags: readTags(Tags) })) };
      },
    ),
    iamOperation<GetUserRequest, object>(
      'GetUser',
      (input, context) => (isRootItself(input, context) ? [context.principal.arn] : ofUser(input, context)),
      async (input, context) => {
        const { account, arn } = context.principal;
        if (isRootItself(input, context)) {
          return { User: { Path: '/', UserName: 'root', UserId: account, Arn: arn, CreateDate: new Date(0) } };
        }
        return { User: userView(await deps.store.read((tx) => entityOf(tx, context, 'user', nameOf(input, context)))) };
      },
    ),
    iamOperation<ListUsersRequest, object>('ListUsers', listOf('user'), async (input, context) => {
      const all = await deps.store.read((tx) => tx.iamUsers.list(iamScope(context)));
      const { items, ...page } = pageOf(all.filter(underPath(input.PathPrefix)), input, ({ key }) => key.name);
      return { Users: items.map((user) => userView(user, false)), ...page };
    }),
    iamOperation<UpdateUserRequest, object>('UpdateUser', ofUser, async (input, context) => {
      await updateUser(deps, context, input.UserName ?? '', { name: input.NewUserName, path: input.NewPath });
      return {};
    }),
    iamOperation<DeleteUserRequest, object>('DeleteUser', ofUser, async (input, context) => {
      await deleteUser(deps, context, input.UserName ?? '');
      return {};
    }),
    ...absentOperations(deps, ofUser),
    ...accessKeyOperations(deps, ofUser),
  ];
}

type OfUser = { UserName?: string | undefined };

/** Operation and member of what no user has here. Who takes a user away first asks for all of it (Terraform's `force_destroy`). */
const absent: [name: string, member: string][] = [
  ['ListGroupsForUser', 'Groups'],
  ['ListMFADevices', 'MFADevices'],
  ['ListSSHPublicKeys', 'SSHPublicKeys'],
  ['ListSigningCertificates', 'Certificates'],
];

function absentOperations(deps: IamDeps, ofUser: (input: OfUser, context: CallContext) => Promise<string[]>): Operation[] {
  const assertUser = async (input: OfUser, context: CallContext) => {
    const name = nameOf(input, context);
    await deps.store.read((tx) => entityOf(tx, context, 'user', name));
    return name;
  };
  const noPassword = (name: string) =>
    iamOperation<OfUser, object>(name, ofUser, async (input, context) => {
      throw noSuchEntity(`Login Profile for User ${await assertUser(input, context)} cannot be found.`);
    });
  return [
    ...absent.map(([name, member]) =>
      iamOperation<OfUser, object>(name, ofUser, async (input, context) => {
        await assertUser(input, context);
        return { [member]: [], IsTruncated: false };
      }),
    ),
    iamOperation<OfUser, object>('ListServiceSpecificCredentials', ofUser, async (input, context) => {
      await assertUser(input, context);
      return { ServiceSpecificCredentials: [] };
    }),
    iamOperation<object, object>(
      'ListVirtualMFADevices',
      () => ['*'],
      async () => ({ VirtualMFADevices: [], IsTruncated: false }),
    ),
    noPassword('GetLoginProfile'),
    noPassword('DeleteLoginProfile'),
  ];
}

const isRootItself = ({ UserName }: GetUserRequest, { principal }: CallContext) => UserName === undefined && principal.actor === undefined;

function accessKeyOperations(
  deps: IamDeps,
  ofUser: (input: { UserName?: string | undefined }, context: CallContext) => Promise<string[]>,
): Operation[] {
  // prettier-ignore
  return [
    iamOperation<CreateAccessKeyRequest, object>('CreateAccessKey', ofUser, async (input, context) => {
      const { record, secret } = await createAccessKey(deps, context, nameOf(input, context), deps.identity.sealSecret);
      return { AccessKey: { ...accessKeyView(record), SecretAccessKey: secret } };
    }),
    iamOperation<ListAccessKeysRequest, object>('ListAccessKeys', ofUser, async (input, context) => {
      const name = nameOf(input, context);
      const all = await deps.store.read(async (tx) => {
        await entityOf(tx, context, 'user', name);
        return await tx.iamAccessKeys.list(iamScope(context));
      });
      const keys = all.filter((key) => key.user === name).toSorted((a, b) => a.createdAt - b.createdAt);
      const { items, ...page } = pageOf(keys, input, ({ key }) => key.id);
      return { AccessKeyMetadata: items.map(accessKeyView), ...page };
    }),
    iamOperation<UpdateAccessKeyRequest, object>('UpdateAccessKey', ofUser, async (input, context) => {
      await setAccessKeyActive(deps, context, nameOf(input, context), input.AccessKeyId ?? '', activeOf(input.Status));
      return {};
    }),
    iamOperation<DeleteAccessKeyRequest, object>('DeleteAccessKey', ofUser, async (input, context) => {
      await deleteAccessKey(deps, context, nameOf(input, context), input.AccessKeyId ?? '');
      return {};
    }),
  ];
}
