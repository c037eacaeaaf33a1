/** Members of a call that make up a revision, and their task definition -> the revision that intent commits. */
import type {
  CapacityProviderStrategyItem,
  GatewayConnector,
  LoadBalancer,
  MonitoringConfiguration,
  NetworkConfiguration,
  ServiceConnectConfiguration,
  ServiceRegistry,
  ServiceVolumeConfiguration,
  TaskDefinition,
  VpcLatticeConfiguration,
} from '@aws-sdk/client-ecs';
import { taskDefinitionArn } from '#domain/arn.ts';
import { extensionsOf } from '#domain/extensions.ts';
import { isolationWish } from '#domain/isolation.ts';
import type { ClusterRecord, TaskDefinitionRecord } from '#domain/records.ts';
import type { DeploymentStrategy } from '#domain/service.ts';
import type { LogDelivery } from '#domain/task-spec.ts';
import type { Tag } from '#domain/task.ts';
import type { RevisionWish } from '#intent/index.ts';
import { networkOf, optedIn, platformFor, taskFrontOf } from '../task/launch.ts';
import { toTaskSpec } from '../task/to-task-spec.ts';
import { launchedVolumes } from '../task/volume-configurations.ts';
import { loadBalancersOf } from './load-balancers.ts';

/** Members that belong to a revision, as they were asked for. A later call's go over them. */
export type RevisionMembers = {
  launchType?: string;
  capacityProviderStrategy?: CapacityProviderStrategyItem[];
  platformVersion?: string;
  networkConfiguration?: NetworkConfiguration;
  loadBalancers?: LoadBalancer[];
  serviceRegistries?: ServiceRegistry[];
  serviceConnectConfiguration?: ServiceConnectConfiguration;
  volumeConfigurations?: ServiceVolumeConfiguration[];
  vpcLatticeConfigurations?: VpcLatticeConfiguration[];
  gatewayConnectors?: GatewayConnector[];
  monitoring?: MonitoringConfiguration;
};
const names: readonly (keyof RevisionMembers)[] = [
  'launchType',
  'capacityProviderStrategy',
  'platformVersion',
  'networkConfiguration',
  'loadBalancers',
  'serviceRegistries',
  'serviceConnectConfiguration',
  'volumeConfigurations',
  'vpcLatticeConfigurations',
  'gatewayConnectors',
  'monitoring',
];

/** Those that a call gives. */
export function membersOf(input: object): RevisionMembers {
  const given = input as Partial<Record<keyof RevisionMembers, unknown>>;
  return Object.fromEntries(names.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]]))) as RevisionMembers;
}

/** What the front door keeps of a revision to show it again. */
export type RevisionFront = {
  members: RevisionMembers;
  taskDefinition: string;
  images: { containerName: string; image: string }[];
};

export type RevisionSource = {
  cluster: ClusterRecord;
  definition: TaskDefinitionRecord;
  members: RevisionMembers;
  strategy: DeploymentStrategy;
  tags: Tag[];
  region: string;
  arch: 'amd64' | 'arm64';
  logMode: LogDelivery['mode'];
};

/** Throws InvalidParameter or ClientError. */
export function revisionWishOf(source: RevisionSource): RevisionWish {
  const { members, definition: record, region, arch, logMode } = source;
  const definition = record.definition as TaskDefinition;
  const { family, taskRevision } = record.key;
  const extensions = extensionsOf(record.tags);
  const isolation = isolationWish(source.tags, record.tags, source.cluster.tags);
  const sources = { definition: record.tags, service: source.tags };
  const launched = launchedVolumes(definition, members.volumeConfigurations ?? [], sources);
  const taskFront = taskFrontOf(definition, {}, extensions);
  const front: RevisionFront = {
    members,
    taskDefinition: taskDefinitionArn(record.key, family, taskRevision),
    images: taskFront.containers.map((container) => ({ containerName: container.name, image: container.image })),
  };
  return {
    family,
    taskRevision,
    template: optedIn(
      record,
      toTaskSpec({ definition, overrides: {}, taskId: '', isolation, extensions, region, arch, logMode, launched }),
    ),
    network: networkOf(members.networkConfiguration),
    launchType: members.launchType ?? null,
    strategy: members.capacityProviderStrategy ?? [],
    platformVersion: platformFor(members.platformVersion, definition, {}, extensions),
    loadBalancers: loadBalancersOf(members.loadBalancers ?? [], definition, source.strategy),
    taskFront,
    front,
  };
}
