/** Where events go: tasks, log groups, webhooks. What control's deliveries loop is given. */
import type { Clock } from '#base/clock.ts';
import { asFault, invariant, type Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { EventSources } from '#control/index.ts';
import { eventTime } from '#domain/event.ts';
import type { Delivery, EventEnvelope } from '#domain/event.ts';
import type { TaskRecord } from '#domain/task.ts';
import { inputOf, scheduleInput } from '#events/index.ts';
import { createEcsApi } from '#front/ecs/index.ts';
import { describeTask, zonesOf } from '#front/ecs/task/describe-task.ts';
import { groupOf } from '#front/events/index.ts';
import { assertBus, putEvents, type IntentDeps } from '#intent/index.ts';
import type { Logs } from '#logs/types.ts';
import type { Outcome } from '#plan/event-rules.ts';
import type { ReadTx } from '#store/types.ts';
import { contextOfRole } from './event-role.ts';
import { toLogGroup } from './event-logs.ts';
import { runTaskFor, type Deps as TaskDeps } from './event-tasks.ts';
import { createWebhooks, type Deps as WebhookDeps } from './event-webhook.ts';

export type Deps = IntentDeps & TaskDeps & WebhookDeps & { clock: Clock; logs: Logs; keepMs: number };

/** ECS's own operation, as its API has it. */
export function runTaskOf(intent: IntentDeps): Deps['runTask'] {
  const found = createEcsApi(intent).operations.find(({ name }) => name === 'RunTask');
  invariant(found !== undefined, 'ECS has no RunTask');
  return found;
}

export function createEventSources(deps: Deps): EventSources {
  const webhook = createWebhooks(deps);
  return {
    keepMs: deps.keepMs,
    async describeTask(tx: ReadTx, task: TaskRecord) {
      const described = describeTask(task, await zonesOf(tx, [task]), []);
      return JSON.parse(JSON.stringify(described)) as { [key: string]: Json };
    },
    async deliver(deliveries) {
      const [first] = deliveries;
      if (first === undefined) return [];
      const group = groupOf(first.target.arn);
      if (group !== undefined) return await toLogGroup(deps, group, first, deliveries.map(textOf));
      const one = first.target.arn.includes(':api-destination/')
        ? webhook
        : first.target.arn.includes(':event-bus/')
          ? (delivery: Delivery, text: string) => toBus(deps, delivery, text)
          : (delivery: Delivery, text: string) => runTaskFor(deps, delivery, text);
      return await severalAtOnce(deliveries, async (delivery) => await one(delivery, textOf(delivery)));
    },
  };
}

function textOf({ id, target, event, sourceArn, sourceName, at, attempts }: Delivery): string {
  const text = inputOf(target.input, event, { ruleArn: sourceArn, ruleName: sourceName, ingestedAt: eventTime(at) });
  const isScheduled = sourceArn.startsWith('arn:aws:scheduler:') && target.id !== 'dead-letters';
  return isScheduled
    ? scheduleInput(text, { scheduleArn: sourceArn, scheduledTime: event.time, executionId: id, attempt: attempts + 1 })
    : text;
}

/** In order as they begin, so many at a time. */
async function severalAtOnce(deliveries: readonly Delivery[], deliver: (delivery: Delivery) => Promise<Outcome>): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const work = async () => {
    for (let index = next++; index < deliveries.length; index = next++) outcomes[index] = await deliver(deliveries[index] as Delivery);
  };
  await Promise.all(Array.from({ length: limits.webhooksAtOnce }, work));
  return outcomes;
}

/** A schedule's own event, sent as the schedule's role. The bus may get it twice, with one id. */
async function toBus(deps: Deps, { id, account, region, sourceArn, target, at }: Delivery, text: string): Promise<Outcome> {
  const scope = { account, region };
  const { Source: source, DetailType: type } = target.parameters as { Source?: string; DetailType?: string };
  try {
    const wish = { roleArn: target.roleArn ?? '', service: 'scheduler.amazonaws.com', sessionName: id.slice(0, 32), sourceArn };
    const context = await contextOfRole(deps, scope, wish, id);
    await context.assertAllowed('events:PutEvents', [target.arn], { 'events:source': [source ?? ''], 'events:detail-type': [type ?? ''] });
    const bus = target.arn.split('event-bus/')[1] ?? '';
    const detail = JSON.parse(text) as EventEnvelope['detail'];
    const event: EventEnvelope = { version: '0', id, 'detail-type': type ?? '', source: source ?? '', account, time: eventTime(at), region, resources: [sourceArn], detail };
    await deps.store.read((tx) => assertBus(tx, scope, bus));
    await putEvents(deps, [{ bus, event }]);
    return { ok: true };
  } catch (error) {
    const { code, message } = asFault(error);
    return { ok: false, again: code !== 'AccessDenied' && code !== 'ResourceNotFound', code, message };
  }
} // prettier-ignore
