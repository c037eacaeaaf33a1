import type { DescribeTagsCommandInput, DescribeTagsCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { TagDescription } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { listElbTags, type IntentDeps } from '#intent/index.ts';
import { resourceArns, tagViews } from './input.ts';

type Output = Omit<DescribeTagsCommandOutput, '$metadata'>;

export function describeTagsOperation(deps: IntentDeps): Handler<DescribeTagsCommandInput, Output> {
  return {
    name: 'DescribeTags',
    async handle(input, { account, region }) {
      const scope = { account, region };
      return await deps.store.read(async (tx) => {
        const TagDescriptions: TagDescription[] = [];
        for (const arn of resourceArns(input.ResourceArns)) {
          TagDescriptions.push({ ResourceArn: arn, Tags: tagViews(await listElbTags(tx, scope, arn)) });
        }
        return { TagDescriptions };
      });
    },
  };
}
