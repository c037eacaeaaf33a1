/** PutCompositeAlarm's input, checked, as an alarm. Source: CloudWatch API reference, PutCompositeAlarm. */
import type { PutCompositeAlarmInput } from '@aws-sdk/client-cloudwatch';
import { Fault } from '#base/fault.ts';
import { parseAlarmRule } from '#domain/alarm-rule.ts';
import type { Scope } from '#domain/scope.ts';
import type { CompositeAlarmWish } from '#intent/index.ts';
import { commonOf } from './alarm-input.ts';
import { missing } from './errors.ts';

const SUPPRESSION = ['ActionsSuppressor', 'ActionsSuppressorWaitPeriod', 'ActionsSuppressorExtensionPeriod'] as const;

export function compositeWish(input: PutCompositeAlarmInput, scope: Scope): CompositeAlarmWish {
  for (const member of SUPPRESSION) {
    if (Object.hasOwn(input, member)) throw new Fault('Unsupported', `berth does not implement ${member} of alarms yet.`);
  }
  const { AlarmRule: rule } = input;
  if (rule === undefined || rule === '') throw missing('The parameter AlarmRule is required.');
  return { rule, children: parseAlarmRule(rule, scope).children, ...commonOf(input) };
}
