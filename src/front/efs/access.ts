/** What IAM is asked before each operation of EFS. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon Elastic File System". */
import { accessPointArn, efsIdOf, fileSystemArn } from '#domain/file-system.ts';
import type { Scope } from '#domain/scope.ts';
import { anything, ifThere, requestTags, resourceTags, type AccessTable, type AnyTags } from '#gateway/access.ts';
import type { AccessRow } from '#gateway/types.ts';
import { accessPointOf, fileSystemOf, mountTargetOf, type IntentDeps } from '#intent/index.ts';

type OfSystem = { FileSystemId?: string | undefined };
type OfTarget = { MountTargetId?: string | undefined };
type OfPoint = { AccessPointId?: string | undefined };

export function efsAccess({ store }: IntentDeps): AccessTable {
  const systemOfTarget = async ({ MountTargetId: id = '' }: OfTarget, scope: Scope) => {
    const target = await ifThere(() => store.read((tx) => mountTargetOf(tx, scope, id)));
    return [efsArn(scope, target?.fileSystemId ?? '*')];
  };
  const ofSystem: AccessRow<OfSystem> = { resources: ({ FileSystemId: id = '*' }, scope) => [efsArn(scope, id)] };
  const ofTarget: AccessRow<OfTarget> = { resources: systemOfTarget };
  const ofPoint: AccessRow<OfPoint> = { resources: ({ AccessPointId: id = '' }, scope) => [efsArn(scope, id)] };
  const ofAny: AccessRow = { resources: ({ ResourceId: id = '' }, scope) => [efsArn(scope, id)] };
  return {
    vendor: 'elasticfilesystem',
    async about(arn, scope) {
      const id = arn.split('/').at(-1) ?? '';
      const found = await ifThere(() =>
        store.read(async (tx) => (id.startsWith('fsap-') ? await accessPointOf(tx, scope, id) : await fileSystemOf(tx, scope, id))),
      );
      return resourceTags(found?.tags);
    },
    rows: {
      CreateFileSystem: {
        resources: anything,
        facts: (input) => ({ ...requestTags(input.Tags), 'elasticfilesystem:Encrypted': String(input.Encrypted ?? false) }),
        also: (input, scope) => tagging('CreateFileSystem', input.Tags, efsArn(scope, '*')),
      },
      CreateAccessPoint: {
        ...ofSystem,
        facts: ({ Tags }) => requestTags(Tags),
        also: (input, scope) => tagging('CreateAccessPoint', input.Tags, accessPointArn({ ...scope, id: '*' })),
      } satisfies AccessRow,
      CreateMountTarget: ofSystem,
      DeleteAccessPoint: ofPoint,
      DeleteFileSystem: ofSystem,
      DeleteMountTarget: ofTarget,
      DescribeAccessPoints: {
        resources: ({ AccessPointId: point, FileSystemId: system }, scope) => [efsArn(scope, point ?? system ?? '*')],
      },
      DescribeBackupPolicy: ofSystem,
      DescribeFileSystemPolicy: ofSystem,
      DescribeFileSystems: ofSystem,
      DescribeLifecycleConfiguration: ofSystem,
      DescribeMountTargetSecurityGroups: ofTarget,
      DescribeMountTargets: {
        resources: async (input, scope) =>
          input.MountTargetId === undefined
            ? [efsArn(scope, input.AccessPointId ?? input.FileSystemId ?? '*')]
            : await systemOfTarget(input, scope),
      },
      ListTagsForResource: ofAny,
      ModifyMountTargetSecurityGroups: ofTarget,
      PutBackupPolicy: ofSystem,
      PutLifecycleConfiguration: ofSystem,
      TagResource: { ...ofAny, facts: ({ Tags }) => requestTags(Tags) },
      UntagResource: { ...ofAny, facts: ({ TagKeys }) => requestTags([], TagKeys) },
      UpdateFileSystem: ofSystem,
      UpdateFileSystemProtection: ofSystem,
    },
  };
}

/** Of an id or an ARN; what is neither stays as it is, and the operation refuses it. */
function efsArn({ account, region }: Scope, reference: string): string {
  if (reference === '*') return fileSystemArn({ account, region, id: '*' });
  let id = reference;
  try {
    id = efsIdOf({ account, region }, reference);
  } catch {
    return reference.startsWith('arn:') ? reference : fileSystemArn({ account, region, id });
  }
  return id.startsWith('fsap-') ? accessPointArn({ account, region, id }) : fileSystemArn({ account, region, id });
}

function tagging(operation: string, tags: AnyTags | undefined, arn: string) {
  const facts = requestTags(tags);
  if (facts['aws:TagKeys'] === undefined) return [];
  return [{ action: 'elasticfilesystem:TagResource', resources: [arn], facts: { ...facts, 'elasticfilesystem:CreateAction': operation } }];
}
