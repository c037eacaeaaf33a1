/** An Express gateway service in the terms of CreateService and UpdateService. */
import { expressTags } from '#domain/express.ts';
import type {
  CreateExpressGatewayServiceRequest,
  CreateServiceRequest,
  DeploymentConfiguration,
  LoadBalancer,
  UpdateExpressGatewayServiceRequest,
} from '@aws-sdk/client-ecs';
import type { ServiceRecord } from '#domain/service.ts';
import type { Tag } from '#domain/task.ts';
import type { Ingress, ServicePlanWish } from '#intent/index.ts';
import type { ServiceFront } from '../service/service-members.ts';
import type { DefinitionInput, ExpressDefinition } from './express-definition.ts';
import type { ExpressFront } from './express-front.ts';
import { DEFAULTS, MAIN, scalingOf, strategyOf } from './express-input.ts';

/** Express Mode waits so long for a task to become healthy (developer guide, "Express Mode service defaults"). */
const GRACE_S = 300;
/** A canary of 5 % for 3 minutes, and 3 minutes more with both revisions (same page). */
const CANARY: DeploymentConfiguration = {
  strategy: 'CANARY',
  canaryConfiguration: { canaryPercent: 5, canaryBakeTimeInMinutes: 3 },
  bakeTimeInMinutes: 3,
};

export function createRequest(
  input: CreateExpressGatewayServiceRequest,
  made: {
    cluster: string;
    name: string;
    ingress: Ingress;
    definition: ExpressDefinition;
    tags: Tag[];
    subnetIds: string[];
    groupIds: string[];
  },
): CreateServiceRequest {
  const strategy = strategyOf(made.tags);
  return {
    cluster: made.cluster,
    serviceName: made.name,
    taskDefinition: made.definition.arn,
    desiredCount: scalingOf(input.scalingTarget, undefined).minTaskCount,
    launchType: 'FARGATE',
    networkConfiguration: {
      awsvpcConfiguration: { subnets: made.subnetIds, securityGroups: made.groupIds, assignPublicIp: 'ENABLED' },
    },
    loadBalancers: [loadBalancerOf(made.ingress, made.definition.port, strategy)],
    healthCheckGracePeriodSeconds: GRACE_S,
    deploymentConfiguration: {
      ...(strategy === 'CANARY' ? CANARY : { strategy }),
      deploymentCircuitBreaker: { enable: true, rollback: true },
    },
    enableExecuteCommand: made.tags.some(({ key, value }) => key === expressTags.exec && value === 'on'),
    enableECSManagedTags: true,
    propagateTags: 'SERVICE',
    tags: input.tags,
  };
}

function loadBalancerOf(ingress: Ingress, port: number, strategy: 'ROLLING' | 'CANARY'): LoadBalancer {
  const plain = { targetGroupArn: ingress.targetGroupArn, containerName: MAIN, containerPort: port };
  if (strategy === 'ROLLING') return plain;
  const { alternateTargetGroupArn, productionRuleArn: productionListenerRule } = ingress;
  return { ...plain, advancedConfiguration: { alternateTargetGroupArn, productionListenerRule } };
}

export function frontOfCreate(input: CreateExpressGatewayServiceRequest, ingress: Ingress): ExpressFront {
  return {
    infrastructureRoleArn: input.infrastructureRoleArn ?? '',
    host: ingress.host,
    healthCheckPath: input.healthCheckPath ?? DEFAULTS.path,
    scaling: scalingOf(input.scalingTarget, undefined),
    definition: definitionOf(input),
    container: input.primaryContainer ?? null,
  };
}

export function frontOfUpdate(input: UpdateExpressGatewayServiceRequest, before: ExpressFront): ExpressFront {
  return {
    ...before,
    healthCheckPath: input.healthCheckPath ?? before.healthCheckPath,
    scaling: scalingOf(input.scalingTarget, before.scaling),
    definition: definitionOf(nextDefinition(input, before) ?? before.definition),
    container: input.taskDefinitionArn === undefined ? (input.primaryContainer ?? before.container) : null,
  };
}

/** Members of the new task definition: those of the call over those before; undefined when the call leaves what runs as it is. */
export function nextDefinition(input: UpdateExpressGatewayServiceRequest, before: ExpressFront): DefinitionInput | undefined {
  if (input.taskDefinitionArn !== undefined) return { taskDefinitionArn: input.taskDefinitionArn };
  const asked = definitionOf(input);
  if (Object.keys(asked).length === 0) return undefined;
  const { taskDefinitionArn: _own, ...kept } = before.definition;
  return { ...kept, ...asked };
}

const members = ['taskDefinitionArn', 'primaryContainer', 'executionRoleArn', 'taskRoleArn', 'cpu', 'memory', 'cpuArchitecture'] as const;

function definitionOf(input: DefinitionInput): DefinitionInput {
  return Object.fromEntries(members.flatMap((name) => (input[name] === undefined ? [] : [[name, input[name]]])));
}

/** Within the new bounds: as many as now, where that is allowed. */
export function countWithin(service: ServiceRecord, front: ExpressFront): number {
  return Math.min(front.scaling.maxTaskCount, Math.max(front.scaling.minTaskCount, service.desired.desiredCount));
}

export function withExpress(plan: ServicePlanWish, express: ExpressFront, managed?: Ingress['managed']): ServicePlanWish {
  const front: ServiceFront = { ...(plan.members.front as ServiceFront), express };
  return { ...plan, members: { ...plan.members, front, ...(managed === undefined ? {} : { managed }) } };
}
