/**
 * What state a composite alarm is in, from the states of its children. Pure. Source: CloudWatch API reference, PutCompositeAlarm and SetAlarmState: it is evaluated
 * when it is made or changed and when a child becomes another state; where its children lead round in a circle, it is not.
 */
import { holds, parseAlarmRule } from '#domain/alarm-rule.ts';
import { alarmArn } from '#domain/alarm.ts';
import type { AlarmObserved, AlarmRecord, AlarmState, CompositeAlarmDesired } from '#domain/alarm.ts';
import type { Verdict } from './alarms.ts';

export type Composite = AlarmRecord<CompositeAlarmDesired>;

/** Of one scope: each after those that it depends on. Without those that a circle of alarms is in, or beneath. */
export function evaluationOrder(composites: readonly Composite[]): Composite[] {
  const waits = new Map<string, number>();
  const parents = new Map<string, Composite[]>();
  const names = new Set(composites.map(({ key }) => key.name));
  for (const composite of composites) {
    const on = composite.desired.children.filter((name) => names.has(name));
    waits.set(composite.key.name, on.length);
    for (const name of on) parents.set(name, [...(parents.get(name) ?? []), composite]);
  }
  const order = composites.filter(({ key }) => waits.get(key.name) === 0);
  // Grows while it is gone through.
  for (const { key } of order) {
    for (const parent of parents.get(key.name) ?? []) {
      const left = (waits.get(parent.key.name) ?? 0) - 1;
      waits.set(parent.key.name, left);
      if (left === 0) order.push(parent);
    }
  }
  return order;
}

/** null: nothing changed since it was evaluated last, which `before` is of. `childOf`: alarms of its scope as they are now. */
export function evaluateComposite(
  { key, desired, observed }: Composite,
  before: AlarmObserved['seen'],
  childOf: (name: string) => AlarmRecord | undefined,
): { seen: Record<string, string>; verdict: Verdict } | null {
  const children = desired.children.flatMap((name) => childOf(name) ?? []);
  const seen = Object.fromEntries(children.map((child) => [child.key.name, became(child)]));
  const changed = children.filter((child) => before?.[child.key.name] !== became(child));
  if (before !== undefined && changed.length === 0 && Object.keys(before).length === children.length) return null;
  const { rule } = parseAlarmRule(desired.rule, key);
  const state: AlarmState = holds(rule, (name) => childOf(name)?.observed.state) ? 'ALARM' : 'OK';
  const triggering = before === undefined ? children : changed;
  const [latest] = changed.toSorted((a, b) => b.observed.transitionedAt - a.observed.transitionedAt);
  const reason =
    before === undefined || latest === undefined
      ? `${alarmArn(key)} was ${observed.configuredAt === 0 ? 'created' : 'updated'} and its alarm rule evaluates to ${state}`
      : changeOf(latest);
  return { seen, verdict: { state, reason, data: dataOf(triggering) } };
}

const became = ({ observed: { state, transitionedAt } }: AlarmRecord) => `${state} ${transitionedAt}`;

function changeOf(latest: AlarmRecord): string {
  return `${alarmArn(latest.key)} transitioned to ${latest.observed.state} at ${dayOf(latest.observed.transitionedAt)}`;
}

function dataOf(alarms: readonly AlarmRecord[]): string {
  const triggeringAlarms = alarms.map(({ key, observed: { state, transitionedAt } }) => ({
    arn: alarmArn(key),
    state: { value: state, timestamp: new Date(transitionedAt).toISOString().replace('Z', '+0000') },
  }));
  return JSON.stringify({ triggeringAlarms });
}

/** `Friday 22 July, 2022 15:57:45 UTC`. */
function dayOf(at: number): string {
  const part = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en-US', { timeZone: 'UTC', ...options }).format(at);
  const time = new Date(at).toISOString().slice(11, 19);
  const day = String(new Date(at).getUTCDate()).padStart(2, '0');
  return `${part({ weekday: 'long' })} ${day} ${part({ month: 'long' })}, ${part({ year: 'numeric' })} ${time} UTC`;
}
