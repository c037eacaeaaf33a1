/** An operation of EFS. */
import type { CallContext, Handler } from '#gateway/types.ts';

export const efsOperation = <In, Out>(name: string, handle: (input: In, context: CallContext) => Promise<Out>): Handler<In, Out> => ({
  name,
  handle,
});
