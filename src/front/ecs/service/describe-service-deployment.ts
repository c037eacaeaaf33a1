/** A deployment's row -> the API's ServiceDeployment and ServiceDeploymentBrief. */
import type {
  DeploymentLifecycleHookDetail,
  ServiceDeployment,
  ServiceDeploymentBrief,
  ServiceDeploymentLifecycleStage,
  ServiceDeploymentStatus,
  ServiceRevisionSummary,
} from '@aws-sdk/client-ecs';
import { clusterArn, serviceArn, serviceDeploymentArn, serviceRevisionArn } from '#domain/arn.ts';
import { breakerThreshold } from '#domain/breaker.ts';
import type { ServiceDeploymentRecord, ServiceRecord } from '#domain/service.ts';
import type { ReadTx, ServiceCount } from '#store/types.ts';
import { tally } from './counts.ts';
import { deploymentConfiguration } from './deployment-config.ts';

/** A wish to stop shows before control has taken it up. */
export function deploymentStatus(record: ServiceDeploymentRecord): ServiceDeploymentStatus {
  const { desired, observed } = record;
  const open = observed.status === 'PENDING' || observed.status === 'IN_PROGRESS';
  if (desired.stop === null || !open) return observed.status;
  return desired.stop.type === 'ROLLBACK' ? 'ROLLBACK_REQUESTED' : 'STOP_REQUESTED';
}

export function describeBrief(record: ServiceDeploymentRecord): ServiceDeploymentBrief {
  const { key, desired, observed } = record;
  const { cluster, name, id } = key;
  return {
    serviceDeploymentArn: serviceDeploymentArn(key, cluster, name, id),
    serviceArn: serviceArn(key, cluster, name),
    clusterArn: clusterArn(key, cluster),
    createdAt: new Date(desired.createdAt),
    targetServiceRevisionArn: serviceRevisionArn(key, cluster, name, desired.targetRevisionId),
    status: deploymentStatus(record),
    ...(observed.startedAt === null ? {} : { startedAt: new Date(observed.startedAt) }),
    ...(observed.finishedAt === null ? {} : { finishedAt: new Date(observed.finishedAt) }),
    ...(observed.statusReason === null ? {} : { statusReason: observed.statusReason }),
  };
}

export async function describeServiceDeployment(tx: ReadTx, record: ServiceDeploymentRecord): Promise<ServiceDeployment> {
  const { key, desired, observed } = record;
  const { cluster, name, id: _id, ...scope } = key;
  const service = await tx.services.get({ ...scope, cluster, name });
  const counts = await tx.tasks.serviceCounts({ ...scope, cluster, name });
  const { targetServiceRevisionArn: _target, ...brief } = describeBrief(record);
  const rollback = observed.rollback;
  return {
    ...brief,
    updatedAt: new Date(observed.updatedAt),
    deploymentConfiguration: deploymentConfiguration(desired.config),
    sourceServiceRevisions: desired.sourceRevisionIds.map((id) => summary(record, service, counts, id)),
    targetServiceRevision: summary(record, service, counts, desired.targetRevisionId),
    deploymentCircuitBreaker: {
      status: observed.breaker,
      failureCount: observed.failureCount,
      threshold: breakerThreshold(desired.config.circuitBreaker, service?.desired.desiredCount ?? desired.requestedCount),
    },
    alarms: alarmsOf(record),
    lifecycleHookDetails: hooksOf(record),
    ...(observed.stage === null ? {} : { lifecycleStage: observed.stage as ServiceDeploymentLifecycleStage }),
    ...(observed.stoppedAt === null ? {} : { stoppedAt: new Date(observed.stoppedAt) }),
    ...(rollback === null
      ? {}
      : {
          rollback: {
            reason: rollback.reason,
            startedAt: new Date(rollback.startedAt),
            serviceRevisionArn: serviceRevisionArn(scope, cluster, name, rollback.revisionId),
          },
        }),
  };
}

/** Weights only where traffic is shifted: what the target doesn't have, the source has. */
function summary(
  record: ServiceDeploymentRecord,
  service: ServiceRecord | undefined,
  counts: readonly ServiceCount[],
  id: string,
): ServiceRevisionSummary {
  const { key, desired, observed } = record;
  const target = id === desired.targetRevisionId;
  const current = service?.desired.deploymentId === key.id;
  const { runningCount, pendingCount, wanted } = tally(counts, id);
  const requested = current ? (service?.desired.desiredCount ?? 0) : desired.requestedCount;
  const weight = (share: number) => (target ? share : 100 - share);
  return {
    arn: serviceRevisionArn(key, key.cluster, key.name, id),
    requestedTaskCount: target ? requested : wanted,
    runningTaskCount: runningCount,
    pendingTaskCount: pendingCount,
    ...(desired.config.strategy === 'ROLLING'
      ? {}
      : {
          requestedProductionTrafficWeight: weight(observed.productionWeight),
          requestedTestTrafficWeight: weight(observed.testWeight),
        }),
  };
}

function alarmsOf(record: ServiceDeploymentRecord): NonNullable<ServiceDeployment['alarms']> {
  const { alarms } = record.desired.config;
  const { finishedAt, triggeredAlarms } = record.observed;
  const watched = finishedAt === null ? 'MONITORING' : 'MONITORING_COMPLETE';
  const status = triggeredAlarms.length > 0 ? 'TRIGGERED' : watched;
  return { status: alarms.enable ? status : 'DISABLED', alarmNames: alarms.names, triggeredAlarmNames: triggeredAlarms };
}

/** In the order in which the deployment came to them. */
function hooksOf(record: ServiceDeploymentRecord): DeploymentLifecycleHookDetail[] {
  return Object.entries(record.observed.hooks)
    .toSorted(([, a], [, b]) => a.startedAt - b.startedAt)
    .flatMap(([place, observed]) => {
      const hook = record.desired.config.hooks.find((one) => place.startsWith(`${one.id}@`));
      if (hook === undefined) return [];
      return [
        {
          hookId: hook.id,
          targetType: hook.type,
          ...(hook.target === null ? {} : { targetArn: hook.target }),
          status: observed.status,
          expiresAt: new Date(observed.startedAt + hook.timeoutMs),
          timeoutAction: hook.onTimeout,
        },
      ];
    });
}
