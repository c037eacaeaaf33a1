/** Operations on groups of schedules, and on their tags. */
import type {
  CreateScheduleGroupInput,
  CreateScheduleGroupOutput,
  DeleteScheduleGroupInput,
  GetScheduleGroupInput,
  GetScheduleGroupOutput,
  ListScheduleGroupsInput,
  ListScheduleGroupsOutput,
  ListTagsForResourceInput,
  ListTagsForResourceOutput,
  TagResourceInput,
  UntagResourceInput,
} from '@aws-sdk/client-scheduler';
import { scheduleGroupArn } from '#domain/event.ts';
import type { ScheduleGroupRecord } from '#domain/event.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { changeScheduleGroupTags, createScheduleGroup, deleteScheduleGroup, eventsInvalid, scheduleGroupOf } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { readTags, tagView } from '#gateway/key-value-tags.ts';
import { checkName, pageOf } from '../events/input.ts';
import { tokenOf } from './client-token.ts';

const handler = <In, Out>(name: string, handle: (input: In, context: CallContext) => Promise<Out>): Handler<In, Out> => ({ name, handle });

export function groupOperations(deps: IntentDeps): Handler[] {
  return [
    handler<CreateScheduleGroupInput, CreateScheduleGroupOutput>('CreateScheduleGroup', async (input, context) => {
      const name = checkName(input.Name, 'name');
      const { account, region } = context;
      await createScheduleGroup(deps, context, name, readTags(input.Tags), tokenOf(input));
      return { ScheduleGroupArn: scheduleGroupArn({ account, region, name }) };
    }),
    handler<GetScheduleGroupInput, GetScheduleGroupOutput>('GetScheduleGroup', async (input, context) =>
      groupView(await deps.store.read((tx) => scheduleGroupOf(tx, context, checkName(input.Name, 'name')))),
    ),
    handler<DeleteScheduleGroupInput, object>('DeleteScheduleGroup', async (input, context) => {
      await deleteScheduleGroup(deps, context, checkName(input.Name, 'name'), tokenOf(input));
      return {};
    }),
    handler<ListScheduleGroupsInput, ListScheduleGroupsOutput>('ListScheduleGroups', async (input, context) => {
      const { account, region } = context;
      const groups = await deps.store.read(async (tx) => {
        const made = (await tx.scheduleGroups.list({ account, region })).filter(({ key }) => key.name !== 'default');
        return [await scheduleGroupOf(tx, context, 'default'), ...made];
      });
      const wanted = groups
        .filter(({ key }) => key.name.startsWith(input.NamePrefix ?? ''))
        .sort((a, b) => (a.key.name < b.key.name ? -1 : 1));
      const { page, next } = pageOf(wanted, ({ key }) => key.name, { token: input.NextToken, most: input.MaxResults });
      return { ScheduleGroups: page.map(groupView), NextToken: next };
    }),
    handler<ListTagsForResourceInput, ListTagsForResourceOutput>('ListTagsForResource', async (input, context) => {
      const name = mustBeGroup(context, input.ResourceArn);
      return {
        Tags: tagView((await deps.store.read((tx) => scheduleGroupOf(tx, context, name))).tags) as ListTagsForResourceOutput['Tags'],
      };
    }),
    handler<TagResourceInput, object>('TagResource', async (input, context) => {
      await changeScheduleGroupTags(deps, context, mustBeGroup(context, input.ResourceArn), { set: readTags(input.Tags) });
      return {};
    }),
    handler<UntagResourceInput, object>('UntagResource', async (input, context) => {
      await changeScheduleGroupTags(deps, context, mustBeGroup(context, input.ResourceArn), { remove: input.TagKeys ?? [] });
      return {};
    }),
  ];
}

/** Only groups have tags. undefined for what is no group of this account and region. */
export function groupOfArn({ account, region }: Scope, arn: string): string | undefined {
  const prefix = scheduleGroupArn({ account, region, name: '' });
  return arn.startsWith(prefix) && arn.length > prefix.length ? arn.slice(prefix.length) : undefined;
}

function mustBeGroup(scope: Scope, arn = ''): string {
  const name = groupOfArn(scope, arn);
  if (name === undefined) throw eventsInvalid(`Provided ResourceArn ${clip(arn)} names no schedule group of this account and region.`);
  return checkName(name, 'resourceArn');
}

function groupView({ key, createdAt, updatedAt }: ScheduleGroupRecord): GetScheduleGroupOutput {
  return {
    Arn: scheduleGroupArn(key),
    Name: key.name,
    State: 'ACTIVE',
    CreationDate: new Date(createdAt),
    LastModificationDate: new Date(updatedAt),
  };
}
