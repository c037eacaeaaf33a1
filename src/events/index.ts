/** EventBridge's languages, pure: patterns, schedules, what a target gets of an event. */
export { eventsBounds } from './bounds.ts';
export { checkInput, inputOf, scheduleInput, type RuleFacts, type TargetInput } from './input.ts';
export { compilePattern, type Pattern } from './pattern.ts';
export { parseSchedule, type Schedule } from './schedule.ts';
export { ExpressionError, NO_SCHEDULE, PatternError, type EventEnvelope, type JsonValue } from './types.ts';
