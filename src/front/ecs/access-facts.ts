/** Condition keys of calls that start tasks, from their input: only what the call itself says. */
import type {
  CapacityProviderStrategyItem,
  CreateExpressGatewayServiceRequest,
  CreateServiceRequest,
  CreateTaskSetRequest,
  RegisterTaskDefinitionRequest,
  RunTaskRequest,
  StartTaskRequest,
  UpdateExpressGatewayServiceRequest,
  UpdateServiceRequest,
} from '@aws-sdk/client-ecs';
import { capacityProviderArn, clusterArn, clusterName, ecsArn } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';
import { requestTags } from '#gateway/access.ts';
import type { OwnFacts } from '#gateway/types.ts';
import { definitionOf, serviceOf } from './access-arns.ts';

/** Made for every call that a policy binds: one object, and none on the way to it. */
export function runFacts(input: RunTaskRequest, scope: Scope): OwnFacts {
  const facts = requestTags(input.tags);
  facts['ecs:cluster'] = clusterArn(scope, clusterName(scope, input.cluster));
  facts['ecs:enable-execute-command'] = String(input.enableExecuteCommand ?? false);
  facts['ecs:enable-ebs-volumes'] = String(input.volumeConfigurations?.some((volume) => volume.managedEBSVolume !== undefined) ?? false);
  const { capacityProviderStrategy: strategy, overrides } = input;
  if (strategy !== undefined) facts['ecs:capacity-provider'] = providersOf(strategy, scope);
  return overrides === undefined ? facts : { ...facts, ...compact(sizes(overrides)) };
}

export function startFacts(input: StartTaskRequest, scope: Scope): OwnFacts {
  const { enableExecuteCommand: exec, volumeConfigurations: volumes, containerInstances: instances } = input;
  const cluster = clusterName(scope, input.cluster);
  return compact({
    ...requestTags(input.tags),
    'ecs:cluster': clusterArn(scope, cluster),
    'ecs:container-instances': instances?.map((ref) => ecsArn(scope, `container-instance/${cluster}/${ref.split('/').at(-1)}`)),
    'ecs:enable-execute-command': String(exec ?? false),
    'ecs:enable-ebs-volumes': String((volumes ?? []).some((volume) => volume.managedEBSVolume !== undefined)),
  });
}

export function taskSetFacts(input: CreateTaskSetRequest, scope: Scope): OwnFacts {
  return compact({
    ...requestTags(input.tags),
    ...place(input, scope),
    'ecs:service': serviceOf(scope, input.cluster, input.service),
    'ecs:task-definition': input.taskDefinition === undefined ? undefined : definitionOf(scope, input.taskDefinition),
  });
}

export function createFacts(input: CreateServiceRequest, scope: Scope): OwnFacts {
  return compact({
    ...serviceFacts(input, scope),
    ...requestTags(input.tags),
    'ecs:enable-execute-command': String(input.enableExecuteCommand ?? false),
    'ecs:enable-ebs-volumes': String((input.volumeConfigurations ?? []).some((volume) => volume.managedEBSVolume !== undefined)),
    'ecs:enable-service-connect': String(input.serviceConnectConfiguration?.enabled ?? false),
    'ecs:enable-vpc-lattice': String((input.vpcLatticeConfigurations ?? []).length > 0),
  });
}

/** What is left out stays as it is, and has no key. */
export function updateFacts(input: UpdateServiceRequest, scope: Scope): OwnFacts {
  const { enableExecuteCommand: exec, volumeConfigurations: volumes, serviceConnectConfiguration: connect, vpcLatticeConfigurations: lattice } = input; // prettier-ignore
  return compact({
    ...serviceFacts(input, scope),
    'ecs:enable-execute-command': exec === undefined ? undefined : String(exec),
    'ecs:enable-ebs-volumes': volumes === undefined ? undefined : String(volumes.some((volume) => volume.managedEBSVolume !== undefined)),
    'ecs:enable-service-connect': connect === undefined ? undefined : String(connect.enabled ?? false),
    'ecs:enable-vpc-lattice': lattice === undefined ? undefined : String(lattice.length > 0),
  });
}

export function expressFacts(
  input: Partial<CreateExpressGatewayServiceRequest & UpdateExpressGatewayServiceRequest>,
  scope: Scope,
): OwnFacts {
  const subnets = input.networkConfiguration?.subnets;
  return compact({
    ...requestTags(input.tags),
    ...sizes(input),
    ...(input.serviceArn === undefined ? { 'ecs:cluster': clusterArn(scope, clusterName(scope, input.cluster)) } : {}),
    'ecs:subnet': subnets?.map((id) => subnetArn(scope, id)),
  });
}

export function definitionFacts(input: RegisterTaskDefinitionRequest): OwnFacts {
  const containers = input.containerDefinitions ?? [];
  return compact({
    ...requestTags(input.tags),
    ...sizes(input),
    'ecs:compute-compatibility': input.requiresCompatibilities,
    'ecs:privileged': String(containers.some((container) => container.privileged === true)),
  });
}

function serviceFacts(input: Omit<CreateServiceRequest, 'serviceName'> | UpdateServiceRequest, scope: Scope) {
  const network = input.networkConfiguration?.awsvpcConfiguration;
  return {
    ...place(input, scope),
    'ecs:task-definition': input.taskDefinition === undefined ? undefined : definitionOf(scope, input.taskDefinition),
    'ecs:namespace': input.serviceConnectConfiguration?.namespace,
    'ecs:enable-ecs-managed-tags': input.enableECSManagedTags === undefined ? undefined : String(input.enableECSManagedTags),
    'ecs:propagate-tags': input.propagateTags,
    'ecs:subnet': network?.subnets?.map((id) => subnetArn(scope, id)),
    'ecs:auto-assign-public-ip': network?.assignPublicIp === undefined ? undefined : String(network.assignPublicIp === 'ENABLED'),
  };
}

function place(input: Pick<RunTaskRequest, 'cluster' | 'capacityProviderStrategy'>, scope: Scope) {
  return {
    'ecs:cluster': clusterArn(scope, clusterName(scope, input.cluster)),
    'ecs:capacity-provider': input.capacityProviderStrategy && providersOf(input.capacityProviderStrategy, scope),
  };
}

const providersOf = (strategy: CapacityProviderStrategyItem[], scope: Scope) =>
  strategy.map(({ capacityProvider = '' }) => capacityProviderArn(scope, capacityProvider));

const subnetArn = ({ region, account }: Scope, id: string) => `arn:aws:ec2:${region}:${account}:subnet/${id}`;

/** Units of 1/1024 vCPU and MiB; `1 vCPU` and `2 GB` are no numbers that a policy can compare. */
function sizes({ cpu, memory }: { cpu?: string | undefined; memory?: string | undefined }) {
  const whole = (text: string | undefined) => (text !== undefined && /^\d+$/.test(text) ? text : undefined);
  return { 'ecs:task-cpu': whole(cpu), 'ecs:task-memory': whole(memory) };
}

function compact(facts: Record<string, string | string[] | undefined>): OwnFacts {
  return Object.fromEntries(Object.entries(facts).filter((entry): entry is [string, string | string[]] => entry[1] !== undefined));
}
