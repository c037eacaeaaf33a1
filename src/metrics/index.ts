export { openMetrics } from './metrics.ts';
export { isStatistic, statistic, statisticSet, together } from './statistics.ts';
