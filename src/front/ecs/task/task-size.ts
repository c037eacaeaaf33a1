/** How large a task is once a call's overrides are applied. */
import type { TaskDefinition, TaskOverride } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { ephemeralMaxGib } from '#domain/extensions.ts';
import type { Extension } from '#domain/extensions.ts';
import { assertFargateSize, assertFreeSize, parseCpu, parseMemory } from '#domain/fargate-sizes.ts';

const EPHEMERAL_MIN_GIB = 20;

/** CPU units and MiB, with the definition's extensions; throws InvalidParameter or ClientError for sizes Fargate doesn't have, or a container larger than its task. */
export function taskSize(
  definition: TaskDefinition,
  overrides: TaskOverride,
  extensions: readonly Extension[],
): { cpu: number; memoryMib: number } {
  const cpu = parse('cpu', overrides.cpu ?? definition.cpu, parseCpu);
  const memoryMib = parse('memory', overrides.memory ?? definition.memory, parseMemory);
  if (extensions.includes('sizes')) assertFreeSize(cpu, memoryMib);
  else assertFargateSize(cpu, memoryMib);
  const overrideOf = new Map((overrides.containerOverrides ?? []).map((override) => [override.name, override]));
  let cpuSum = 0;
  for (const container of definition.containerDefinitions ?? []) {
    const override = overrideOf.get(container.name);
    const memory = override?.memory ?? container.memory;
    const reservation = override?.memoryReservation ?? container.memoryReservation;
    cpuSum += override?.cpu ?? container.cpu ?? 0;
    if (Math.max(memory ?? 0, reservation ?? 0) > memoryMib)
      throw refuse("The 'memory' setting for container is greater than for the task.");
    if (memory !== undefined && reservation !== undefined && reservation > memory) {
      throw refuse(`Invalid setting for container '${container.name}'. 'memory' must be greater than or equal to 'memoryReservation'.`);
    }
    if ([memory, reservation, override?.cpu].some((value) => value !== undefined && value < 0)) {
      throw refuse(`Invalid setting for container '${container.name}'. 'cpu' and 'memory' must not be negative.`);
    }
  }
  if (cpuSum > cpu) throw refuse("The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.");
  const storage = overrides.ephemeralStorage?.sizeInGiB;
  const max = ephemeralMaxGib(extensions);
  if (storage !== undefined && (storage < EPHEMERAL_MIN_GIB || storage > max)) {
    throw refuse(`EphemeralStorage size should be at ${storage < EPHEMERAL_MIN_GIB ? `least ${EPHEMERAL_MIN_GIB}` : `most ${max}`}`);
  }
  return { cpu, memoryMib };
}

function parse(what: 'cpu' | 'memory', text: string | undefined, read: (text: string) => number | undefined): number {
  const size = text === undefined || text === '' ? undefined : read(text);
  if (size !== undefined) return size;
  throw text === undefined || text === ''
    ? new Fault('ClientError', `Fargate requires that '${what}' be defined at the task level.`)
    : refuse(`Invalid '${what}' setting for task.`);
}

function refuse(text: string): Fault {
  return new Fault('InvalidParameter', text);
}
