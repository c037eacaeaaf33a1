/** A service's events: ECS's own words, the newest 100 kept. Writer: control/services. */
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import type { ServiceEventRecord, ServiceKey } from '#domain/service.ts';
import type { WriteTx } from '#store/types.ts';

/** What a failed task printed last follows this, in the event that tells of its failure. */
const LAST_LINES = ' Last log lines: ';

export function withLastLines(message: string, lines: readonly string[]): string {
  return lines.length === 0 ? message : `${message}${LAST_LINES}${lines.join(' | ')}`;
}

/** Without the log lines: what the planner said, and knows again. */
export function plainMessage(message: string): string {
  const at = message.indexOf(LAST_LINES);
  return at < 0 ? message : message.slice(0, at);
}

/** Adds events, in order, and drops the oldest past the bound. */
export async function addEvents(
  tx: WriteTx,
  source: { random: Random; now: number },
  key: ServiceKey,
  messages: readonly string[],
): Promise<void> {
  if (messages.length === 0) return;
  const present = await tx.serviceEvents.list(key);
  let order = present.at(-1)?.key.order;
  for (const message of messages) {
    order = nextOrder(order, source.now);
    await tx.serviceEvents.put({ key: { ...key, order }, id: uuid(source.random), at: source.now, message }, 0);
  }
  const surplus = Math.max(0, present.length + messages.length - limits.serviceEvents);
  for (const event of present.slice(0, surplus)) await tx.serviceEvents.delete(event.key);
}

/** Whether this was said lately: an event that goes on being true isn't said again for a while. */
export async function saidLately(tx: WriteTx, key: ServiceKey, message: string, now: number): Promise<boolean> {
  const events: ServiceEventRecord[] = await tx.serviceEvents.list(key);
  return events.some((event) => event.message === message && now - event.at < limits.serviceEventRepeatMs);
}

/** `MILLISECONDS-COUNTER`, both of fixed width: after the last one also when the clock went back. */
function nextOrder(last: string | undefined, now: number): string {
  const [ms, counter] = (last ?? '').split('-').map(Number);
  const same = ms !== undefined && counter !== undefined && ms >= now;
  return `${String(same ? ms : now).padStart(15, '0')}-${String(same ? counter + 1 : 0).padStart(6, '0')}`;
}
