/** Which targets an event goes to, and what becomes of a delivery after a try. Pure. */
import { limits } from '#base/limits.ts';
import { ruleArn } from '#domain/event.ts';
import type { Delivery, EventEnvelope, EventRow, EventRuleRecord } from '#domain/event.ts';
import type { Pattern } from '#events/index.ts';

/** `patternOf`: compiled; null for one that can't be read (a former version may have taken it). */
export function deliveriesOf(
  row: Omit<EventRow, 'seq'>,
  rules: readonly EventRuleRecord[],
  patternOf: (text: string) => Pattern | null,
  now: number,
): Delivery[] {
  const { account, region, bus, event } = row;
  return rules
    .filter(({ key, desired }) => {
      if (!desired.enabled || desired.pattern === null || desired.targets.length === 0) return false;
      if (key.account !== account || key.region !== region || key.bus !== bus) return false;
      const pattern = patternOf(desired.pattern);
      if (pattern === null || (pattern.sources !== null && !pattern.sources.has(event.source))) return false;
      return pattern.matches(event as never);
    })
    .flatMap((rule) => deliveriesTo(rule, event, now));
}

export function deliveriesTo({ key, desired }: EventRuleRecord, event: EventEnvelope, now: number): Delivery[] {
  const { account, region, name: sourceName } = key;
  const sourceArn = ruleArn(key);
  return desired.targets.map((target) => ({
    account,
    region,
    sourceArn,
    sourceName,
    target,
    event,
    // The same event reaches a target of a rule once, whoever makes the delivery.
    id: `${event.id}/${key.bus}/${sourceName}/${target.id}`,
    dueAt: now,
    at: now,
    attempts: 0,
    alarm: null,
  }));
}

/** `waitMs`: how long the target itself asked to be left alone. */
export type Outcome = { ok: true } | { ok: false; again: boolean; code: string; message: string; waitMs?: number };

export type AfterTry = { done: true; dead: Delivery | null } | { done: false; delivery: Delivery };

/** Doubled from a second to five minutes, and never two of the same failure in step: `fraction` is of [0, 1). Longer where the target asked for it. */
export function afterTry(delivery: Delivery, outcome: Outcome, now: number, fraction: number): AfterTry {
  if (outcome.ok) return { done: true, dead: null };
  const attempts = delivery.attempts + 1;
  const { target, at } = delivery;
  const wait = Math.min(limits.eventRetryMaxMs, limits.eventRetryMinMs * 2 ** Math.min(attempts - 1, 20));
  const dueAt = now + Math.max(Math.round(wait * (0.5 + fraction / 2)), outcome.waitMs ?? 0);
  const isOver = !outcome.again || attempts > target.maxAttempts || dueAt - at > target.maxAgeMs;
  if (!isOver) return { done: false, delivery: { ...delivery, attempts, dueAt } };
  return {
    done: true,
    dead: target.deadLetterArn === null ? null : deadLetter({ ...delivery, attempts }, target.deadLetterArn, outcome, now),
  };
}

function deadLetter(delivery: Delivery, arn: string, { code, message }: Extract<Outcome, { ok: false }>, now: number): Delivery {
  const { event, target, sourceArn, attempts } = delivery;
  const text = JSON.stringify({
    ruleArn: sourceArn,
    targetArn: target.arn,
    errorCode: code,
    errorMessage: message,
    retryAttempts: attempts - 1,
    event,
  });
  return {
    ...delivery,
    id: `${delivery.id}/dead`,
    dueAt: now,
    at: now,
    attempts: 0,
    target: {
      id: 'dead-letters',
      arn,
      roleArn: null,
      input: { constant: text },
      maxAttempts: limits.eventAttempts,
      maxAgeMs: limits.eventAgeMs,
      deadLetterArn: null,
      parameters: {},
      front: {},
    },
    alarm: null,
  };
}
