import type { CreateTagsRequest, DeleteTagsRequest } from '@aws-sdk/client-ec2';
import { assertTags } from '#domain/tags.ts';
import { createEc2Tags, deleteEc2Tags, ec2Fault } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ec2Operation, scopeOf } from './operation.ts';

export const createTagsOperation = (deps: IntentDeps) =>
  ec2Operation<CreateTagsRequest, object>('CreateTags', async (input, context) => {
    const tags = assertTags((input.Tags ?? []).map(({ Key, Value }) => ({ key: Key, value: Value })));
    if (tags.length === 0) throw ec2Fault('MissingParameter', 'The request must contain the parameter tagSet');
    await createEc2Tags(deps, scopeOf(context), resources(input), tags);
    return {};
  });

export const deleteTagsOperation = (deps: IntentDeps) =>
  ec2Operation<DeleteTagsRequest, object>('DeleteTags', async (input, context) => {
    const tags = input.Tags?.map(({ Key: key = '', Value: value }) => ({ key, value }));
    await deleteEc2Tags(deps, scopeOf(context), resources(input), tags === undefined || tags.length === 0 ? undefined : tags);
    return {};
  });

function resources(input: CreateTagsRequest | DeleteTagsRequest): string[] {
  if ((input.Resources ?? []).length === 0) throw ec2Fault('MissingParameter', 'The request must contain the parameter resourceIdSet');
  return input.Resources ?? [];
}
