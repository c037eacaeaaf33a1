/** Members of a revision as the API shows them wherever they are shown: services, deployments, task sets, revisions. */
import type { CapacityProviderStrategyItem, LaunchType, NetworkConfiguration } from '@aws-sdk/client-ecs';
import type { ServiceRevisionRecord } from '#domain/service.ts';
import type { RevisionFront, RevisionMembers } from './revision-wish.ts';

export const frontOf = (revision: ServiceRevisionRecord): RevisionFront => revision.desired.front as RevisionFront;

/** What carries its tasks: a strategy or a launch type, never both. */
export function shownLaunch(revision: ServiceRevisionRecord): {
  launchType?: LaunchType;
  capacityProviderStrategy?: CapacityProviderStrategyItem[];
  platformFamily: string;
} {
  const { launchType, strategy } = revision.desired;
  return {
    ...(launchType === null ? {} : { launchType }),
    ...(strategy.length === 0 ? {} : { capacityProviderStrategy: strategy }),
    platformFamily: 'Linux',
  };
}

/** Defaults filled in, as AWS shows it. */
export function shownNetwork(members: RevisionMembers): { networkConfiguration?: NetworkConfiguration } {
  const vpc = members.networkConfiguration?.awsvpcConfiguration;
  if (vpc === undefined) return {};
  const { subnets = [], securityGroups = [], assignPublicIp = 'DISABLED' } = vpc;
  return { networkConfiguration: { awsvpcConfiguration: { subnets, securityGroups, assignPublicIp } } };
}

/** Those that are kept as they were given. */
export function shownExtras(members: RevisionMembers) {
  const { serviceConnectConfiguration, volumeConfigurations, vpcLatticeConfigurations } = members;
  return {
    ...(serviceConnectConfiguration === undefined ? {} : { serviceConnectConfiguration }),
    ...(volumeConfigurations === undefined ? {} : { volumeConfigurations }),
    ...(vpcLatticeConfigurations === undefined ? {} : { vpcLatticeConfigurations }),
  };
}
