import type { Clock } from '#base/clock.ts';
import type { IntentDeps } from '#intent/index.ts';
import type { Metrics } from '#metrics/types.ts';

export type CloudWatchDeps = { metrics: Metrics; clock: Clock; intent: IntentDeps };
