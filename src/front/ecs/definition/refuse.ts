/** How task definitions are refused. */
import { Fault } from '#base/fault.ts';

/** A text may quote what was sent, which may be large. */
const TEXT_MAX = 800;

/** ECS answers nearly every unacceptable definition with ClientException. */
export function refuse(text: string): Fault {
  return new Fault('ClientError', text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}...`);
}

/** Throws when the condition holds. */
export function refuseIf(wrong: boolean, text: string): void {
  if (wrong) throw refuse(text);
}

export const isEmpty = (value: unknown) => value === undefined || value === null || (Array.isArray(value) && value.length === 0);
