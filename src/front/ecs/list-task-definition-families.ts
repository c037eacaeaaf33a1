import type { ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse } from '@aws-sdk/client-ecs';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { cutPage } from './page.ts';

/** A family is ACTIVE while one of its revisions is, else INACTIVE; both are listed unless one is asked for. */
export function listTaskDefinitionFamiliesOperation(
  deps: IntentDeps,
): Handler<ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse> {
  return {
    name: 'ListTaskDefinitionFamilies',
    async handle(input, { account, region }) {
      const records = await deps.store.read((tx) => tx.taskDefinitions.list({ account, region }));
      const active = new Set(records.filter((record) => record.status === 'ACTIVE').map((record) => record.key.family));
      const status = input.status ?? 'ALL';
      const families = [...new Set(records.filter((record) => record.status !== 'DELETE_IN_PROGRESS').map((record) => record.key.family))]
        .filter((family) => family.startsWith(input.familyPrefix ?? ''))
        .filter((family) => status === 'ALL' || (status === 'ACTIVE') === active.has(family))
        .toSorted();
      const { page, nextToken } = cutPage(families, input, (family) => family);
      return { families: page, nextToken };
    },
  };
}
