/**
 * Amazon Elastic File System, as far as ECS's volumes and Terraform need it. Replication, file system policies and account preferences are
 * refused by name. Reference: EFS API reference, version 2015-02-01.
 */
import { guarded } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { efsAccess } from './access.ts';
import { accessPointOperations } from './access-points.ts';
import { efsErrors } from './errors.ts';
import { fileSystemOperations } from './file-systems.ts';
import { mountTargetOperations } from './mount-targets.ts';
import { settingsOperations } from './settings.ts';

export function createEfsApi(deps: IntentDeps): ApiSpec {
  return {
    service: 'elasticfilesystem',
    protocol: 'rest-json',
    target: '2015-02-01',
    schemaPackage: '@aws-sdk/client-efs',
    errors: efsErrors,
    operations: guarded(efsAccess(deps), [
      ...fileSystemOperations(deps),
      ...accessPointOperations(deps),
      ...mountTargetOperations(deps),
      ...settingsOperations(deps),
    ]),
  };
}
