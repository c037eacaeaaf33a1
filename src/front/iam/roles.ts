/** Roles and instance profiles. The latter are kept for those who ask; no machine takes credentials from one. */
import type {
  AddRoleToInstanceProfileRequest,
  CreateInstanceProfileRequest,
  CreateRoleRequest,
  DeleteInstanceProfileRequest,
  DeleteRoleRequest,
  GetInstanceProfileRequest,
  GetRoleRequest,
  ListInstanceProfilesForRoleRequest,
  ListInstanceProfilesRequest,
  ListInstanceProfileTagsRequest,
  ListRolesRequest,
  RemoveRoleFromInstanceProfileRequest,
  TagInstanceProfileRequest,
  UntagInstanceProfileRequest,
  UpdateAssumeRolePolicyRequest,
  UpdateRoleDescriptionRequest,
  UpdateRoleRequest,
} from '@aws-sdk/client-iam';
import { iamScope, type InstanceProfileRecord } from '#domain/iam.ts';
import { clip } from '#domain/names.ts';
import type { CallContext, Operation } from '#gateway/types.ts';
import {
  addRoleToProfile,
  changeInstanceProfile,
  createInstanceProfile,
  createRole,
  deleteInstanceProfile,
  deleteRole,
  iamTags,
  noSuchEntity,
  removeRoleFromProfile,
  roleOf,
  updateRole,
} from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import { arnAt, iamOperation, listOf, readTags, resourcesOf, type IamDeps } from './operation.ts';
import { pageOf, underPath } from './page.ts';
import { instanceProfileView, roleView, tagViews } from './views.ts';

export function roleOperations(deps: IamDeps): Operation[] {
  const ofRole = ({ RoleName }: { RoleName: string | undefined }, context: CallContext) =>
    resourcesOf(deps, context, 'role', RoleName ?? '');
  return [
    iamOperation<CreateRoleRequest, object>(
      'CreateRole',
      (input, { account }) => [arnAt(account, 'role', input.Path, input.RoleName ?? '')],
      async (input, context) => {
        const { RoleName: name = '', Path: path, PermissionsBoundary: boundary, Tags, Description: description } = input;
        const wish = { name, path, boundary, tags: readTags(Tags), description, trust: input.AssumeRolePolicyDocument ?? '' };
        return { Role: roleView(await createRole(deps, context, { ...wish, maxSessionSeconds: input.MaxSessionDuration })) };
      },
    ),
    iamOperation<GetRoleRequest, object>('GetRole', ofRole, async (input, context) => ({
      Role: roleView(await deps.store.read((tx) => roleOf(tx, context, input.RoleName ?? ''))),
    })),
    iamOperation<ListRolesRequest, object>('ListRoles', listOf('role'), async (input, context) => {
      const all = await deps.store.read((tx) => tx.iamRoles.list(iamScope(context)));
      const { items, ...page } = pageOf(all.filter(underPath(input.PathPrefix)), input, ({ key }) => key.name);
      return { Roles: items.map((role) => roleView(role, false)), ...page };
    }),
    iamOperation<UpdateRoleRequest, object>('UpdateRole', ofRole, async (input, context) => {
      await updateRole(deps, context, input.RoleName ?? '', {
        description: input.Description,
        maxSessionSeconds: input.MaxSessionDuration,
      });
      return {};
    }),
    iamOperation<UpdateRoleDescriptionRequest, object>('UpdateRoleDescription', ofRole, async (input, context) => ({
      Role: roleView(await updateRole(deps, context, input.RoleName ?? '', { description: input.Description })),
    })),
    iamOperation<UpdateAssumeRolePolicyRequest, object>('UpdateAssumeRolePolicy', ofRole, async (input, context) => {
      await updateRole(deps, context, input.RoleName ?? '', { trust: input.PolicyDocument ?? '' });
      return {};
    }),
    iamOperation<DeleteRoleRequest, object>('DeleteRole', ofRole, async (input, context) => {
      await deleteRole(deps, context, input.RoleName ?? '');
      return {};
    }),
    iamOperation<ListInstanceProfilesForRoleRequest, object>('ListInstanceProfilesForRole', ofRole, async (input, context) => {
      const { items, ...page } = await deps.store.read(async (tx) => {
        const role = await roleOf(tx, context, input.RoleName ?? '');
        const all = await tx.iamInstanceProfiles.list(iamScope(context));
        return pageOf(
          all.filter((profile) => profile.role === role.key.name).map((profile) => instanceProfileView(profile, role)),
          input,
          profileName,
        );
      });
      return { InstanceProfiles: items, ...page };
    }),
    ...instanceProfileOperations(deps),
  ];
}

