/** The task definition of an Express gateway service: made of its primary container, or the caller's own. */
import type { ContainerDefinition, ExpressGatewayContainer, RegisterTaskDefinitionRequest, TaskDefinition } from '@aws-sdk/client-ecs';
import { taskDefinitionArn, taskDefinitionRef } from '#domain/arn.ts';
import type { Scope } from '#domain/scope.ts';
import { findTaskDefinition, registerTaskDefinition, type IntentDeps } from '#intent/index.ts';
import { fillDefaults } from '../definition/defaults.ts';
import { validateDefinition } from '../definition/validate.ts';
import { DEFAULTS, MAIN, refuse } from './express-input.ts';

export type ExpressDefinition = { arn: string; port: number };

/** Members of a call that say what runs. */
export type DefinitionInput = {
  taskDefinitionArn?: string | undefined;
  primaryContainer?: ExpressGatewayContainer | undefined;
  executionRoleArn?: string | undefined;
  taskRoleArn?: string | undefined;
  cpu?: string | undefined;
  memory?: string | undefined;
  cpuArchitecture?: string | undefined;
};
export type DefinitionPlace = { cluster: string; name: string; registeredBy: string };

/** `parts`: of the open transaction. Throws what RegisterTaskDefinition throws. */
export async function expressDefinition(
  parts: IntentDeps,
  scope: Scope,
  place: DefinitionPlace,
  input: DefinitionInput,
): Promise<ExpressDefinition> {
  if (input.taskDefinitionArn !== undefined) return await ownDefinition(parts, scope, input.taskDefinitionArn);
  const request = definitionRequest(scope, place, input);
  const record = await registerTaskDefinition(parts, scope, {
    family: request.family ?? '',
    definition: fillDefaults(request, validateDefinition(request)) as Record<string, unknown>,
    tags: [{ key: 'AmazonECSManaged', value: 'true' }],
    registeredBy: place.registeredBy,
  });
  const { family, taskRevision } = record.key;
  return { arn: taskDefinitionArn(scope, family, taskRevision), port: input.primaryContainer?.containerPort ?? DEFAULTS.port };
}

/** It "must have a container named Main with a single TCP port mapping that includes a container port and port name" (API reference). */
async function ownDefinition(parts: IntentDeps, scope: Scope, ref: string): Promise<ExpressDefinition> {
  const record = await parts.store.read((tx) => findTaskDefinition(tx, scope, taskDefinitionRef(scope, ref)));
  if (record === undefined) throw refuse('TaskDefinition not found.');
  const { containerDefinitions = [], compatibilities = [] } = record.definition as TaskDefinition;
  if (!compatibilities.includes('FARGATE')) throw refuse('The task definition of an Express service must be compatible with FARGATE.');
  const main = containerDefinitions.find((container) => container.name === MAIN);
  const [mapping, ...others] = (main?.portMappings ?? []).filter((one) => (one.protocol ?? 'tcp') === 'tcp');
  if (mapping?.containerPort === undefined || mapping.name === undefined || others.length > 0) {
    throw refuse(
      `The task definition must have a container named ${MAIN} with a single TCP port mapping that includes a container port and a name.`,
    );
  }
  return { arn: taskDefinitionArn(scope, record.key.family, record.key.taskRevision), port: mapping.containerPort };
}

function definitionRequest(scope: Scope, place: DefinitionPlace, input: DefinitionInput): RegisterTaskDefinitionRequest {
  const container = input.primaryContainer;
  const logs = container?.awsLogsConfiguration;
  const credentials = container?.repositoryCredentials?.credentialsParameter;
  const main: ContainerDefinition = {
    name: MAIN,
    image: container?.image,
    essential: true,
    command: container?.command,
    environment: container?.environment,
    secrets: container?.secrets,
    ...(credentials === undefined ? {} : { repositoryCredentials: { credentialsParameter: credentials } }),
    portMappings: [{ containerPort: container?.containerPort ?? DEFAULTS.port, protocol: 'tcp', name: 'http' }],
    logConfiguration: {
      logDriver: 'awslogs',
      options: {
        'awslogs-group': logs?.logGroup ?? `/aws/ecs/${place.cluster}/${place.name}`,
        'awslogs-region': scope.region,
        'awslogs-stream-prefix': logs?.logStreamPrefix ?? 'ecs',
        'awslogs-create-group': 'true',
      },
    },
  };
  return {
    family: `${place.cluster}-${place.name}`.slice(0, 255),
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    cpu: input.cpu ?? DEFAULTS.cpu,
    memory: input.memory ?? DEFAULTS.memory,
    executionRoleArn: input.executionRoleArn ?? defaultExecutionRole(scope),
    taskRoleArn: input.taskRoleArn,
    ...(input.cpuArchitecture === undefined
      ? {}
      : { runtimePlatform: { operatingSystemFamily: 'LINUX' as const, cpuArchitecture: input.cpuArchitecture as 'X86_64' } }),
    containerDefinitions: [main],
  };
}

/** Whose name ECS's documentation gives to everybody's. */
export const defaultExecutionRole = ({ account }: { account: string }) => `arn:aws:iam::${account}:role/ecsTaskExecutionRole`;
