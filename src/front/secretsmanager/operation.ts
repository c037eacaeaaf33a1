/** A handler of Secrets Manager. */
import type { CallContext, Handler } from '#gateway/types.ts';

export const operation = <In, Out>(name: string, handle: (input: In, context: CallContext) => Promise<Out>): Handler<In, Out> => ({
  name,
  handle,
});
