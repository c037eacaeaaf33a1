/** One function per user wish: validate, one transaction, return the record. Shared by every front door. */
export {
  ACCOUNT_DEFAULT,
  accountSettings,
  deleteAccountSetting,
  effectiveSetting,
  putAccountSetting,
  rootArn,
} from './account-settings.ts';
export { activeCluster, createCluster, deleteCluster, putClusterCapacityProviders, updateCluster } from './clusters.ts';
export { ENDPOINT_INJECTION } from './cluster-settings.ts';
export { DEFAULT_CLUSTER, defaultVpcId, ensureRegion, ensureRegionIn } from './region.ts';
export { CAPACITY_UNAVAILABLE, runTask } from './run-task.ts';
export type { RunTaskResult, RunTaskWish } from './run-task.ts';
export { stopTask } from './stop-task.ts';
export { listTags, tagResource, untagResource } from './tags.ts';
export type { Taggable } from './tags.ts';
export { deleteTaskDefinitions, deregisterTaskDefinition, findTaskDefinition, registerTaskDefinition } from './task-definitions.ts';
export type { IntentDeps } from './types.ts';
