/** An operation of S3 Files. */
import type { CallContext, Handler } from '#gateway/types.ts';
import { withErrorCode } from './errors.ts';

export const s3FilesOperation = <In, Out>(name: string, handle: (input: In, context: CallContext) => Promise<Out>): Handler<In, Out> => ({
  name,
  handle: (input, context) => withErrorCode(() => handle(input, context)),
});
