/**
 * What IAM is asked before each operation of CloudWatch Logs. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon
 * CloudWatch Logs".
 */
import type { Scope } from '#domain/scope.ts';
import { anything, ifThere, requestTags, resourceTags, type AccessTable } from '#gateway/access.ts';
import type { AccessRow, Resource } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { groupArn, groupNameOf, nameOfArn, nameOfIdentifier, streamArn } from './arn.ts';
import { tagsOf } from './tags.ts';

type OfGroup = { logGroupName?: string | undefined; logGroupIdentifier?: string | undefined };
type OfStream = OfGroup & { logStreamName?: string | undefined };

type QueriedGroups = { logGroupName?: string; logGroupNames?: string[]; logGroupIdentifiers?: string[] };

export function logsAccess(logs: Logs): AccessTable {
  const ofGroup: AccessRow<OfGroup> = { resources: (input, scope) => [group(scope, groupNameOf(input, scope))] };
  const ofNamed: AccessRow<OfGroup> = { resources: ({ logGroupName: name = '' }, scope) => [group(scope, name)] };
  const ofStream: AccessRow<OfStream> = {
    resources: (input, scope) => [streamArn(scope, groupNameOf(input, scope), input.logStreamName ?? '')],
  };
  const ofNewStream: AccessRow<OfStream> = {
    resources: ({ logGroupName: name = '', logStreamName: stream = '' }, scope) => [streamArn(scope, name, stream)],
  };
  const ofArn: AccessRow<{ resourceArn?: string | undefined }> = {
    resources: ({ resourceArn: arn = '' }, scope) => [group(scope, nameOfArn(arn, scope))],
  };
  return {
    vendor: 'logs',
    about: async (arn, scope) => {
      const [name = ''] = arn.slice(groupArn(scope, '').length).split(':');
      return resourceTags(await ifThere(() => tagsOf(logs, scope, name)));
    },
    rows: {
      CreateLogGroup: { ...ofNamed, facts: ({ tags }) => requestTags(tags) } satisfies AccessRow,
      CreateLogStream: ofNewStream,
      DeleteLogGroup: ofNamed,
      DeleteLogStream: ofNewStream,
      DeleteMetricFilter: ofNamed,
      DeleteQueryDefinition: { resources: anything },
      DeleteRetentionPolicy: ofNamed,
      DescribeLogGroups: { resources: (input, scope) => describedGroups(scope, input.logGroupIdentifiers) },
      DescribeLogStreams: ofGroup,
      DescribeMetricFilters: { resources: ({ logGroupName: name }, scope) => describedGroups(scope, name === undefined ? [] : [name]) },
      DescribeQueries: { resources: anything },
      DescribeQueryDefinitions: { resources: anything },
      DescribeSubscriptionFilters: ofNamed,
      FilterLogEvents: ofGroup,
      GetLogEvents: ofStream,
      GetQueryResults: {
        resources: ({ queryId: id = '' }, scope) => (logs.query(scope, id)?.groups ?? ['*']).map((name) => group(scope, name)),
      },
      ListTagsForResource: ofArn,
      ListTagsLogGroup: ofNamed,
      PutLogEvents: ofNewStream,
      PutLogGroupDeletionProtection: {
        resources: ({ logGroupIdentifier: named = '' }, scope) => [group(scope, nameOfIdentifier(named, scope))],
      },
      PutMetricFilter: ofNamed,
      PutQueryDefinition: { resources: anything },
      PutRetentionPolicy: ofNamed,
      StartLiveTail: {
        resources: ({ logGroupIdentifiers: named = [] }: { logGroupIdentifiers?: string[] }, scope) =>
          named.map((one) => group(scope, nameOfIdentifier(one, scope))),
      },
      // Any of the three members may name them; that it is one alone is checked later.
      StartQuery: {
        resources: ({ logGroupName: one, logGroupNames: names = [], logGroupIdentifiers: named = [] }: QueriedGroups, scope) =>
          [...(one === undefined ? [] : [one]), ...names, ...named].map((name) => group(scope, nameOfIdentifier(name, scope))),
      },
      StopQuery: { resources: anything },
      TagLogGroup: { ...ofNamed, facts: ({ tags }) => requestTags(tags) } satisfies AccessRow,
      TagResource: { ...ofArn, facts: ({ tags }) => requestTags(tags) } satisfies AccessRow,
      TestMetricFilter: { resources: anything },
      UntagLogGroup: { ...ofNamed, facts: ({ tags }) => requestTags([], tags) } satisfies AccessRow,
      UntagResource: { ...ofArn, facts: ({ tagKeys }) => requestTags([], tagKeys) } satisfies AccessRow,
    },
  };
}

/**
 * A log group as AWS's texts name it, ending in `:log-stream:`: that is why policies about `log-group:NAME:*` reach it. The Service Authorization Reference
 * has it without, so that `log-group:NAME` is a group too.
 */
export function group(scope: Scope, name: string): Resource {
  return { arn: `${groupArn(scope, name)}:log-stream:`, alias: groupArn(scope, name) };
}

/** Without names the whole list, of a group without a name (AWS's texts: `log-group::log-stream:`). */
function describedGroups(scope: Scope, identifiers: string[] | undefined): Resource[] {
  const names = identifiers?.map((identifier) => nameOfIdentifier(identifier, scope)) ?? [];
  return names.length === 0
    ? [{ arn: `${groupArn(scope, '')}:log-stream:`, alias: groupArn(scope, '*') }]
    : names.map((name) => group(scope, name));
}
