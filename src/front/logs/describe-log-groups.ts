import type { DescribeLogGroupsRequest, DescribeLogGroupsResponse } from '@aws-sdk/client-cloudwatch-logs';
import { Fault } from '#base/fault.ts';
import type { Scope } from '#domain/scope.ts';
import type { Handler } from '#gateway/types.ts';
import type { Logs } from '#logs/types.ts';
import { nameOfIdentifier } from './arn.ts';
import { decodeToken, encodeToken, pageLimit } from './page.ts';
import { groupView } from './views.ts';

export function describeLogGroupsOperation(logs: Logs): Handler<DescribeLogGroupsRequest, DescribeLogGroupsResponse> {
  async function named(identifiers: string[], scope: Scope) {
    const groups = await Promise.all(identifiers.slice(0, 50).map((one) => logs.getGroup(scope, nameOfIdentifier(one, scope))));
    return groups.filter((group) => group !== undefined).map(groupView);
  }

  return {
    name: 'DescribeLogGroups',
    async handle(input, scope) {
      const { logGroupNamePrefix: prefix, logGroupNamePattern: pattern, logGroupIdentifiers: identifiers, logGroupClass: kind } = input;
      if (prefix !== undefined && pattern !== undefined) {
        throw new Fault('InvalidParameter', 'LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.');
      }
      if (kind !== undefined && kind !== 'STANDARD' && kind !== 'INFREQUENT_ACCESS') return { logGroups: [] };
      const limit = pageLimit(input.limit, 50);
      if (identifiers !== undefined) return { logGroups: await named(identifiers, scope) };
      const filter = {
        ...(prefix === undefined ? {} : { prefix }),
        ...(pattern === undefined ? {} : { pattern }),
        ...(kind === undefined ? {} : { class: kind }),
      };
      const { groups, next } = await logs.listGroups(scope, { ...filter, ...decodeToken(input.nextToken), limit });
      return { logGroups: groups.map(groupView), nextToken: encodeToken(next) };
    },
  };
}
