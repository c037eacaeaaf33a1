/** The whole check of a RegisterTaskDefinition request, and what it is compatible with. */
import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { isFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { ephemeralMaxGib, extensionsOf } from '#domain/extensions.ts';
import { parseCpu, parseMemory } from '#domain/fargate-sizes.ts';
import { isName } from '#domain/names.ts';
import { assertContainers } from './container-rules.ts';
import { assertDependencies } from './dependency-rules.ts';
import { assertFargate, tagsOf } from './fargate-rules.ts';
import { assertLogs } from './log-rules.ts';
import { assertAwsvpcContainers, assertPorts } from './network-rules.ts';
import { refuse, refuseIf } from './refuse.ts';
import { assertVolumes } from './volume-rules.ts';

const compatibilities = ['EC2', 'FARGATE', 'EXTERNAL', 'MANAGED_INSTANCES'];
/** CPU units of a task that is not for Fargate: 0.125 to 192 vCPU. */
const MIN_TASK_CPU = 128;
const MAX_TASK_CPU = 196_608;
const EPHEMERAL_MIN_GIB = 21;

export type Checked = { cpu: number | undefined; memoryMib: number | undefined; compatibilities: ('EC2' | 'FARGATE' | 'EXTERNAL')[] };

/** Throws ClientError with AWS's text for the first thing that is wrong. */
export function validateDefinition(definition: RegisterTaskDefinitionRequest): Checked {
  const { family = '', requiresCompatibilities = [], networkMode, executionRoleArn } = definition;
  refuseIf(family === '', 'Family should not be null or empty.');
  refuseIf(!isName(family), 'Family contains invalid characters.');
  for (const name of requiresCompatibilities) {
    refuseIf(!compatibilities.includes(name), `Invalid requiresCompatibilities '${name}': use one of ${compatibilities.join(', ')}.`);
  }
  refuseIf(
    !isOneOf(networkMode, ['bridge', 'host', 'awsvpc', 'none']),
    `Invalid networkMode '${networkMode}': use bridge, host, awsvpc or none.`,
  );
  refuseIf((definition.inferenceAccelerators ?? []).length > 0, "Unsupported field 'inferenceAccelerators'");
  const fargate = requiresCompatibilities.includes('FARGATE');
  const cpu = parseSize('cpu', definition.cpu, parseCpu);
  const memoryMib = parseSize('memory', definition.memory, parseMemory);
  assertVolumes(definition.volumes ?? [], definition.taskRoleArn);
  const containers = definition.containerDefinitions ?? [];
  const volumes = (definition.volumes ?? []).map((volume) => volume.name ?? '');
  if (fargate) assertFargate(definition, cpu, memoryMib);
  else refuseIf(cpu !== undefined && (cpu < MIN_TASK_CPU || cpu > MAX_TASK_CPU), "Invalid 'cpu' setting for task.");
  assertContainers(containers, { cpu, memoryMib, volumes, executionRoleArn });
  assertPorts(containers, networkMode);
  if (networkMode === 'awsvpc') assertAwsvpcContainers(containers);
  assertDependencies(containers);
  assertLogs(containers, { fargate, executionRoleArn });
  assertEphemeral(definition);
  refuseIf(!isOneOf(definition.pidMode, ['host', 'task']), `Invalid pidMode '${definition.pidMode}': use host or task.`);
  refuseIf(!isOneOf(definition.ipcMode, ['host', 'task', 'none']), `Invalid ipcMode '${definition.ipcMode}': use host, task or none.`);
  assertLength(definition);
  return { cpu, memoryMib, compatibilities: compatibleWith(definition, fargate, cpu, memoryMib) };
}

function parseSize(what: 'cpu' | 'memory', text: string | undefined, parse: (text: string) => number | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const size = parse(text);
  if (size === undefined) throw refuse(`Invalid '${what}' setting for task.`);
  return size;
}

function assertEphemeral(definition: RegisterTaskDefinitionRequest): void {
  const sizeInGiB = definition.ephemeralStorage?.sizeInGiB;
  if (sizeInGiB === undefined) return;
  const max = ephemeralMaxGib(extensionsOf(tagsOf(definition)));
  refuseIf(sizeInGiB < EPHEMERAL_MIN_GIB, `EphemeralStorage size should be at least ${EPHEMERAL_MIN_GIB}`);
  refuseIf(sizeInGiB > max, `EphemeralStorage size should be at most ${max}`);
}

function assertLength(definition: RegisterTaskDefinitionRequest): void {
  const length = Buffer.byteLength(JSON.stringify(definition));
  const max = limits.taskDefinitionBytes;
  refuseIf(length > max, `Actual length: '${length}'. Max allowed length is '${max}' bytes.`);
}

/** A definition that doesn't ask for Fargate may still run there. */
function compatibleWith(
  definition: RegisterTaskDefinitionRequest,
  fargate: boolean,
  cpu: number | undefined,
  memoryMib: number | undefined,
): Checked['compatibilities'] {
  if (fargate) return ['EC2', 'FARGATE'];
  const fits = () => {
    try {
      assertFargate(definition, cpu, memoryMib);
      assertLogs(definition.containerDefinitions ?? [], { fargate: true, executionRoleArn: definition.executionRoleArn });
      return true;
    } catch (error) {
      if (isFault(error)) return false;
      throw error;
    }
  };
  if (fits()) return ['EC2', 'FARGATE'];
  return definition.networkMode === 'awsvpc' ? ['EC2'] : ['EXTERNAL', 'EC2'];
}

function isOneOf(value: string | undefined, allowed: string[]): boolean {
  return value === undefined || allowed.includes(value);
}
