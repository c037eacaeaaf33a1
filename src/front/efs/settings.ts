/** What is kept with a file system and read back: its tags, lifecycle and backup policies; and the policy that it hasn't. */
import type {
  BackupPolicyDescription,
  DescribeBackupPolicyRequest,
  DescribeFileSystemPolicyRequest,
  DescribeLifecycleConfigurationRequest,
  LifecycleConfigurationDescription,
  LifecyclePolicy,
  ListTagsForResourceRequest,
  ListTagsForResourceResponse,
  PutBackupPolicyRequest,
  PutLifecycleConfigurationRequest,
  TagResourceRequest,
  UntagResourceRequest,
} from '@aws-sdk/client-efs';
import { efsIdOf } from '#domain/file-system.ts';
import { mergeTags, withoutTags } from '#domain/tags.ts';
import type { Handler } from '#gateway/types.ts';
import { accessPointOf, changeFileSystem, efsFault, fileSystemOf, setEfsTags } from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { readTags, tagView } from '#gateway/key-value-tags.ts';
import { oneOf } from './input.ts';
import { efsOperation } from './operation.ts';

const backupView = (backup: boolean): BackupPolicyDescription => ({ BackupPolicy: { Status: backup ? 'ENABLED' : 'DISABLED' } });

export function settingsOperations(deps: IntentDeps): Handler[] {
  return [
    efsOperation<DescribeLifecycleConfigurationRequest, LifecycleConfigurationDescription>(
      'DescribeLifecycleConfiguration',
      async (input, context) => {
        const system = await deps.store.read((tx) => fileSystemOf(tx, context, input.FileSystemId ?? ''));
        return { LifecyclePolicies: system.lifecycle };
      },
    ),
    efsOperation<PutLifecycleConfigurationRequest, LifecycleConfigurationDescription>(
      'PutLifecycleConfiguration',
      async (input, context) => {
        const lifecycle = (input.LifecyclePolicies ?? []).map(lifecycleOf);
        const system = await changeFileSystem(deps, context, input.FileSystemId ?? '', () => ({ lifecycle }));
        return { LifecyclePolicies: system.lifecycle };
      },
    ),
    efsOperation<DescribeBackupPolicyRequest, BackupPolicyDescription>('DescribeBackupPolicy', async (input, context) =>
      backupView((await deps.store.read((tx) => fileSystemOf(tx, context, input.FileSystemId ?? ''))).backup),
    ),
    efsOperation<PutBackupPolicyRequest, BackupPolicyDescription>('PutBackupPolicy', async (input, context) => {
      const status = oneOf('backupPolicy.status', input.BackupPolicy?.Status ?? '', ['ENABLED', 'DISABLED']);
      return backupView((await changeFileSystem(deps, context, input.FileSystemId ?? '', () => ({ backup: status === 'ENABLED' }))).backup);
    }),
    efsOperation<DescribeFileSystemPolicyRequest, object>('DescribeFileSystemPolicy', async (input, context) => {
      const { key } = await deps.store.read((tx) => fileSystemOf(tx, context, input.FileSystemId ?? ''));
      throw efsFault('PolicyNotFound', `The file system policy for '${key.id}' was not found.`, 'ResourceNotFound');
    }),
    ...tagOperations(deps),
  ];
}

function tagOperations(deps: IntentDeps): Handler[] {
  return [
    efsOperation<TagResourceRequest, object>('TagResource', async (input, context) => {
      const tags = readTags(input.Tags);
      await setEfsTags(deps, context, efsIdOf(context, input.ResourceId ?? ''), (present) => mergeTags(present, tags));
      return {};
    }),
    efsOperation<UntagResourceRequest, object>('UntagResource', async (input, context) => {
      await setEfsTags(deps, context, efsIdOf(context, input.ResourceId ?? ''), (present) => withoutTags(present, input.TagKeys ?? []));
      return {};
    }),
    efsOperation<ListTagsForResourceRequest, ListTagsForResourceResponse>('ListTagsForResource', async (input, context) => {
      const id = efsIdOf(context, input.ResourceId ?? '');
      const look = id.startsWith('fsap-') ? accessPointOf : fileSystemOf;
      return { Tags: tagView((await deps.store.read(async (tx) => await look(tx, context, id))).tags) };
    }),
  ];
}

/** EFS wants each transition in an object of its own. */
function lifecycleOf(policy: LifecyclePolicy): Record<string, string> {
  const given = Object.entries(policy).filter(([, value]) => value !== undefined);
  if (given.length === 1) return Object.fromEntries(given);
  throw efsFault('BadRequest', `Each LifecyclePolicy object must have exactly one transition; this one has ${given.length}.`);
}
