/**
 * S3 Files: buckets, or parts of them, as shared file systems. File system policies are refused by name: nobody would evaluate them. Reference: S3 Files
 * API reference, version 2025-05-05.
 */
import { guarded } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import type { Objects } from '#objects/index.ts';
import { s3FilesAccess } from './access.ts';
import { accessPointOperations } from './access-points.ts';
import { s3FilesErrors } from './errors.ts';
import { fileSystemOperations } from './file-systems.ts';
import { mountTargetOperations } from './mount-targets.ts';
import { tagOperations } from './tags.ts';

export type S3FilesDeps = IntentDeps & { objects: Pick<Objects, 'ownerOf' | 'bucket'> };

export function createS3FilesApi(deps: S3FilesDeps): ApiSpec {
  return {
    service: 's3files',
    protocol: 'rest-json',
    target: '2025-05-05',
    schemaPackage: '@aws-sdk/client-s3files',
    errors: s3FilesErrors,
    operations: guarded(s3FilesAccess(deps), [
      ...fileSystemOperations(deps),
      ...accessPointOperations(deps),
      ...mountTargetOperations(deps),
      ...tagOperations(deps),
    ]),
  };
}
