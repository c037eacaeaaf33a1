/** Operations on event buses, and on tags of buses and rules. */
import type {
  CreateEventBusRequest,
  CreateEventBusResponse,
  DeleteEventBusRequest,
  DescribeEventBusRequest,
  DescribeEventBusResponse,
  EventBus,
  ListEventBusesRequest,
  ListEventBusesResponse,
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  TagResourceRequest,
  UntagResourceRequest,
  UpdateEventBusRequest,
  UpdateEventBusResponse,
} from '@aws-sdk/client-eventbridge';
import { busArn, DEFAULT_BUS } from '#domain/event.ts';
import type { EventBusRecord } from '#domain/event.ts';
import { clip } from '#domain/names.ts';
import type { Handler } from '#gateway/types.ts';
import { changeEventTags, createEventBus, deleteEventBus, eventsInvalid, eventsMissing, eventTags, updateEventBus } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { readTags, tagView } from '#gateway/key-value-tags.ts';
import { busOf, checkLength, checkName, pageOf } from './input.ts';

export function busOperations(deps: IntentDeps): Handler[] {
  return [create(deps), update(deps), remove(deps), describe(deps), list(deps), ...tagOperations(deps)];
}

function create(deps: IntentDeps): Handler<CreateEventBusRequest, CreateEventBusResponse> {
  return {
    name: 'CreateEventBus',
    async handle(input, context) {
      const foreign = (['EventSourceName', 'KmsKeyIdentifier', 'DeadLetterConfig', 'LogConfig'] as const).find(
        (member) => input[member] !== undefined,
      );
      if (foreign !== undefined) throw eventsInvalid(`berth has no ${foreign} for event buses.`);
      const name = checkName(input.Name, 'name', 256);
      const description = checkLength(input.Description, 'description', 512);
      await createEventBus(deps, context, name, { description, tags: readTags(input.Tags) });
      return { EventBusArn: busArn(context, name), ...(description === null ? {} : { Description: description }) };
    },
  };
}

function update(deps: IntentDeps): Handler<UpdateEventBusRequest, UpdateEventBusResponse> {
  return {
    name: 'UpdateEventBus',
    async handle(input, context) {
      const name = busOf(context, input.Name);
      await updateEventBus(deps, context, name, checkLength(input.Description, 'description', 512));
      return { Arn: busArn(context, name), Name: name };
    },
  };
}

function remove(deps: IntentDeps): Handler<DeleteEventBusRequest, object> {
  return {
    name: 'DeleteEventBus',
    async handle(input, context) {
      await deleteEventBus(deps, context, checkName(input.Name, 'name', 256));
      return {};
    },
  };
}

function describe(deps: IntentDeps): Handler<DescribeEventBusRequest, DescribeEventBusResponse> {
  return {
    name: 'DescribeEventBus',
    async handle(input, { account, region }) {
      const name = busOf({ account, region }, input.Name);
      const bus = await deps.store.read((tx) => tx.eventBuses.get({ account, region, name }));
      if (bus === undefined && name !== DEFAULT_BUS) throw eventsMissing(`Event bus ${clip(name)} does not exist.`);
      return bus === undefined ? { Name: DEFAULT_BUS, Arn: busArn({ account, region }, DEFAULT_BUS) } : busView(bus);
    },
  };
}

function list(deps: IntentDeps): Handler<ListEventBusesRequest, ListEventBusesResponse> {
  return {
    name: 'ListEventBuses',
    async handle(input, { account, region }) {
      const made = await deps.store.read((tx) => tx.eventBuses.list({ account, region }));
      const all = [
        { Name: DEFAULT_BUS, Arn: busArn({ account, region }, DEFAULT_BUS) },
        ...made.filter(({ key }) => key.name !== DEFAULT_BUS).map(busView),
      ];
      const wanted = all
        .filter(({ Name }) => (Name ?? '').startsWith(input.NamePrefix ?? ''))
        .sort((a, b) => ((a.Name ?? '') < (b.Name ?? '') ? -1 : 1));
      const { page, next } = pageOf(wanted, ({ Name }) => Name ?? '', { token: input.NextToken, most: input.Limit });
      return { EventBuses: page, NextToken: next };
    },
  };
}

function busView({ key, description, createdAt, updatedAt }: EventBusRecord): EventBus {
  const times = createdAt === 0 ? {} : { CreationTime: new Date(createdAt), LastModifiedTime: new Date(updatedAt) };
  return { Name: key.name, Arn: busArn(key, key.name), ...(description === null ? {} : { Description: description }), ...times };
}

function tagOperations(deps: IntentDeps): Handler[] {
  const listTags: Handler<ListTagsForResourceRequest, ListTagsForResourceResponse> = {
    name: 'ListTagsForResource',
    handle: async (input, context) => ({ Tags: tagView(await eventTags(deps, context, input.ResourceARN ?? '')) }),
  };
  const tag: Handler<TagResourceRequest, object> = {
    name: 'TagResource',
    async handle(input, context) {
      await changeEventTags(deps, context, input.ResourceARN ?? '', { set: readTags(input.Tags) });
      return {};
    },
  };
  const untag: Handler<UntagResourceRequest, object> = {
    name: 'UntagResource',
    async handle(input, context) {
      await changeEventTags(deps, context, input.ResourceARN ?? '', { remove: input.TagKeys ?? [] });
      return {};
    },
  };
  return [listTags, tag, untag];
}
