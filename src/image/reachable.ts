/** Whether a registry can be had at all from this machine, quickly: so that a demo can choose, and say why. */
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { registryUrl } from './reference.ts';
import { createTransport } from './transport.ts';

export type Reachability = { reachable: boolean; elapsedMs: number; reason: string };

/** Asks `registry`'s /v2/ (`docker.io`, `ghcr.io`, `localhost:5000`); never takes longer than `timeoutMs`, never throws. */
export async function registryReachable(
  clock: Clock,
  registry: string,
  options: { timeoutMs: number; proxyEnv?: Record<string, string | undefined> },
): Promise<Reachability> {
  const transport = createTransport(clock, options.proxyEnv === undefined ? {} : { proxyEnv: options.proxyEnv });
  const startedAt = clock.now();
  const stop = new AbortController();
  const timer = clock.after(options.timeoutMs, () => stop.abort());
  const answer = (reachable: boolean, reason: string): Reachability => ({ reachable, elapsedMs: clock.now() - startedAt, reason });
  try {
    const { status, body } = await transport.request({
      method: 'GET',
      url: new URL('v2/', registryUrl(registry, [])),
      headers: {},
      signal: stop.signal,
    });
    body.destroy();
    // 401 is how a registry asks who is there (distribution-spec, "Determining Support").
    return status === 200 || status === 401
      ? answer(true, `${registry} answers`)
      : answer(false, `${registry} answers ${status}, as no registry does`);
  } catch (error) {
    return answer(false, stop.signal.aborted ? `${registry} did not answer within ${options.timeoutMs / 1000} s` : asFault(error).message);
  } finally {
    timer.cancel();
    transport.close();
  }
}
