/** What an alarm's history says of its actions. Source: CloudWatch API reference, AlarmHistoryItem; texts as CloudWatch's. */
import { limits } from '#base/limits.ts';
import { alarmArn } from '#domain/alarm.ts';
import type { AlarmHistoryItem, AlarmObserved, AlarmRecord, AlarmState } from '#domain/alarm.ts';
import { parseArn } from '#domain/arn.ts';
import type { Delivery } from '#domain/event.ts';
import type { Outcome } from '#plan/event-rules.ts';
import type { WriteTx } from '#store/types.ts';

export function noted({ history }: Pick<AlarmObserved, 'history'>, item: AlarmHistoryItem): AlarmHistoryItem[] {
  return [item, ...history].slice(0, limits.alarmHistoryItems);
}

/** `failure`: why it was not carried out; null when it was. */
export function actionItem(key: AlarmRecord['key'], arn: string, state: AlarmState, at: number, failure: string | null): AlarmHistoryItem {
  const data = { actionState: failure === null ? 'Succeeded' : 'Failed', notificationResource: arn, stateUpdate: state, alarm: alarmArn(key), ...(failure === null ? {} : { error: failure }) }; // prettier-ignore
  const summary = failure === null ? `Successfully executed action ${arn}` : `Failed to execute action ${arn}: ${failure}`;
  return { at, kind: 'Action', summary, data: JSON.stringify(data) };
}

/** How an action went that was on its way; the alarm may be gone by then. */
export async function noteAction(tx: WriteTx, { account, region, alarm, target }: Delivery, outcome: Outcome, now: number): Promise<void> {
  if (alarm === null) return;
  const record = await tx.alarms.get({ account, region, name: alarm.name });
  if (record === undefined) return;
  const item = actionItem(record.key, target.arn, alarm.state, now, outcome.ok ? null : outcome.message);
  await tx.alarms.setObserved(record.key, { ...record.observed, history: noted(record.observed, item) }, record.revision);
}

/** Why berth does not carry this action out; null when it does. */
export function refusedAction(arn: string): string | null {
  const { service, resource } = parseArn(arn) ?? { service: '', resource: '' };
  if (service === 'logs' && resource.startsWith('log-group:')) return null;
  if (service === 'events' && resource.startsWith('api-destination/')) return null;
  const instead =
    'an EventBridge rule on "CloudWatch Alarm State Change", a log group or an API destination as the action reach what there is';
  if (service === 'sns') return `berth has no SNS topics; ${instead}`;
  if (service === 'lambda') return `berth has no Lambda functions; ${instead}`;
  if (service === 'autoscaling') return 'berth has no scaling policies yet';
  if (service === 'automate' || service === 'swf') return 'berth has no EC2 instances to stop, terminate, reboot or recover';
  if (service === 'ssm' || service === 'ssm-incidents') return `berth has no Systems Manager; ${instead}`;
  return `berth has nothing behind it; ${instead}`;
}
