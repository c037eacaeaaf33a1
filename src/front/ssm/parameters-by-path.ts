/** GetParametersByPath: a level of the hierarchy, or all below it, in order of the names. */
import type { GetParametersByPathRequest, GetParametersByPathResult } from '@aws-sdk/client-ssm';
import { limits } from '#base/limits.ts';
import type { ParameterRecord } from '#domain/parameter.ts';
import type { Handler } from '#gateway/types.ts';
import { invalidParameter, openParameter } from '#intent/index.ts';
import type { SecretDeps } from '#intent/index.ts';
import { isUnder, readFilters, testsOf, type Filter } from './filters.ts';
import { pageOf } from './input.ts';
import { operation } from './operation.ts';
import { parameterView } from './views.ts';

export function byPathOperations(deps: SecretDeps): Handler[] {
  return [
    operation<GetParametersByPathRequest, GetParametersByPathResult>('GetParametersByPath', async (input, { account, region }) => {
      const { Path: path = '', Recursive: recursive = false, WithDecryption: decrypt = false } = input;
      if (!/^\/[a-zA-Z0-9_.\-/]*$/.test(path)) {
        throw invalidParameter(
          'The parameter doesn\'t meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.',
        );
      }
      const filters = readFilters(input.ParameterFilters);
      const tests = testsOf(filters, ['Type', 'KeyId', 'Label']);
      return await deps.store.read(async (tx) => {
        const all = await tx.parameters.list({ account, region });
        const found = all.filter((one) => isUnder(one.key.name, path, recursive) && tests.every((test) => test(one)));
        const { page, next } = pageOf(found, input, limits.parametersByPathPage, ({ key }) => key.name);
        const Parameters = await Promise.all(
          page.map(async (one) => {
            const opened = await openParameter(tx, deps.vault, { account, region }, selectorOf(one, filters));
            return parameterView(opened, decrypt);
          }),
        );
        return { Parameters, ...next };
      });
    }),
  ];
}

/** A filter on labels asks for the version that has the label, not for the newest. */
function selectorOf({ key, labels }: ParameterRecord, filters: readonly Filter[]): string {
  const wanted = filters.find((filter) => filter.key === 'Label')?.values.find((label) => labels[label] !== undefined);
  return wanted === undefined ? key.name : `${key.name}:${wanted}`;
}
