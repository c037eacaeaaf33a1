/**
 * Simple Storage Service, as far as task definitions' environment files, `aws s3` and Terraform's buckets and objects need it. Versions, ACLs, bucket policies,
 * encryption at rest and whatever else is not here is refused by name. Reference: S3 API reference, version 2006-03-01.
 */
import { guarded } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import { s3Access } from './access.ts';
import { bucketOperations } from './buckets.ts';
import { configurationOperations } from './configurations.ts';
import { copyOperations } from './copy.ts';
import { deleteOperations } from './delete.ts';
import { s3Errors } from './errors.ts';
import { getOperations } from './get.ts';
import { lifecycleOperations } from './lifecycle.ts';
import { listOperations } from './list.ts';
import { multipartOperations } from './multipart.ts';
import type { S3Deps } from './operation.ts';
import { partOperations } from './parts.ts';
import { putOperations } from './put.ts';
import { s3Routing } from './route.ts';
import { taggingOperations } from './tagging.ts';

export function createS3Api(deps: S3Deps): ApiSpec {
  return {
    service: 's3',
    protocol: 'rest-xml',
    target: '2006-03-01',
    schemaPackage: '@aws-sdk/client-s3',
    errors: s3Errors,
    rest: s3Routing,
    operations: guarded(s3Access(deps), [
      ...bucketOperations(deps),
      ...configurationOperations(deps),
      ...lifecycleOperations(deps),
      ...listOperations(deps),
      ...getOperations(deps),
      ...putOperations(deps),
      ...copyOperations(deps),
      ...deleteOperations(deps),
      ...multipartOperations(deps),
      ...partOperations(deps),
      ...taggingOperations(deps),
    ]),
  };
}
