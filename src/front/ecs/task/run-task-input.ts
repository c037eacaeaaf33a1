/** Checks of a RunTask call that need nothing but the call (API reference, RunTask). */
import { createHash } from 'node:crypto';
import type { RunTaskRequest } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { assertText, clip } from '#domain/names.ts';
import type { ClusterRecord } from '#domain/records.ts';

const platformVersions = ['LATEST', '1.4.0', '1.3.0'];
/** What LATEST stands for. */
export const PLATFORM_VERSION = '1.4.0';

/** Throws InvalidParameter, or the errors that AWS has names for. */
export function assertRunTaskInput(input: RunTaskRequest): void {
  const count = input.count ?? 1;
  if (!(Number.isInteger(count) && count >= 1 && count <= limits.runTaskCount)) {
    throw refuse(`count must be between 1 and ${limits.runTaskCount}; it is ${count}.`);
  }
  assertText(input.startedBy, { what: 'startedBy', max: 128 });
  assertText(input.group, { what: 'group', max: 255 });
  assertText(input.clientToken, { what: 'clientToken', min: 1, max: 64, pattern: /^[\x21-\x7e]*$/ });
  if (input.propagateTags !== undefined && input.propagateTags !== 'TASK_DEFINITION' && input.propagateTags !== 'NONE') {
    throw refuse(`propagateTags '${clip(input.propagateTags)}' is not valid for a standalone task: use TASK_DEFINITION.`);
  }
  const overrides = JSON.stringify(input.overrides ?? {}).length;
  if (overrides > limits.overridesChars) {
    throw refuse(`Container Overrides length must be at most ${limits.overridesChars}; it is ${overrides}.`);
  }
  assertFargateWish(input);
}

function assertFargateWish(input: RunTaskRequest): void {
  if (input.launchType !== undefined && !['EC2', 'FARGATE', 'EXTERNAL', 'MANAGED_INSTANCES'].includes(input.launchType)) {
    throw refuse(`launchType '${clip(input.launchType)}' is not one of EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES.`);
  }
  if ((input.placementConstraints ?? []).length > 0) throw refuse('Placement constraints are not supported with FARGATE launch type.');
  if ((input.placementStrategy ?? []).length > 0) throw refuse('Placement strategies are not supported with FARGATE launch type.');
  if ((input.volumeConfigurations ?? []).length > 0) {
    throw new Fault(
      'ClientError',
      "volumeConfigurations can't be used here yet: no task definition with a volume that is configured at launch can be run.",
    );
  }
  if (input.platformVersion !== undefined && !platformVersions.includes(input.platformVersion)) {
    throw new Fault(
      'InvalidParameter',
      `The specified platform version '${clip(input.platformVersion)}' does not exist: use LATEST or ${PLATFORM_VERSION}.`,
      {
        details: { errorName: 'PlatformUnknownException' },
      },
    );
  }
}

/** Whether Fargate is to carry the tasks; if not, nothing here will, and intent says so in AWS's words. */
export function goesToFargate(input: RunTaskRequest, cluster: ClusterRecord): boolean {
  if (input.launchType !== undefined) return input.launchType === 'FARGATE';
  return (input.capacityProviderStrategy ?? []).length > 0 || cluster.defaultStrategy.length > 0;
}

/** Stands for all of a call's parameters but its token, in whatever order they came. */
export function paramsHash(input: RunTaskRequest): string {
  const { clientToken: _token, ...parameters } = input;
  return createHash('sha256').update(canonical(parameters)).digest('hex');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

function refuse(text: string): Fault {
  return new Fault('InvalidParameter', text);
}
