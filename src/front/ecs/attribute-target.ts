/** What PutAttributes and DeleteAttributes say of the targets of their attributes. */
import type { Attribute } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { clip } from '#domain/names.ts';

/** InvalidParameter for a malformed call, else TargetNotFoundException for its first target. */
export function targetNotFound(attributes: Attribute[] | undefined): Fault {
  const [first] = attributes ?? [];
  if (first === undefined || !first.name)
    return new Fault('InvalidParameter', 'Attributes should not be empty, and each must have a name.');
  if (first.targetType !== undefined && first.targetType !== 'container-instance') {
    return new Fault('InvalidParameter', `targetType '${clip(first.targetType)}' is not container-instance.`);
  }
  return new Fault('ResourceNotFound', `The specified target '${clip(first.targetId ?? '')}' was not found.`, {
    details: { errorName: 'TargetNotFoundException' },
  });
}
