import type { CallContext, Operation } from '#gateway/types.ts';
import { assertNotDryRun } from './errors.ts';

/** An operation of EC2; a dry run ends before `handle`. None of these has resource-level permissions that matter here. */
export function ec2Operation<In extends { DryRun?: boolean | undefined }, Out>(
  name: string,
  handle: (input: In, context: CallContext) => Promise<Out>,
): Operation<In, Out> {
  return {
    name,
    action: `ec2:${name}`,
    resources: () => ['*'],
    async handle(input, context) {
      assertNotDryRun(input);
      return await handle(input, context);
    },
  };
}

/** The part of a context that rows are kept under. */
export const scopeOf = ({ account, region }: CallContext) => ({ account, region });
