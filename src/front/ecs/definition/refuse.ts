/** How task definitions are refused. */
import { Fault } from '#base/fault.ts';

/** ECS answers nearly every unacceptable definition with ClientException. */
export function refuse(text: string): Fault {
  return new Fault('ClientError', text);
}

/** Throws when the condition holds. */
export function refuseIf(wrong: boolean, text: string): void {
  if (wrong) throw refuse(text);
}

export const isEmpty = (value: unknown) => value === undefined || value === null || (Array.isArray(value) && value.length === 0);
