/** A token bucket for each task, as the ECS agent's: so many requests a second, so many at once. */
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';

/** Past so many callers those whose buckets are full again are forgotten. */
const SWEEP_CALLERS = 1024;

/** Whether `caller` may ask now. */
export function createThrottle(clock: Clock): (caller: string) => boolean {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const { metadataRate: rate, metadataBurst: burst } = limits;
  const levelOf = (bucket: { tokens: number; at: number }, now: number) =>
    Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * rate);
  return (caller) => {
    const now = clock.now();
    const bucket = buckets.get(caller) ?? { tokens: burst, at: now };
    const tokens = levelOf(bucket, now);
    if (buckets.size > SWEEP_CALLERS) for (const [name, one] of buckets) if (levelOf(one, now) >= burst) buckets.delete(name);
    buckets.set(caller, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    return tokens >= 1;
  };
}
