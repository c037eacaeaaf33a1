/** What IAM is asked before each operation of EventBridge. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EventBridge". */
import { busArn, DEFAULT_BUS, ruleArn } from '#domain/event.ts';
import type { Scope } from '#domain/scope.ts';
import { anything, ifThere, requestTags, resourceTags, type AccessTable } from '#gateway/access.ts';
import type { AccessRow, OwnFacts } from '#gateway/types.ts';
import { eventTags, type IntentDeps } from '#intent/index.ts';

type OfRule = { Name?: string | undefined; Rule?: string | undefined; EventBusName?: string | undefined };
type Named = { Name?: string | undefined };

export function eventsAccess(deps: IntentDeps): AccessTable {
  const ofRule: AccessRow<OfRule> = {
    resources: ({ Name, Rule, EventBusName }, { account, region }) => [
      ruleArn({ account, region, bus: busName(EventBusName), name: Name ?? Rule ?? '*' }),
    ],
    facts: (_input, { account }) => ({ 'events:creatorAccount': account }),
  };
  const ofBus: AccessRow<Named> = { resources: ({ Name }, scope) => [busArn(scope, busName(Name))] };
  const creator = (_input: unknown, { account }: Scope) => ({ 'events:creatorAccount': account });
  const ofResource: AccessRow<{ ResourceARN?: string | undefined }> = {
    resources: ({ ResourceARN = '' }) => [ResourceARN],
    facts: creator,
  };
  const ofConnection = kind('connection');
  const ofDestination = kind('api-destination');
  return {
    vendor: 'events',
    about: async (arn, scope) => (/:(rule|event-bus)\//.test(arn) ? resourceTags(await ifThere(() => eventTags(deps, scope, arn))) : {}),
    rows: {
      PutRule: {
        resources: ofRule.resources,
        facts: (input, { account }) => ({
          'events:creatorAccount': account,
          ...patternFacts(input.EventPattern),
          ...requestTags(input.Tags),
        }),
      },
      DescribeRule: ofRule,
      DeleteRule: ofRule,
      EnableRule: ofRule,
      DisableRule: ofRule,
      PutTargets: {
        resources: ofRule.resources,
        facts: (input: { Targets?: { Arn?: string }[] }, { account }) => ({
          'events:creatorAccount': account,
          'events:TargetArn': (input.Targets ?? []).map(({ Arn }) => Arn ?? ''),
        }),
      },
      RemoveTargets: ofRule,
      ListTargetsByRule: ofRule,
      ListRules: { resources: anything },
      ListRuleNamesByTarget: { resources: anything },
      CreateEventBus: { ...ofBus, facts: ({ Tags }) => requestTags(Tags) } satisfies AccessRow,
      UpdateEventBus: ofBus,
      DeleteEventBus: ofBus,
      DescribeEventBus: ofBus,
      ListEventBuses: { resources: anything },
      ListTagsForResource: ofResource,
      TagResource: {
        ...ofResource,
        facts: (input, scope) => ({ ...creator(input, scope), ...requestTags(input.Tags) }),
      } satisfies AccessRow,
      UntagResource: {
        ...ofResource,
        facts: (input, scope) => ({ ...creator(input, scope), ...requestTags([], input.TagKeys) }),
      } satisfies AccessRow,
      CreateConnection: ofConnection,
      UpdateConnection: ofConnection,
      DeleteConnection: ofConnection,
      DescribeConnection: ofConnection,
      ListConnections: { resources: anything },
      CreateApiDestination: ofDestination,
      UpdateApiDestination: ofDestination,
      DeleteApiDestination: ofDestination,
      DescribeApiDestination: ofDestination,
      ListApiDestinations: { resources: anything },
      PutEvents: {
        resources: ({ Entries }: Put, scope) => [
          ...new Set((Entries ?? []).map(({ EventBusName }) => busArn(scope, busName(EventBusName)))),
        ],
        facts: ({ Entries = [] }: Put) => ({
          'events:source': [...new Set(Entries.map(({ Source }) => Source ?? ''))],
          'events:detail-type': [...new Set(Entries.map(({ DetailType }) => DetailType ?? ''))],
        }),
      },
      TestEventPattern: { resources: anything },
    },
  };
}

type Put = { Entries?: { EventBusName?: string; Source?: string; DetailType?: string }[] };

/** By name; the id at the end of its ARN isn't known to the caller. */
function kind(noun: 'connection' | 'api-destination'): AccessRow<Named> {
  return { resources: ({ Name = '*' }, { account, region }: Scope) => [`arn:aws:events:${region}:${account}:${noun}/${Name}`] };
}

/** A bus is named by its name or ARN; what is neither, the operation refuses. */
const busName = (ref: string | undefined) => (ref === undefined || ref === '' ? DEFAULT_BUS : (ref.split('event-bus/')[1] ?? ref));

/** What rules somebody may make is often bound to the source of their events. */
function patternFacts(pattern: string | undefined): OwnFacts {
  let read: unknown;
  try {
    read = JSON.parse(pattern ?? '{}');
  } catch {
    return {};
  }
  const facts: OwnFacts = {};
  for (const path of ['source', 'detail-type', 'detail.service', 'detail.eventTypeCode', 'detail.userIdentity.principalId']) {
    let values: unknown = read;
    for (const name of path.split('.'))
      values = typeof values === 'object' && values !== null ? (values as Record<string, unknown>)[name] : undefined;
    if (Array.isArray(values) && values.every((one) => typeof one === 'string')) facts[`events:${path}`] = values as string[];
  }
  return facts;
}
