/** Saved queries. Reference: CloudWatch Logs API reference, PutQueryDefinition, DescribeQueryDefinitions, DeleteQueryDefinition. */
import type {
  DeleteQueryDefinitionRequest,
  DeleteQueryDefinitionResponse,
  DescribeQueryDefinitionsRequest,
  DescribeQueryDefinitionsResponse,
  PutQueryDefinitionRequest,
  PutQueryDefinitionResponse,
  QueryDefinition as ApiDefinition,
} from '@aws-sdk/client-cloudwatch-logs';
import { Fault } from '#base/fault.ts';
import { uuid } from '#base/ids.ts';
import type { Random } from '#base/random.ts';
import type { Handler } from '#gateway/types.ts';
import type { Logs, QueryDefinition } from '#logs/types.ts';
import { decodeToken, encodeToken, pageLimit } from './page.ts';

const missing = () => new Fault('ResourceNotFound', 'The specified query definition does not exist.');

export function putQueryDefinitionOperation(logs: Logs, random: Random): Handler<PutQueryDefinitionRequest, PutQueryDefinitionResponse> {
  return {
    name: 'PutQueryDefinition',
    async handle(input, scope) {
      const { name = '', queryString: query = '', logGroupNames: groups = [], queryDefinitionId, queryLanguage = 'CWLI' } = input;
      if (queryLanguage !== 'CWLI') throw new Fault('Unsupported', `berth has queries in the language CWLI only, not ${queryLanguage}.`);
      if (input.parameters !== undefined && input.parameters.length > 0)
        throw new Fault('Unsupported', 'berth has no parameters of saved queries yet; leave out parameters.');
      if (name.length < 1 || name.length > 255)
        throw new Fault('InvalidParameter', `name takes 1 to 255 characters; it has ${name.length}.`);
      if (query.length < 1 || query.length > 10_000)
        throw new Fault('InvalidParameter', `queryString takes 1 to 10000 characters; it has ${query.length}.`);
      if (queryDefinitionId !== undefined && !logs.queryDefinitions(scope).some(({ id }) => id === queryDefinitionId)) throw missing();
      const id = queryDefinitionId ?? uuid(random);
      await logs.putQueryDefinition(scope, { id, name, query, groups });
      return { queryDefinitionId: id };
    },
  };
}

export function deleteQueryDefinitionOperation(logs: Logs): Handler<DeleteQueryDefinitionRequest, DeleteQueryDefinitionResponse> {
  return {
    name: 'DeleteQueryDefinition',
    async handle(input, scope) {
      if (!(await logs.deleteQueryDefinition(scope, input.queryDefinitionId ?? ''))) throw missing();
      return { success: true };
    },
  };
}

export function describeQueryDefinitionsOperation(logs: Logs): Handler<DescribeQueryDefinitionsRequest, DescribeQueryDefinitionsResponse> {
  return {
    name: 'DescribeQueryDefinitions',
    async handle(input, scope) {
      const { queryDefinitionNamePrefix: prefix = '' } = input;
      const limit = pageLimit(input.maxResults, 1000);
      const { after = '' } = decodeToken(input.nextToken);
      const found = logs.queryDefinitions(scope).filter((one) => one.name.startsWith(prefix) && placeOf(one) > after);
      const page = found.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1)).slice(0, limit);
      const last = page.at(-1);
      return {
        queryDefinitions: page.map(view),
        nextToken: found.length > limit && last !== undefined ? encodeToken(placeOf(last)) : undefined,
      };
    },
  };
}

const placeOf = ({ name, id }: QueryDefinition): string => `${name}\n${id}`;

function view({ id, name, query, groups, modifiedAt }: QueryDefinition): ApiDefinition {
  return {
    queryLanguage: 'CWLI',
    queryDefinitionId: id,
    name,
    queryString: query,
    lastModified: modifiedAt,
    ...(groups.length === 0 ? {} : { logGroupNames: groups }),
  };
}
