/** The definition as AWS keeps it: what was left out filled in, sizes as whole numbers. Terraform compares against exactly this. */
import type { ContainerDefinition, HealthCheck, PortMapping, RegisterTaskDefinitionRequest, TaskDefinition } from '@aws-sdk/client-ecs';
import { requiresAttributes } from './requires-attributes.ts';
import type { Checked } from './validate.ts';

/** Without ARN, revision, status and times: those are the record's. */
export function fillDefaults(request: RegisterTaskDefinitionRequest, checked: Checked): TaskDefinition {
  const { tags: _kept, containerDefinitions = [], volumes = [], placementConstraints = [], ...rest } = request;
  return {
    ...rest,
    containerDefinitions: containerDefinitions.map((container) => fillContainer(container, request.networkMode)),
    volumes: volumes.map((volume) => (volume.host === undefined && Object.keys(volume).length === 1 ? { ...volume, host: {} } : volume)),
    placementConstraints,
    requiresAttributes: requiresAttributes(request),
    compatibilities: checked.compatibilities,
    ...(checked.cpu === undefined ? {} : { cpu: String(checked.cpu) }),
    ...(checked.memoryMib === undefined ? {} : { memory: String(checked.memoryMib) }),
  };
}

function fillContainer(container: ContainerDefinition, networkMode: string | undefined): ContainerDefinition {
  return {
    ...container,
    cpu: container.cpu ?? 0,
    essential: container.essential ?? true,
    environment: container.environment ?? [],
    mountPoints: container.mountPoints ?? [],
    volumesFrom: container.volumesFrom ?? [],
    systemControls: container.systemControls ?? [],
    portMappings: (container.portMappings ?? []).map((mapping) => fillPort(mapping, networkMode)),
    ...(container.healthCheck === undefined ? {} : { healthCheck: fillHealthCheck(container.healthCheck) }),
  };
}

function fillPort(mapping: PortMapping, networkMode: string | undefined): PortMapping {
  const sameOnHost = networkMode === 'awsvpc' || networkMode === 'host';
  const hostPort = sameOnHost ? mapping.containerPort : (mapping.hostPort ?? 0);
  return {
    ...mapping,
    protocol: mapping.protocol ?? 'tcp',
    ...(mapping.containerPortRange !== undefined || hostPort === undefined ? {} : { hostPort }),
  };
}

function fillHealthCheck(check: HealthCheck): HealthCheck {
  return { ...check, interval: check.interval ?? 30, timeout: check.timeout ?? 5, retries: check.retries ?? 3 };
}
