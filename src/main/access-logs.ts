/** Access logs of load balancers into log events. */
import type { AccessLogSink } from '#balancer/access-log.ts';
import { isFault } from '#base/fault.ts';
import type { Logs } from '#logs/types.ts';

/** Group and stream are made where they are missing. Throws what the logs say, such as of a group's name that can't be one. */
export function createAccessLogSink(logs: Logs): AccessLogSink {
  return async ({ account, region, group, balancer }, events) => {
    const scope = { account, region };
    const put = () => logs.put(scope, group, balancer, events);
    try {
      await put();
    } catch (error) {
      if (!isFault(error, 'ResourceNotFound')) throw error;
      await unlessThere(logs.createGroup(scope, group, { tags: {} }));
      await unlessThere(logs.createStream(scope, group, balancer));
      await put();
    }
  };
}

export async function unlessThere(made: Promise<void>): Promise<void> {
  try {
    await made;
  } catch (error) {
    if (!isFault(error, 'AlreadyExists')) throw error;
  }
}
