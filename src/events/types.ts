/** What events are made of. Pure. */
import type { Json } from '#base/fault.ts';

export type JsonValue = Json;
export type { EventEnvelope } from '#domain/event.ts';

/** A pattern that isn't one; the message is EventBridge's reason. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

/** The text of what is no schedule, as EventBridge has it. */
export const NO_SCHEDULE = 'Parameter ScheduleExpression is not valid.';

/** A schedule, an input path or a template that isn't one. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
}
