/** When the deployment circuit breaker trips (ECS DeploymentCircuitBreaker, ThresholdConfiguration). */
import { limits } from '#base/limits.ts';
import type { DeploymentConfig } from './service.ts';

/** How many failed tasks of the new revision a deployment may have; percentages are of the desired count. */
export function breakerThreshold(config: DeploymentConfig['circuitBreaker'], desiredCount: number): number {
  const { type, value } = config.threshold;
  if (type === 'COUNT') return Math.max(1, value);
  const share = Math.ceil((value / 100) * desiredCount);
  if (type === 'UNBOUNDED_PERCENT') return Math.max(1, share);
  return Math.min(limits.breakerThresholdMax, Math.max(limits.breakerThresholdMin, share));
}