type Named = { InstanceProfileName: string | undefined };
const profileName = ({ InstanceProfileName: name }: Named): string => name ?? '';

function instanceProfileOperations(deps: IamDeps): Operation[] {
  const ofProfile = (input: Named, context: CallContext) => resourcesOf(deps, context, 'instance-profile', input.InstanceProfileName ?? '');
  const viewOf = async (tx: ReadTx, profile: InstanceProfileRecord) =>
    instanceProfileView(profile, profile.role === null ? undefined : await tx.iamRoles.get({ ...profile.key, name: profile.role }));
  const doing = <In extends Named>(name: string, act: (input: In, context: CallContext, profile: string) => Promise<void>) =>
    iamOperation<In, object>(name, ofProfile, async (input, context) => {
      await act(input, context, input.InstanceProfileName ?? '');
      return {};
    });
  const find = async (tx: ReadTx, context: CallContext, name: string) => {
    const profile = await tx.iamInstanceProfiles.get({ ...iamScope(context), name });
    if (profile === undefined) throw noSuchEntity(`Instance Profile ${clip(name)} cannot be found.`);
    return profile;
  };
  return [
    iamOperation<CreateInstanceProfileRequest, object>(
      'CreateInstanceProfile',
      (input, { account }) => [arnAt(account, 'instance-profile', input.Path, input.InstanceProfileName ?? '')],
      async (input, context) => {
        const wish = { name: input.InstanceProfileName ?? '', path: input.Path, tags: readTags(input.Tags) };
        return { InstanceProfile: instanceProfileView(await createInstanceProfile(deps, context, wish), undefined) };
      },
    ),
    iamOperation<GetInstanceProfileRequest, object>('GetInstanceProfile', ofProfile, async (input, context) => ({
      InstanceProfile: await deps.store.read(async (tx) => viewOf(tx, await find(tx, context, input.InstanceProfileName ?? ''))),
    })),
    iamOperation<ListInstanceProfilesRequest, object>('ListInstanceProfiles', listOf('instance-profile'), async (input, context) => {
      const all = await deps.store.read(async (tx) => {
        const profiles = (await tx.iamInstanceProfiles.list(iamScope(context))).filter(underPath(input.PathPrefix));
        return await Promise.all(profiles.map((profile) => viewOf(tx, profile)));
      });
      const { items, ...page } = pageOf(all, input, profileName);
      return { InstanceProfiles: items, ...page };
    }),
    doing<DeleteInstanceProfileRequest>('DeleteInstanceProfile', (_input, context, name) => deleteInstanceProfile(deps, context, name)),
    doing<AddRoleToInstanceProfileRequest>('AddRoleToInstanceProfile', (input, context, name) =>
      addRoleToProfile(deps, context, name, input.RoleName ?? ''),
    ),
    doing<RemoveRoleFromInstanceProfileRequest>('RemoveRoleFromInstanceProfile', (input, context, name) =>
      removeRoleFromProfile(deps, context, name, input.RoleName ?? ''),
    ),
    doing<TagInstanceProfileRequest>('TagInstanceProfile', (input, context, name) =>
      changeInstanceProfile(deps, context, name, async ({ tags }) => ({ tags: iamTags(tags, readTags(input.Tags)) })),
    ),
    doing<UntagInstanceProfileRequest>('UntagInstanceProfile', (input, context, name) =>
      changeInstanceProfile(deps, context, name, async ({ tags }) => ({ tags: tags.filter(({ key }) => !input.TagKeys?.includes(key)) })),
    ),
    iamOperation<ListInstanceProfileTagsRequest, object>('ListInstanceProfileTags', ofProfile, async (input, context) => {
      const { tags } = await deps.store.read((tx) => find(tx, context, input.InstanceProfileName ?? ''));
      const { items, ...page } = pageOf(tags, input, ({ key }) => key);
      return { Tags: tagViews(items), ...page };
    }),
  ];
}
