/**
 * Amazon Elastic Container Service, as far as it is served. Reference: ECS API reference, version 2014-11-13. Operations that exist there
 * but not here are named by the gateway.
 */
import type { ApiSpec } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ecsErrors } from './errors.ts';
import { createClusterOperation } from './create-cluster.ts';
import { createServiceOperation } from './create-service.ts';
import { deleteAccountSettingOperation } from './delete-account-setting.ts';
import { deleteAttributesOperation } from './delete-attributes.ts';
import { deleteClusterOperation } from './delete-cluster.ts';
import { deleteServiceOperation } from './delete-service.ts';
import { deleteTaskDefinitionsOperation } from './delete-task-definitions.ts';
import { deregisterTaskDefinitionOperation } from './deregister-task-definition.ts';
import { describeCapacityProvidersOperation } from './describe-capacity-providers.ts';
import { describeClustersOperation } from './describe-clusters.ts';
import { describeContainerInstancesOperation } from './describe-container-instances.ts';
import { describeServicesOperation } from './describe-services.ts';
import { describeTaskDefinitionOperation } from './describe-task-definition.ts';
import { describeTasksOperation } from './describe-tasks.ts';
import { listAccountSettingsOperation } from './list-account-settings.ts';
import { listAttributesOperation } from './list-attributes.ts';
import { listClustersOperation } from './list-clusters.ts';
import { listContainerInstancesOperation } from './list-container-instances.ts';
import { listServicesOperation } from './list-services.ts';
import { listTagsForResourceOperation } from './list-tags-for-resource.ts';
import { listTaskDefinitionFamiliesOperation } from './list-task-definition-families.ts';
import { listTaskDefinitionsOperation } from './list-task-definitions.ts';
import { listTasksOperation } from './list-tasks.ts';
import { putAccountSettingDefaultOperation } from './put-account-setting-default.ts';
import { putAccountSettingOperation } from './put-account-setting.ts';
import { putAttributesOperation } from './put-attributes.ts';
import { putClusterCapacityProvidersOperation } from './put-cluster-capacity-providers.ts';
import { registerTaskDefinitionOperation } from './register-task-definition.ts';
import { runTaskOperation } from './run-task.ts';
import { stopTaskOperation } from './stop-task.ts';
import { tagResourceOperation } from './tag-resource.ts';
import { untagResourceOperation } from './untag-resource.ts';
import { updateClusterSettingsOperation } from './update-cluster-settings.ts';
import { updateClusterOperation } from './update-cluster.ts';
import { updateServiceOperation } from './update-service.ts';

/** The caller makes sure that the account and region have their defaults first (intent's `ensureRegion`). */
export function createEcsApi(deps: IntentDeps): ApiSpec {
  return {
    service: 'ecs',
    protocol: 'json-1.1',
    target: 'AmazonEC2ContainerServiceV20141113',
    schemaPackage: '@aws-sdk/client-ecs',
    errors: ecsErrors,
    operations: [
      createClusterOperation(deps),
      createServiceOperation(deps),
      deleteAccountSettingOperation(deps),
      deleteAttributesOperation(deps),
      deleteClusterOperation(deps),
      deleteServiceOperation(deps),
      deleteTaskDefinitionsOperation(deps),
      deregisterTaskDefinitionOperation(deps),
      describeCapacityProvidersOperation(),
      describeClustersOperation(deps),
      describeContainerInstancesOperation(deps),
      describeServicesOperation(deps),
      describeTaskDefinitionOperation(deps),
      describeTasksOperation(deps),
      listAccountSettingsOperation(deps),
      listAttributesOperation(deps),
      listClustersOperation(deps),
      listContainerInstancesOperation(deps),
      listServicesOperation(deps),
      listTagsForResourceOperation(deps),
      listTaskDefinitionFamiliesOperation(deps),
      listTaskDefinitionsOperation(deps),
      listTasksOperation(deps),
      putAccountSettingDefaultOperation(deps),
      putAccountSettingOperation(deps),
      putAttributesOperation(deps),
      putClusterCapacityProvidersOperation(deps),
      registerTaskDefinitionOperation(deps),
      runTaskOperation(deps),
      stopTaskOperation(deps),
      tagResourceOperation(deps),
      untagResourceOperation(deps),
      updateClusterSettingsOperation(deps),
      updateClusterOperation(deps),
      updateServiceOperation(deps),
    ],
  };
}
