/** Checks of a RunTask call that need nothing but the call (API reference, RunTask). */
import type { RunTaskRequest } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { assertText, clip } from '#domain/names.ts';
import { assertFargateWish } from './launch.ts';

/** Throws InvalidParameter, or the errors that AWS has names for. */
export function assertRunTaskInput(input: RunTaskRequest): void {
  const count = input.count ?? 1;
  if (!(Number.isInteger(count) && count >= 1 && count <= limits.runTaskCount)) {
    throw refuse(`count must be between 1 and ${limits.runTaskCount}; it is ${count}.`);
  }
  assertText(input.startedBy, { what: 'startedBy', max: 128 });
  assertText(input.group, { what: 'group', max: 255 });
  if (input.group?.startsWith('service:') === true) throw refuse(`Invalid namespace for group: '${clip(input.group)}' is a service's.`);
  assertText(input.referenceId, { what: 'referenceId', max: 1024 });
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

function refuse(text: string): Fault {
  return new Fault('InvalidParameter', text);
}
