/** What a target gets of an event: the whole, a part (InputPath), a constant, or a template filled in. Source: EventBridge user guide, "Input transformation". */
import type { TargetInput } from '#domain/event.ts';
import { eventsBounds } from './bounds.ts';
import { ExpressionError } from './types.ts';
import type { EventEnvelope, JsonValue } from './types.ts';

export type { TargetInput } from '#domain/event.ts';

/** What is there of the rule itself, beside the event. */
export type RuleFacts = { ruleArn: string; ruleName: string; ingestedAt: string };

/** Throws ExpressionError for a path or template that can't be read. */
export function checkInput({ path, transformer }: TargetInput): void {
  if (path !== undefined) parsePath(path);
  if (transformer === undefined) return;
  const { paths, template } = transformer;
  if (Object.keys(paths).length > eventsBounds.transformerPaths) {
    throw new ExpressionError(`InputPathsMap has more than ${eventsBounds.transformerPaths} entries.`);
  }
  if (template.length > eventsBounds.templateChars)
    throw new ExpressionError(`InputTemplate is longer than ${eventsBounds.templateChars} characters.`);
  for (const [name, one] of Object.entries(paths)) {
    if (!/^[A-Za-z0-9_-]+$/.test(name)) throw new ExpressionError(`InputPathsMap has an invalid key ${name.slice(0, 50)}.`);
    if (name.toUpperCase().startsWith('AWS')) throw new ExpressionError(`InputPathsMap may not have the reserved key ${name}.`);
    parsePath(one);
  }
  for (const [, name = ''] of template.matchAll(PLACE)) {
    if (!name.startsWith('aws.events.') && !Object.hasOwn(paths, name)) {
      throw new ExpressionError(`InputTemplate uses <${name}>, which InputPathsMap does not name.`);
    }
  }
}

/** The text that the target gets. */
export function inputOf(input: TargetInput, event: EventEnvelope, facts: RuleFacts): string {
  if (input.constant !== undefined) return input.constant;
  const whole = event as unknown as JsonValue;
  if (input.path !== undefined) return JSON.stringify(resolve(input.path, whole) ?? null);
  if (input.transformer === undefined) return JSON.stringify(event);
  const { paths, template } = input.transformer;
  const known: Record<string, JsonValue | undefined> = {
    'aws.events.rule-arn': facts.ruleArn,
    'aws.events.rule-name': facts.ruleName,
    'aws.events.event.ingestion-time': facts.ingestedAt,
    'aws.events.event': whole,
    'aws.events.event.json': whole,
  };
  return fill(template, (name) => (Object.hasOwn(paths, name) ? resolve(paths[name] ?? '', whole) : known[name]));
}

/** What Scheduler puts into a schedule's input. Source: EventBridge Scheduler user guide, "Context attributes". */
export type ScheduleFacts = { scheduleArn: string; scheduledTime: string; executionId: string; attempt: number };

export function scheduleInput(text: string, { scheduleArn, scheduledTime, executionId, attempt }: ScheduleFacts): string {
  const known: Record<string, string> = {
    'schedule-arn': scheduleArn,
    'scheduled-time': scheduledTime,
    'execution-id': executionId,
    'attempt-number': String(attempt),
  };
  return text.replaceAll(/<aws\.scheduler\.([a-z-]+)>/g, (whole, name: string) => known[name] ?? whole);
}

const PLACE = /<([A-Za-z0-9_.-]+)>/g;

/** In quotes a value is text among text; outside of them it is JSON. A template that isn't JSON as a whole is text, in which strings have no quotes. */
function fill(template: string, valueOf: (name: string) => JsonValue | undefined): string {
  const isJson = readsAsJson(template);
  let inQuotes = false;
  let out = '';
  for (let at = 0; at < template.length; at++) {
    const char = template[at] ?? '';
    const place = char === '<' ? /^<([A-Za-z0-9_.-]+)>/.exec(template.slice(at, at + 300)) : null;
    if (place !== null) {
      const value = valueOf(place[1] ?? '');
      const text = typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
      if (!isJson) out += text;
      else if (inQuotes) out += JSON.stringify(text).slice(1, -1);
      else out += JSON.stringify(value ?? '');
      at += place[0].length - 1;
      continue;
    }
    if (char === '\\' && inQuotes) {
      out += char + (template[at + 1] ?? '');
      at++;
      continue;
    }
    if (char === '"') inQuotes = !inQuotes;
    out += char;
  }
  return out;
}

/** With any value in each place. In quotes a digit is text. */
function readsAsJson(template: string): boolean {
  try {
    JSON.parse(template.replaceAll(PLACE, '0'));
    return true;
  } catch {
    return false;
  }
}

/** `$.detail.containers[0].name`, `$.detail['a b']`, `$`. */
function parsePath(text: string): (string | number)[] {
  const steps: (string | number)[] = [];
  if (!text.startsWith('$') || text.length > 256) throw badPath(text);
  const step = /\.([^.[\]'"]+)|\[(\d{1,6})\]|\['([^']+)'\]|\["([^"]+)"\]/y;
  step.lastIndex = 1;
  while (step.lastIndex < text.length) {
    const found = step.exec(text);
    if (found === null) throw badPath(text);
    const [, name, index, quoted, doubly] = found;
    steps.push(index === undefined ? (name ?? quoted ?? doubly ?? '') : Number(index));
  }
  return steps;
}

function resolve(path: string, event: JsonValue): JsonValue | undefined {
  let value: JsonValue | undefined = event;
  for (const step of parsePath(path)) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value)) value = typeof step === 'number' ? value[step] : undefined;
    else value = Object.hasOwn(value, step) ? value[step] : undefined;
  }
  return value;
}

const badPath = (text: string) => new ExpressionError(`Invalid JSON path ${text.slice(0, 100)}.`);
