/** What IAM is asked before each operation of S3 Files. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3 Files". */
import { bucketPointArn, bucketSystemArn, s3FilesIdsOf } from '#domain/s3-files.ts';
import type { Scope } from '#domain/scope.ts';
import { anything, ifThere, requestTags, resourceTags, type AccessTable, type AnyTags } from '#gateway/access.ts';
import type { AccessRow } from '#gateway/types.ts';
import { accessPointOf, bucketSystemOf, mountTargetOf, s3FilesFamily, type IntentDeps } from '#intent/index.ts';

type OfSystem = { fileSystemId?: string | undefined };
type OfTarget = { mountTargetId?: string | undefined };
type OfPoint = { accessPointId?: string | undefined };
type OfAny = { resourceId?: string | undefined };

export function s3FilesAccess({ store }: Pick<IntentDeps, 'store'>): AccessTable {
  const pointArn = async (scope: Scope, reference: string) => {
    const { point = reference, system } = s3FilesIdsOf(scope, reference) ?? {};
    const found = await ifThere(() => store.read((tx) => accessPointOf(tx, scope, point, s3FilesFamily)));
    return bucketPointArn({ ...scope, id: found?.fileSystemId ?? system ?? '*' }, point);
  };
  const ofSystem: AccessRow<OfSystem> = { resources: ({ fileSystemId: id }, scope) => [systemArn(scope, id)] };
  const ofTarget: AccessRow<OfTarget> = {
    resources: async ({ mountTargetId: id = '' }, scope) => {
      const target = await ifThere(() => store.read((tx) => mountTargetOf(tx, scope, id, s3FilesFamily)));
      return [systemArn(scope, target?.fileSystemId)];
    },
  };
  const ofPoint: AccessRow<OfPoint> = { resources: async ({ accessPointId: id = '' }, scope) => [await pointArn(scope, id)] };
  const ofAny: AccessRow<OfAny> = {
    resources: async ({ resourceId: id = '' }, scope) => {
      const isPoint = s3FilesIdsOf(scope, id)?.point?.startsWith('fsap-') ?? false;
      return [isPoint ? await pointArn(scope, id) : systemArn(scope, id)];
    },
  };
  return {
    vendor: 's3files',
    async about(arn, scope) {
      const { system = '', point } = s3FilesIdsOf(scope, arn) ?? {};
      const tags = await ifThere(() =>
        store.read(async (tx) =>
          point === undefined
            ? (await bucketSystemOf(tx, scope, system)).desired.tags
            : (await accessPointOf(tx, scope, point, s3FilesFamily)).tags,
        ),
      );
      return resourceTags(tags);
    },
    rows: {
      CreateFileSystem: {
        resources: anything,
        facts: ({ tags }) => requestTags(tags),
        also: ({ tags }, scope) => tagging('CreateFileSystem', tags, systemArn(scope, undefined)),
      },
      CreateAccessPoint: {
        ...ofSystem,
        facts: ({ tags }) => requestTags(tags),
        also: ({ tags, fileSystemId }, scope) => tagging('CreateAccessPoint', tags, `${systemArn(scope, fileSystemId)}/access-point/*`),
      } satisfies AccessRow,
      CreateMountTarget: ofSystem,
      DeleteAccessPoint: ofPoint,
      DeleteFileSystem: ofSystem,
      DeleteMountTarget: ofTarget,
      GetAccessPoint: ofPoint,
      GetFileSystem: ofSystem,
      GetFileSystemPolicy: ofSystem,
      GetMountTarget: ofTarget,
      GetSynchronizationConfiguration: ofSystem,
      ListAccessPoints: { resources: ({ fileSystemId: id }: OfSystem, scope) => [`${systemArn(scope, id)}/access-point/*`] },
      ListFileSystems: { resources: (_input, scope) => [systemArn(scope, undefined)] },
      ListMountTargets: ofSystem,
      ListTagsForResource: ofAny,
      PutSynchronizationConfiguration: ofSystem,
      TagResource: { ...ofAny, facts: ({ tags }) => requestTags(tags) } satisfies AccessRow,
      UntagResource: { ...ofAny, facts: ({ tagKeys }) => requestTags([], tagKeys) } satisfies AccessRow,
      UpdateMountTarget: ofTarget,
    },
  };
}

/** Of an id or an ARN; of any without one. What is neither stays as it is, and the operation refuses it. */
function systemArn({ account, region }: Scope, reference = '*'): string {
  const { system } = s3FilesIdsOf({ account, region }, reference) ?? {};
  if (system === undefined && reference.startsWith('arn:')) return reference;
  return bucketSystemArn({ account, region, id: system ?? reference });
}

function tagging(operation: string, tags: AnyTags | undefined, arn: string) {
  const facts = requestTags(tags);
  if (facts['aws:TagKeys'] === undefined) return [];
  return [{ action: 's3files:TagResource', resources: [arn], facts: { ...facts, 's3files:CreateAction': operation } }];
}
