import type { Clock } from '#base/clock.ts';
import type { Metrics } from '#metrics/types.ts';

export type CloudWatchDeps = { metrics: Metrics; clock: Clock };
