import type { ResourceType, TagSpecification } from '@aws-sdk/client-ec2';
import { Fault } from '#base/fault.ts';
import { assertTags } from '#domain/tags.ts';
import type { Tag } from '#domain/task.ts';

/** Tags of what is made. Throws InvalidParameterValue for tags of another kind of resource. */
export function tagsFor(type: ResourceType, specifications: TagSpecification[] | undefined): Tag[] {
  const foreign = (specifications ?? []).find((specification) => specification.ResourceType !== type);
  if (foreign !== undefined) {
    const given = String(foreign.ResourceType).slice(0, 100);
    throw new Fault('InvalidParameter', `'${given}' is not a valid taggable resource type for this operation.`);
  }
  const tags = (specifications ?? []).flatMap((specification) => specification.Tags ?? []);
  return assertTags(tags.map(({ Key, Value }) => ({ key: Key, value: Value })));
}
