/** Tags that are set while something is made need ecs:TagResource too, once the account's setting `tagResourceAuthorization` is on (developer guide, "Tagging authorization"). */
import type { Tag } from '@aws-sdk/client-ecs';
import type { Scope } from '#domain/scope.ts';
import { requestTags } from '#gateway/access.ts';
import type { AccessRow, CallContext } from '#gateway/types.ts';
import { effectiveSetting, type IntentDeps } from '#intent/index.ts';

type Making = { tags?: Tag[] | undefined };

export function alsoTagging({ store }: IntentDeps) {
  const also =
    (operation: string, arnOf: (input: any, scope: Scope) => string): NonNullable<AccessRow['also']> =>
    (input: Making, context: CallContext) => {
      if (input.tags === undefined || input.tags.length === 0) return [];
      return asked(operation, arnOf(input, context), input.tags, context);
    };
  return also;

  async function asked(operation: string, arn: string, tags: Tag[], context: CallContext) {
    const setting = await store.read((tx) => effectiveSetting(tx, context, context.principal.arn, 'tagResourceAuthorization'));
    if (setting !== 'on') return [];
    return [
      {
        action: 'ecs:TagResource',
        resources: [arn],
        facts: { ...requestTags(tags), 'ecs:CreateAction': operation },
      },
    ];
  }
}
