/** An operation of EFS on one resource or on all. */
import { accessPointArn, fileSystemArn } from '#domain/file-system.ts';
import type { CallContext, Operation } from '#gateway/types.ts';

/** `idOf`: the file system or access point that a call touches. */
export function efsOperation<In, Out>(
  name: string,
  idOf: (input: In) => string | undefined,
  handle: (input: In, context: CallContext) => Promise<Out>,
): Operation<In, Out> {
  return {
    name,
    action: `elasticfilesystem:${name}`,
    resources(input, { account, region }) {
      const id = idOf(input);
      if (id === undefined || id.startsWith('arn:')) return [id ?? '*'];
      return [id.startsWith('fsap-') ? accessPointArn({ account, region, id }) : fileSystemArn({ account, region, id })];
    },
    handle,
  };
}
