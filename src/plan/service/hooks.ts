/** Lifecycle hooks: a deployment stands still at the end of a stage until somebody continues it, or its time is over. */
import type { LifecycleHook, LifecycleStage, ServiceDeploymentObserved, ServiceDeploymentRecord } from '#domain/service.ts';
import { rollBack } from './deployment.ts';
import { wake } from './draft.ts';
import type { Draft } from './draft.ts';

/** Whether the deployment may leave the stage; turns it back where a hook says so. */
export function hooksPassed(
  draft: Draft,
  record: ServiceDeploymentRecord,
  observed: ServiceDeploymentObserved,
  stage: LifecycleStage,
): boolean {
  let passed = true;
  for (const hook of record.desired.config.hooks.filter(({ stages }) => stages.includes(stage))) {
    const outcome = hookOutcome(draft, record, observed, hook, stage);
    if (outcome === 'go') continue;
    passed = false;
    if (outcome === 'wait') continue;
    rollBack(draft, observed, outcome.because, true);
    break;
  }
  return passed;
}

/** Of a stage that a deployment comes back to before each step, each time has an answer of its own. */
const hookKey = (hook: LifecycleHook, stage: LifecycleStage, weight: number): string =>
  stage === 'PRE_PRODUCTION_TRAFFIC_SHIFT' && weight > 0 ? `${hook.id}@${stage}#${weight}` : `${hook.id}@${stage}`;

type Outcome = 'go' | 'wait' | { because: string };

function hookOutcome(
  draft: Draft,
  record: ServiceDeploymentRecord,
  observed: ServiceDeploymentObserved,
  hook: LifecycleHook,
  stage: LifecycleStage,
): Outcome {
  const key = hookKey(hook, stage, observed.productionWeight);
  const seen = (observed.hooks[key] ??= { status: 'AWAITING_ACTION', startedAt: draft.now, finishedAt: null });
  const because = (what: string): Outcome => ({
    because: `Service deployment rolled back because the lifecycle hook ${what} at ${stage}.`,
  });
  const close = (status: (typeof seen)['status']): void => void Object.assign(seen, { status, finishedAt: draft.now });
  if (seen.status === 'SUCCEEDED') return 'go';
  if (seen.status === 'TIMED_OUT' && hook.onTimeout === 'CONTINUE') return 'go';
  if (seen.status !== 'AWAITING_ACTION') return because('failed');
  if (hook.type === 'AWS_LAMBDA') {
    close('FAILED');
    return because(`${hook.target ?? hook.id} can't be invoked: berth has no Lambda, use a PAUSE hook`);
  }
  const wish = record.desired.continued[key];
  if (wish !== undefined) {
    close(wish.action === 'CONTINUE' ? 'SUCCEEDED' : 'FAILED');
    return wish.action === 'CONTINUE' ? 'go' : because(`${hook.id} was answered with ROLLBACK`);
  }
  const endsAt = seen.startedAt + hook.timeoutMs;
  wake(draft, endsAt);
  if (endsAt > draft.now) return 'wait';
  close('TIMED_OUT');
  return hook.onTimeout === 'CONTINUE' ? 'go' : because(`${hook.id} timed out`);
}
