/**
 * Amazon Elastic Container Service, as far as it is served. Reference: ECS API reference, version 2014-11-13. Operations that exist there
 * but not here are named by the gateway.
 */
import { guarded } from '#gateway/access.ts';
import type { ApiSpec } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { ecsAccess } from './access.ts';
import { ecsErrors } from './errors.ts';
import { executeCommandOperation, type ExecuteCommandDeps } from './execute-command.ts';
import { continueServiceDeploymentOperation } from './continue-service-deployment.ts';
import { createClusterOperation } from './create-cluster.ts';
import { createServiceOperation } from './create-service.ts';
import { createTaskSetOperation } from './create-task-set.ts';
import { deleteAccountSettingOperation } from './delete-account-setting.ts';
import { deleteAttributesOperation } from './delete-attributes.ts';
import { deleteClusterOperation } from './delete-cluster.ts';
import { deleteServiceOperation } from './delete-service.ts';
import { deleteTaskDefinitionsOperation } from './delete-task-definitions.ts';
import { deleteTaskSetOperation } from './delete-task-set.ts';
import { deregisterTaskDefinitionOperation } from './deregister-task-definition.ts';
import { describeCapacityProvidersOperation } from './describe-capacity-providers.ts';
import { describeClustersOperation } from './describe-clusters.ts';
import { describeContainerInstancesOperation } from './describe-container-instances.ts';
import { describeServiceDeploymentsOperation } from './describe-service-deployments.ts';
import { describeServiceRevisionsOperation } from './describe-service-revisions.ts';
import { describeServicesOperation } from './describe-services.ts';
import { describeTaskDefinitionOperation } from './describe-task-definition.ts';
import { describeTaskSetsOperation } from './describe-task-sets.ts';
import { describeTasksOperation } from './describe-tasks.ts';
import { getTaskProtectionOperation } from './get-task-protection.ts';
import { listAccountSettingsOperation } from './list-account-settings.ts';
import { listAttributesOperation } from './list-attributes.ts';
import { listClustersOperation } from './list-clusters.ts';
import { listContainerInstancesOperation } from './list-container-instances.ts';
import { listServiceDeploymentsOperation } from './list-service-deployments.ts';
import { listServicesOperation } from './list-services.ts';
import { listServicesByNamespaceOperation } from './list-services-by-namespace.ts';
import { listTagsForResourceOperation } from './list-tags-for-resource.ts';
import { listTaskDefinitionFamiliesOperation } from './list-task-definition-families.ts';
import { listTaskDefinitionsOperation } from './list-task-definitions.ts';
import { listTasksOperation } from './list-tasks.ts';
import { putAccountSettingOperation } from './put-account-setting.ts';
import { putAccountSettingDefaultOperation } from './put-account-setting-default.ts';
import { putAttributesOperation } from './put-attributes.ts';
import { putClusterCapacityProvidersOperation } from './put-cluster-capacity-providers.ts';
import { registerTaskDefinitionOperation } from './register-task-definition.ts';
import { runTaskOperation } from './run-task.ts';
import { startTaskOperation } from './start-task.ts';
import { stopServiceDeploymentOperation } from './stop-service-deployment.ts';
import { stopTaskOperation } from './stop-task.ts';
import { tagResourceOperation } from './tag-resource.ts';
import { untagResourceOperation } from './untag-resource.ts';
import { updateClusterOperation } from './update-cluster.ts';
import { updateClusterSettingsOperation } from './update-cluster-settings.ts';
import { updateServiceOperation } from './update-service.ts';
import { updateServicePrimaryTaskSetOperation } from './update-service-primary-task-set.ts';
import { updateTaskProtectionOperation } from './update-task-protection.ts';
import { updateTaskSetOperation } from './update-task-set.ts';
import { createExpressGatewayServiceOperation } from './create-express-gateway-service.ts';
import { deleteExpressGatewayServiceOperation } from './delete-express-gateway-service.ts';
import { describeExpressGatewayServiceOperation } from './describe-express-gateway-service.ts';
import { updateExpressGatewayServiceOperation } from './update-express-gateway-service.ts';

/** The caller makes sure that the account and region have their defaults first (intent's `ensureRegion`). `exec`: without it there is no ExecuteCommand. */
export function createEcsApi(deps: IntentDeps, exec?: Pick<ExecuteCommandDeps, 'sessions'>): ApiSpec {
  return {
    service: 'ecs',
    protocol: 'json-1.1',
    target: 'AmazonEC2ContainerServiceV20141113',
    schemaPackage: '@aws-sdk/client-ecs',
    errors: ecsErrors,
    operations: guarded(ecsAccess(deps), [
      ...(exec === undefined ? [] : [executeCommandOperation({ ...deps, ...exec })]),
      continueServiceDeploymentOperation(deps),
      updateExpressGatewayServiceOperation(deps),
      describeExpressGatewayServiceOperation(deps),
      deleteExpressGatewayServiceOperation(deps),
      createExpressGatewayServiceOperation(deps),
      createClusterOperation(deps),
      createServiceOperation(deps),
      createTaskSetOperation(deps),
      deleteAccountSettingOperation(deps),
      deleteAttributesOperation(deps),
      deleteClusterOperation(deps),
      deleteServiceOperation(deps),
      deleteTaskDefinitionsOperation(deps),
      deleteTaskSetOperation(deps),
      deregisterTaskDefinitionOperation(deps),
      describeCapacityProvidersOperation(),
      describeClustersOperation(deps),
      describeContainerInstancesOperation(deps),
      describeServiceDeploymentsOperation(deps),
      describeServiceRevisionsOperation(deps),
      describeServicesOperation(deps),
      describeTaskDefinitionOperation(deps),
      describeTaskSetsOperation(deps),
      describeTasksOperation(deps),
      getTaskProtectionOperation(deps),
      listAccountSettingsOperation(deps),
      listAttributesOperation(deps),
      listClustersOperation(deps),
      listContainerInstancesOperation(deps),
      listServiceDeploymentsOperation(deps),
      listServicesByNamespaceOperation(),
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
      startTaskOperation(deps),
      stopServiceDeploymentOperation(deps),
      stopTaskOperation(deps),
      tagResourceOperation(deps),
      untagResourceOperation(deps),
      updateClusterOperation(deps),
      updateClusterSettingsOperation(deps),
      updateServiceOperation(deps),
      updateServicePrimaryTaskSetOperation(deps),
      updateTaskProtectionOperation(deps),
      updateTaskSetOperation(deps),
    ]),
  };
}
