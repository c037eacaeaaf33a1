/** A revision's row -> the API's ServiceRevision. Pure. */
import type { ServiceRevision } from '@aws-sdk/client-ecs';
import { clusterArn, serviceArn, serviceRevisionArn } from '#domain/arn.ts';
import type { ServiceRevisionRecord } from '#domain/service.ts';
import { frontOf, shownExtras, shownLaunch, shownNetwork } from './shown-members.ts';

/** Digests are there once its first task has pulled the images. */
export function describeServiceRevision(revision: ServiceRevisionRecord): ServiceRevision {
  const { key, desired, observed } = revision;
  const { members, taskDefinition, images } = frontOf(revision);
  const groups = observed.targetGroupArns ?? desired.loadBalancers.map((balancer) => balancer.targetGroupArn);
  return {
    serviceRevisionArn: serviceRevisionArn(key, key.cluster, key.name, key.id),
    serviceArn: serviceArn(key, key.cluster, key.name),
    clusterArn: clusterArn(key, key.cluster),
    taskDefinition,
    ...shownLaunch(revision),
    platformVersion: desired.platformVersion,
    loadBalancers: members.loadBalancers ?? [],
    serviceRegistries: members.serviceRegistries ?? [],
    ...shownNetwork(members),
    ...shownExtras(members),
    containerImages: images.map(({ containerName, image }) => {
      const imageDigest = observed.imageDigests[containerName];
      return { containerName, image, ...(imageDigest === undefined ? {} : { imageDigest }) };
    }),
    guardDutyEnabled: false,
    createdAt: new Date(desired.createdAt),
    resolvedConfiguration: {
      loadBalancers: desired.loadBalancers.map((balancer, index) => ({
        targetGroupArn: groups[index] ?? balancer.targetGroupArn,
        ...(balancer.productionRuleArn === null ? {} : { productionListenerRule: balancer.productionRuleArn }),
      })),
    },
  };
}
