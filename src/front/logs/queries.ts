/** Queries of Logs Insights. Reference: CloudWatch Logs API reference, StartQuery, GetQueryResults, StopQuery, DescribeQueries. */
import type {
  DescribeQueriesRequest,
  DescribeQueriesResponse,
  GetQueryResultsRequest,
  GetQueryResultsResponse,
  StartQueryRequest,
  StartQueryResponse,
  StopQueryRequest,
  StopQueryResponse,
} from '@aws-sdk/client-cloudwatch-logs';
import { Fault } from '#base/fault.ts';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import type { Scope } from '#domain/scope.ts';
import type { Handler } from '#gateway/types.ts';
import type { Logs, Query } from '#logs/types.ts';
import { nameOfIdentifier } from './arn.ts';
import { pageLimit } from './page.ts';

const missing = () => new Fault('ResourceNotFound', 'The specified query does not exist.');
/** Later than any time in seconds, earlier than most in milliseconds: callers give either. */
const SECONDS_END = 100_000_000_000;
const inMs = (time: number): number => (time < SECONDS_END ? time * 1000 : time);

/** The groups of a call, by any of its three members: only one of them may be there. */
function queriedGroups(input: StartQueryRequest, scope: Scope): string[] {
  const { logGroupName, logGroupNames, logGroupIdentifiers } = input;
  const given = [logGroupName === undefined ? undefined : [logGroupName], logGroupNames, logGroupIdentifiers].filter(
    (one) => one !== undefined,
  );
  const [groups, ...more] = given;
  if (groups === undefined || more.length > 0)
    throw new Fault('InvalidParameter', 'Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given.');
  if (groups.length < 1 || groups.length > 50)
    throw new Fault('InvalidParameter', `A query takes 1 to 50 log groups; there are ${groups.length}.`);
  return groups.map((one) => nameOfIdentifier(one, scope));
}

export function startQueryOperation(logs: Logs, random: Random): Handler<StartQueryRequest, StartQueryResponse> {
  return {
    name: 'StartQuery',
    async handle(input, scope) {
      const { queryLanguage = 'CWLI', startTime = 0, endTime = 0, queryString: query = '' } = input;
      if (queryLanguage !== 'CWLI') throw new Fault('Unsupported', `berth has queries in the language CWLI only, not ${queryLanguage}.`);
      if (startTime > endTime) throw new Fault('InvalidParameter', 'The start time of a query must not be after its end time.');
      const limit = pageLimit(input.limit, limits.logQueryRows);
      const to = inMs(endTime) + (endTime < SECONDS_END ? 999 : 0);
      const id = uuid(random);
      await logs.startQuery(scope, { id, query, groups: queriedGroups(input, scope), from: inMs(startTime), to, limit });
      return { queryId: id };
    },
  };
}

export function getQueryResultsOperation(logs: Logs): Handler<GetQueryResultsRequest, GetQueryResultsResponse> {
  return {
    name: 'GetQueryResults',
    async handle(input, scope) {
      const query = logs.query(scope, input.queryId ?? '');
      if (query === undefined) throw missing();
      const statistics = { estimatedRecordsSkipped: 0, estimatedBytesSkipped: 0, logGroupsScanned: query.groups.length };
      return { queryLanguage: 'CWLI', results: query.results, statistics: { ...query.statistics, ...statistics }, status: query.status };
    },
  };
}

export function stopQueryOperation(logs: Logs): Handler<StopQueryRequest, StopQueryResponse> {
  return {
    name: 'StopQuery',
    async handle(input, scope) {
      if (logs.query(scope, input.queryId ?? '') === undefined) throw missing();
      if (!logs.stopQuery(scope, input.queryId ?? '')) throw new Fault('InvalidParameter', 'The query has ended already.');
      return { success: true };
    },
  };
}

export function describeQueriesOperation(logs: Logs): Handler<DescribeQueriesRequest, DescribeQueriesResponse> {
  return {
    name: 'DescribeQueries',
    async handle({ logGroupName: group, status, maxResults }, scope) {
      const wanted = (one: Query) => (group === undefined || one.groups.includes(group)) && (status === undefined || one.status === status);
      const found = logs.queries(scope).filter(wanted).slice(0, pageLimit(maxResults, 1000));
      const queries = found.map(({ id, query, status: now, startedAt, tookMs, groups, statistics }) => {
        const { bytesScanned } = statistics;
        return {
          queryLanguage: 'CWLI' as const,
          queryId: id,
          queryString: query,
          status: now,
          createTime: startedAt,
          logGroupName: groups[0],
          queryDuration: tookMs,
          bytesScanned,
        };
      });
      return { queries };
    },
  };
}
