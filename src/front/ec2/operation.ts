import type { CallContext, Handler } from '#gateway/types.ts';
import { assertNotDryRun } from './errors.ts';

/** An operation of EC2; a dry run ends before `handle`. */
export function ec2Operation<In extends { DryRun?: boolean | undefined }, Out>(
  name: string,
  handle: (input: In, context: CallContext) => Promise<Out>,
): Handler<In, Out> {
  return {
    name,
    async handle(input, context) {
      assertNotDryRun(input);
      return await handle(input, context);
    },
  };
}

/** The part of a context that rows are kept under. */
export const scopeOf = ({ account, region }: CallContext) => ({ account, region });
