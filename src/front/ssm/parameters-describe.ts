/** DescribeParameters: what is known of parameters without their values. */
import type { DescribeParametersRequest, DescribeParametersResult } from '@aws-sdk/client-ssm';
import { limits } from '#base/limits.ts';
import type { Handler } from '#gateway/types.ts';
import { invalidParameter } from '#intent/index.ts';
import type { SecretDeps } from '#intent/index.ts';
import { readFilters, testsOf } from './filters.ts';
import { pageOf } from './input.ts';
import { operation } from './operation.ts';
import { metadataView } from './views.ts';

export function describeOperations(deps: SecretDeps): Handler[] {
  return [
    operation<DescribeParametersRequest, DescribeParametersResult>('DescribeParameters', async (input, { account, region }) => {
      if (input.Shared === true) return { Parameters: [] };
      if (input.Filters !== undefined && input.ParameterFilters !== undefined) {
        throw invalidParameter('You can use either Filters or ParameterFilters in a single request.');
      }
      const old = (input.Filters ?? []).map(({ Key = '', Values = [] }) => ({ key: Key, option: undefined, values: Values }));
      const tests = [
        ...testsOf(readFilters(input.ParameterFilters), ['Name', 'Type', 'KeyId', 'Path', 'Label', 'Tier', 'DataType', 'tag']),
        ...testsOf(old, ['Name', 'Type', 'KeyId']),
      ];
      const all = await deps.store.read((tx) => tx.parameters.list({ account, region }));
      const found = all.filter((parameter) => tests.every((test) => test(parameter)));
      const { page, next } = pageOf(found, input, limits.parametersPage, ({ key }) => key.name);
      return { Parameters: page.map(metadataView), ...next };
    }),
  ];
}
