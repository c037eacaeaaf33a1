import type {
  CreateSecurityGroupRequest,
  CreateSecurityGroupResult,
  DeleteSecurityGroupRequest,
  DeleteSecurityGroupResult,
} from '@aws-sdk/client-ec2';
import { ec2Arn } from '#domain/arn.ts';
import { createSecurityGroup, deleteSecurityGroup, ec2Fault, findSecurityGroup } from '#intent/index.ts';
import type { GroupRef, IntentDeps } from '#intent/index.ts';
import { ec2Operation, scopeOf } from './operation.ts';
import { tagViews } from './selection.ts';
import { tagsFor } from './tag-specifications.ts';

export const createSecurityGroupOperation = (deps: IntentDeps) =>
  ec2Operation<CreateSecurityGroupRequest, CreateSecurityGroupResult>('CreateSecurityGroup', async (input, context) => {
    const group = await createSecurityGroup(deps, scopeOf(context), {
      vpcId: input.VpcId,
      name: input.GroupName ?? '',
      description: input.Description ?? '',
      tags: tagsFor('security-group', input.TagSpecifications),
    });
    const { id } = group.key;
    return { GroupId: id, Tags: tagViews(group.tags), SecurityGroupArn: ec2Arn(group.key, `security-group/${id}`) };
  });

export const deleteSecurityGroupOperation = (deps: IntentDeps) =>
  ec2Operation<DeleteSecurityGroupRequest, DeleteSecurityGroupResult>('DeleteSecurityGroup', async (input, context) => {
    const scope = scopeOf(context);
    const group = await deps.store.read((tx) => findSecurityGroup(tx, scope, groupRef(input)));
    await deleteSecurityGroup(deps, scope, group.key.id);
    return { Return: true, GroupId: group.key.id };
  });

/** A group by id, or by name in the default VPC. Throws MissingParameter. */
export function groupRef(input: { GroupId?: string | undefined; GroupName?: string | undefined }): GroupRef {
  if (input.GroupId !== undefined) return { id: input.GroupId };
  if (input.GroupName !== undefined) return { name: input.GroupName };
  throw ec2Fault('MissingParameter', 'The request must contain the parameter GroupName or GroupId');
}
