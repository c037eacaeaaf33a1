/** Checks and defaults of Express gateway services (API reference, CreateExpressGatewayService and UpdateExpressGatewayService). */
import type {
  CreateExpressGatewayServiceRequest,
  ExpressGatewayContainer,
  ExpressGatewayScalingTarget,
  ExpressGatewayServiceScalingMetric,
  UpdateExpressGatewayServiceRequest,
} from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { expressTags } from '#domain/express.ts';
import { clip } from '#domain/names.ts';
import type { Tag } from '#domain/task.ts';

export const MAIN = 'Main';
export const DEFAULTS = { port: 80, path: '/ping', cpu: '256', memory: '512', min: 1, max: 20, target: 60 } as const;
const metrics = ['AVERAGE_CPU', 'AVERAGE_MEMORY', 'REQUEST_COUNT_PER_TARGET'];

export type Scaling = {
  minTaskCount: number;
  maxTaskCount: number;
  autoScalingMetric: ExpressGatewayServiceScalingMetric;
  autoScalingTargetValue: number;
};

type Both = Omit<UpdateExpressGatewayServiceRequest, 'serviceArn'>;

export function assertCreateExpress(input: CreateExpressGatewayServiceRequest): void {
  if (!input.infrastructureRoleArn) throw refuse('infrastructureRoleArn can not be blank.');
  if (input.taskDefinitionArn === undefined && input.primaryContainer === undefined) {
    throw refuse('Specify either primaryContainer or taskDefinitionArn.');
  }
  assertExpress(input);
}

export function assertExpress(input: Both): void {
  if (input.taskDefinitionArn !== undefined) {
    const members = ['primaryContainer', 'executionRoleArn', 'taskRoleArn', 'cpu', 'memory', 'cpuArchitecture'] as const;
    const given = members.find((member) => input[member] !== undefined);
    if (given !== undefined) throw refuse(`You can't specify ${given} together with taskDefinitionArn.`);
  }
  const path = input.healthCheckPath;
  if (path !== undefined && (!path.startsWith('/') || path.length > 1024)) {
    throw refuse(`healthCheckPath must begin with '/' and have at most 1024 characters; it is '${clip(path)}'.`);
  }
  if (input.primaryContainer !== undefined) assertContainer(input.primaryContainer);
}

function assertContainer(container: ExpressGatewayContainer): void {
  if (!container.image) throw refuse('primaryContainer.image can not be blank.');
  const port = container.containerPort ?? DEFAULTS.port;
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw refuse(`primaryContainer.containerPort must be between 1 and 65535; it is ${port}.`);
  }
}

/** What is left out stays as it was, or is Express Mode's default: 1 to 20 tasks, 60 % CPU. */
export function scalingOf(given: ExpressGatewayScalingTarget | undefined, before: Scaling | undefined): Scaling {
  const minTaskCount = given?.minTaskCount ?? before?.minTaskCount ?? DEFAULTS.min;
  const scaling: Scaling = {
    minTaskCount,
    maxTaskCount: given?.maxTaskCount ?? before?.maxTaskCount ?? Math.max(DEFAULTS.max, minTaskCount),
    autoScalingMetric: given?.autoScalingMetric ?? before?.autoScalingMetric ?? 'AVERAGE_CPU',
    autoScalingTargetValue: given?.autoScalingTargetValue ?? before?.autoScalingTargetValue ?? DEFAULTS.target,
  };
  const counts = [scaling.minTaskCount, scaling.maxTaskCount];
  if (counts.some((count) => !(Number.isInteger(count) && count >= 0 && count <= limits.serviceTasks))) {
    throw refuse(`minTaskCount and maxTaskCount must be between 0 and ${limits.serviceTasks}; they are ${counts.join(' and ')}.`);
  }
  if (scaling.minTaskCount > scaling.maxTaskCount) {
    throw refuse(`minTaskCount ${scaling.minTaskCount} can't be above maxTaskCount ${scaling.maxTaskCount}.`);
  }
  if (!metrics.includes(scaling.autoScalingMetric)) {
    throw refuse(`autoScalingMetric '${clip(scaling.autoScalingMetric)}' is not one of ${metrics.join(', ')}.`);
  }
  if (!(scaling.autoScalingTargetValue > 0))
    throw refuse(`autoScalingTargetValue must be above 0; it is ${scaling.autoScalingTargetValue}.`);
  return scaling;
}

export function healthCodesOf(tags: readonly Tag[]): string {
  const codes = tags.find((tag) => tag.key === expressTags.healthCodes)?.value ?? '200';
  if (/^\d{3}([,-]\d{3})*$/.test(codes)) return codes;
  throw refuse(`The tag ${expressTags.healthCodes} must be codes such as 200 or 200-499; it is '${clip(codes)}'.`);
}

export function strategyOf(tags: readonly Tag[]): 'ROLLING' | 'CANARY' {
  const wanted = tags.find((tag) => tag.key === expressTags.deployment)?.value ?? 'CANARY';
  if (wanted === 'ROLLING' || wanted === 'CANARY') return wanted;
  throw refuse(`The tag ${expressTags.deployment} must be ROLLING or CANARY; it is '${clip(wanted)}'.`);
}

export function refuse(text: string): Fault {
  return new Fault('InvalidParameter', text);
}
