import type { ListTaskDefinitionsRequest, ListTaskDefinitionsResponse } from '@aws-sdk/client-ecs';
import { taskDefinitionArn } from '#domain/arn.ts';
import type { TaskDefinitionRecord } from '#domain/records.ts';
import type { Handler } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { cutPage } from './page.ts';

/** Sorted by family, then by revision as a number; ACTIVE ones unless asked otherwise. `familyPrefix` is a whole family name, as in AWS. */
export function listTaskDefinitionsOperation(deps: IntentDeps): Handler<ListTaskDefinitionsRequest, ListTaskDefinitionsResponse> {
  return {
    name: 'ListTaskDefinitions',
    async handle(input, { account, region }) {
      const family = input.familyPrefix;
      const records = await deps.store.read((tx) =>
        tx.taskDefinitions.list({ account, region, ...(family === undefined ? {} : { family }) }),
      );
      const status = input.status ?? 'ACTIVE';
      const sorted = records.filter((record) => record.status === status).toSorted(inOrder);
      if (input.sort === 'DESC') sorted.reverse();
      const arn = (record: TaskDefinitionRecord) => taskDefinitionArn(record.key, record.key.family, record.key.taskRevision);
      const { page, nextToken } = cutPage(sorted, input, arn);
      return { taskDefinitionArns: page.map(arn), nextToken };
    },
  };
}

function inOrder(a: TaskDefinitionRecord, b: TaskDefinitionRecord): number {
  if (a.key.family === b.key.family) return a.key.taskRevision - b.key.taskRevision;
  return a.key.family < b.key.family ? -1 : 1;
}
