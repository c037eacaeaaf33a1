/** One function per user wish: validate, one transaction, return the record. Shared by every front door. */
export {
  ACCOUNT_DEFAULT,
  accountSettings,
  deleteAccountSetting,
  effectiveSetting,
  putAccountSetting,
  rootArn,
} from './account-settings.ts';
export {
  certificateUsers,
  deleteCertificate,
  findCertificate,
  importCertificate,
  reimportCertificate,
  renewCertificate,
  requestCertificate,
  requestCertificateOnce,
  setCertificateOptions,
  setCertificateTags,
} from './certificates.ts';
export type { TokenWish } from './client-token.ts';
export type { CertificateImport, CertificateRequest } from './certificates.ts';
export { activeCluster, createCluster, deleteCluster, putClusterCapacityProviders, updateCluster } from './clusters.ts';
export { ENDPOINT_INJECTION } from './cluster-settings.ts';
export { DEFAULT_CLUSTER, defaultVpcId, ensureRegion, ensureRegionIn } from './region.ts';
export type { NetworkWish } from './network.ts';
export { CAPACITY_UNAVAILABLE } from '#domain/capacity.ts';
export { runTask } from './run-task.ts';
export type { RunTaskResult, RunTaskWish } from './run-task.ts';
export { activeService, assertDesiredCount, createService, deleteService, serviceStatus, updateService } from './services.ts';
export type { CreateServiceWish, ServiceMembers, ServicePlanWish, UpdateServiceWish } from './services.ts';
export type { RevisionWish } from './services-revision.ts';
export { continueServiceDeployment, stopServiceDeployment } from './services-deployments.ts';
export { protectionEnd, setTaskProtection, taskProtection } from './services-protection.ts';
export type { ProtectionFailure } from './services-protection.ts';
export { createTaskSet, deleteTaskSet, scaleTaskSet, setPrimaryTaskSet } from './services-task-sets.ts';
export { stopTask } from './stop-task.ts';
export { groupUsers, listenerOf, loadBalancerOf, ruleOf, targetGroupOf, findLoadBalancer, findTargetGroup } from './elb-lookup.ts';
export { listElbTags, tagElbResources, untagElbResources } from './elb-tags.ts';
export {
  createLoadBalancer,
  deleteLoadBalancer,
  modifyLoadBalancerAttributes,
  setLoadBalancerIpAddressType,
  setLoadBalancerSecurityGroups,
  setLoadBalancerSubnets,
} from './load-balancers.ts';
export type { LoadBalancerWish } from './load-balancers.ts';
export {
  addListenerCertificates,
  createListener,
  deleteListener,
  modifyListener,
  modifyListenerAttributes,
  removeListenerCertificates,
} from './listeners.ts';
export type { ListenerChange, ListenerWish } from './listeners.ts';
export { createRule, deleteRule, modifyRule, setRulePriorities } from './listener-rules.ts';
export type { RuleOfListener, RuleWish } from './listener-rules.ts';
export { createTargetGroup, deleteTargetGroup, modifyTargetGroup, modifyTargetGroupAttributes } from './target-groups.ts';
export type { TargetGroupWish } from './target-groups.ts';
export { deregisterTargets, namedTargets, registerTargets } from './targets.ts';
export type { TargetWish } from './targets.ts';
export { listTags, tagResource, untagResource } from './tags.ts';
export type { Taggable } from './tags.ts';
export { deleteTaskDefinitions, deregisterTaskDefinition, findTaskDefinition, registerTaskDefinition } from './task-definitions.ts';
export { changeFileSystem, createFileSystem, deleteFileSystem, setEfsTags } from './efs-file-systems.ts';
export type { FileSystemWish } from './efs-file-systems.ts';
export { createAccessPoint, deleteAccessPoint } from './efs-access-points.ts';
export { createMountTarget, deleteMountTarget, setMountTargetGroups } from './efs-mount-targets.ts';
export { accessPointOf, bucketSystemOf, efsFault, fileSystemOf, mountTargetOf } from './efs-faults.ts';
export { createBucketSystem, deleteBucketSystem, setS3FilesTags, setSynchronization } from './s3files-systems.ts';
export { s3FilesFamily } from './share-family.ts';
export type { BucketSystemWish } from './s3files-systems.ts';
export type { IntentDeps } from './types.ts';
export { createVpc, deleteVpc, modifyVpcAttributes } from './ec2-vpcs.ts';
export { createSubnet, deleteSubnet, modifySubnetAttributes } from './ec2-subnets.ts';
export { createSecurityGroup, deleteSecurityGroup } from './ec2-security-groups.ts';
export { authorizeRules, describeRules, findGroup as findSecurityGroup, modifyRules, revokeRules } from './ec2-security-group-rules.ts';
export type { GroupRef, PeerWish, PermissionWish } from './ec2-security-group-rules.ts';
export { associateRouteTable, createRouteTable, deleteRouteTable, disassociateRouteTable, replaceAssociation } from './ec2-route-tables.ts';
export { createRoute, deleteRoute, replaceRoute } from './ec2-routes.ts';
export { attachInternetGateway, createInternetGateway, deleteInternetGateway, detachInternetGateway } from './ec2-internet-gateways.ts';
export { alarmsOf, changeAlarmTags, deleteAlarms, putAlarm, setAlarmActions, setAlarmState } from './alarms.ts';
export { deleteDashboards, putDashboard } from './dashboards.ts';
export type { AlarmWish, CompositeAlarmWish, MetricAlarmWish } from './alarms.ts';
export { createVolume, deleteVolume, modifyVolume } from './ec2-volumes.ts';
export type { VolumeWish } from './ec2-volumes.ts';
export { createSnapshot, deleteSnapshot } from './ec2-snapshots.ts';
export { createEc2Tags, deleteEc2Tags } from './ec2-tags.ts';
export { ec2Fault, invalidValue as ec2InvalidValue, vpcOf as ec2Vpc } from './ec2-faults.ts';
export { createExpressService } from './express.ts';
export type { ExpressWish, Ingress } from './express.ts';
export { within } from './within.ts';
export {
  activeOf,
  addRoleToProfile,
  changeInstanceProfile,
  createAccessKey,
  createInstanceProfile,
  createRole,
  createUser,
} from './iam-users.ts';
export { deleteAccessKey, deleteInstanceProfile, deleteRole, deleteUser, removeRoleFromProfile } from './iam-users.ts';
export { setAccessKeyActive, updateRole, updateUser } from './iam-users.ts';
export {
  attachPolicy,
  deleteInlinePolicy,
  detachPolicy,
  inlinePolicyOf,
  policyCounts,
  policyUsers,
  putInlinePolicy,
} from './iam-entities.ts';
export { setBoundary, tagEntity, untagEntity } from './iam-entities.ts';
export {
  createPolicy,
  createPolicyVersion,
  deletePolicy,
  deletePolicyVersion,
  setDefaultPolicyVersion,
  tagPolicy,
  untagPolicy,
} from './iam-policies.ts';
export { entityOf, iamFault, noSuchEntity, policyOf, roleOf } from './iam-faults.ts';
export { iamTags } from './iam-checks.ts';
export { changeSecret, createSecret, deleteSecret, restoreSecret } from './secrets.ts';
export type { DeletionWish, SecretWish } from './secrets.ts';
export { moveSecretStage, putSecretValue, updateSecret } from './secrets-versions.ts';
export type { SecretDeps, SecretValue } from './secrets-versions.ts';
export { findSecret, invalidRequest, invalidSecret, liveSecretOf, noSecret, openSecret, secretFault, secretOf } from './secrets-faults.ts';
export type { OpenedSecret, VersionWish } from './secrets-faults.ts';
export { deleteParameters, labelParameter, putParameter, tagParameter, unlabelParameter } from './parameters.ts';
export type { ParameterWish } from './parameters.ts';
export {
  findParameter,
  invalidParameter,
  noParameter,
  openParameter,
  openVersion,
  parameterFault,
  parameterOf,
} from './parameters-faults.ts';
export type { OpenedParameter } from './parameters-faults.ts';
export {
  changeEventTags,
  createEventBus,
  deleteEventBus,
  deleteEventRule,
  eventTags,
  putEvents,
  putEventRule,
  putTargets,
} from './event-rules.ts';
export { removeTargets, setRuleEnabled, updateEventBus } from './event-rules.ts';
export type { EventRuleWish } from './event-rules.ts';
export {
  createConnection,
  createDestination,
  deleteConnection,
  deleteDestination,
  updateConnection,
  updateDestination,
} from './event-destinations.ts';
export {
  changeScheduleGroupTags,
  createSchedule,
  createScheduleGroup,
  deleteSchedule,
  deleteScheduleGroup,
  updateSchedule,
} from './schedules.ts';
export type { ScheduleWish } from './schedules.ts';
export { assertBus, connectionOf, destinationOf, eventsFault, eventsInvalid, eventsMissing, eventRuleOf } from './events-faults.ts';
export { scheduleGroupOf, scheduleOf } from './events-faults.ts';
export {
  changePullThroughRule,
  changeRepository,
  createPullThroughRule,
  createRepository,
  deletePullThroughRule,
  deleteRepository,
  ensureRepository,
  PLAIN_REPOSITORY,
  pullThroughRuleNotFound,
} from './ecr-repositories.ts';
export type { PullThroughWish, RepositoryWish } from './ecr-repositories.ts';
export { addLayer, deleteImages, notePull, putImage, removeLayer } from './ecr-images.ts';
export type { ImageFailure, ImageWish } from './ecr-images.ts';
export {
  ecrFault,
  findImage,
  imageNotFound,
  imageOf,
  inRegistry,
  invalidEcr,
  repositoryNotFound,
  repositoryOf,
  tagsOfImage,
} from './ecr-faults.ts';
export type { EcrImageId } from './ecr-faults.ts';
