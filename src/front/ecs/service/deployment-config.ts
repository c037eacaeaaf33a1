/** ECS DeploymentConfiguration: checked, defaults filled in, as the planner wants it and as the API shows it (API reference, DeploymentConfiguration). */
import { createHash } from 'node:crypto';
import type { DeploymentConfiguration, DeploymentLifecycleHook, DeploymentLifecycleHookStage } from '@aws-sdk/client-ecs';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { clip } from '#domain/names.ts';
import { lifecycleStages } from '#domain/service.ts';
import type { DeploymentConfig, DeploymentStrategy, LifecycleHook, LifecycleStage } from '#domain/service.ts';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1440;
const strategies: readonly DeploymentStrategy[] = ['ROLLING', 'BLUE_GREEN', 'LINEAR', 'CANARY'];
/** Stages without a shift of traffic, which are the ones that a pause may stand at. */
const pauseStages: readonly LifecycleStage[] = [
  'RECONCILE_SERVICE',
  'PRE_SCALE_UP',
  'POST_SCALE_UP',
  'POST_TEST_TRAFFIC_SHIFT',
  'PRE_PRODUCTION_TRAFFIC_SHIFT',
  'POST_PRODUCTION_TRAFFIC_SHIFT',
];

/** `change` over what holds: members that it leaves out stay, except those of a strategy that is no longer used. */
export function mergeConfiguration(before: DeploymentConfiguration, change: DeploymentConfiguration | undefined): DeploymentConfiguration {
  if (change === undefined) return before;
  const merged = { ...before, ...definedOf(change) };
  const kept = { ...merged };
  if (kept.strategy !== 'CANARY' && change.canaryConfiguration === undefined) delete kept.canaryConfiguration;
  if (kept.strategy !== 'LINEAR' && change.linearConfiguration === undefined) delete kept.linearConfiguration;
  return kept;
}

/** As DescribeServices shows it. */
export function shownConfiguration(given: DeploymentConfiguration, config: DeploymentConfig): DeploymentConfiguration {
  return {
    ...given,
    deploymentCircuitBreaker: {
      ...given.deploymentCircuitBreaker,
      enable: config.circuitBreaker.enable,
      rollback: config.circuitBreaker.rollback,
    },
    maximumPercent: config.maximumPercent,
    minimumHealthyPercent: config.minimumHealthyPercent,
    strategy: config.strategy,
    bakeTimeInMinutes: config.bakeMs / MINUTE_MS,
    ...(config.strategy === 'CANARY'
      ? { canaryConfiguration: { canaryPercent: config.canary.percent, canaryBakeTimeInMinutes: config.canary.bakeMs / MINUTE_MS } }
      : {}),
    ...(config.strategy === 'LINEAR'
      ? { linearConfiguration: { stepPercent: config.linear.stepPercent, stepBakeTimeInMinutes: config.linear.stepBakeMs / MINUTE_MS } }
      : {}),
  };
}

/** The same of a deployment, which keeps the configuration that it began with. */
export function deploymentConfiguration(config: DeploymentConfig): DeploymentConfiguration {
  const { alarms, circuitBreaker, hooks } = config;
  const thresholdConfiguration = circuitBreaker.threshold;
  const given: DeploymentConfiguration = {
    deploymentCircuitBreaker: {
      enable: false,
      rollback: false,
      resetOnHealthyTask: circuitBreaker.resetOnHealthyTask,
      thresholdConfiguration,
    },
    ...(alarms.names.length === 0 && !alarms.enable
      ? {}
      : { alarms: { alarmNames: alarms.names, enable: alarms.enable, rollback: alarms.rollback } }),
    ...(hooks.length === 0 ? {} : { lifecycleHooks: hooks.map(shownHook) }),
  };
  return shownConfiguration(given, config);
}

function shownHook(hook: LifecycleHook): DeploymentLifecycleHook {
  return {
    targetType: hook.type,
    lifecycleStages: hook.stages as DeploymentLifecycleHookStage[],
    timeoutConfiguration: { timeoutInMinutes: hook.timeoutMs / MINUTE_MS, action: hook.onTimeout },
  };
}

/** Throws InvalidParameter, and Unsupported for what would have to be done without here. */
export function toDeploymentConfig(given: DeploymentConfiguration): DeploymentConfig {
  const strategy = given.strategy ?? 'ROLLING';
  if (!strategies.includes(strategy)) throw refuse(`strategy '${clip(strategy)}' is not one of ${strategies.join(', ')}.`);
  const maximumPercent = percent('maximumPercent', given.maximumPercent, 200, [100, 1_000_000]);
  const minimumHealthyPercent = percent('minimumHealthyPercent', given.minimumHealthyPercent, 100, [0, 100]);
  if (strategy === 'ROLLING' && maximumPercent === 100 && minimumHealthyPercent === 100) {
    throw refuse('Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.');
  }
  if (given.canaryConfiguration !== undefined && strategy !== 'CANARY') throw refuse('canaryConfiguration needs the strategy CANARY.');
  if (given.linearConfiguration !== undefined && strategy !== 'LINEAR') throw refuse('linearConfiguration needs the strategy LINEAR.');
  if (given.earlySuccessCriteria?.enable === true) {
    throw new Fault('Unsupported', 'earlySuccessCriteria is not supported yet: a deployment here succeeds once its revision is stable.');
  }
  return {
    strategy,
    minimumHealthyPercent,
    maximumPercent,
    circuitBreaker: breakerOf(given),
    alarms: alarmsOf(given),
    bakeMs: minutes('bakeTimeInMinutes', given.bakeTimeInMinutes, 0, DAY_MINUTES),
    canary: {
      percent: share('canaryPercent', given.canaryConfiguration?.canaryPercent, 5, 0.1),
      bakeMs: minutes('canaryBakeTimeInMinutes', given.canaryConfiguration?.canaryBakeTimeInMinutes, 10, DAY_MINUTES),
    },
    linear: {
      stepPercent: share('stepPercent', given.linearConfiguration?.stepPercent, 10, 3),
      stepBakeMs: minutes('stepBakeTimeInMinutes', given.linearConfiguration?.stepBakeTimeInMinutes, 6, DAY_MINUTES),
    },
    hooks: (given.lifecycleHooks ?? []).map(hookOf),
  };
}

function breakerOf(given: DeploymentConfiguration): DeploymentConfig['circuitBreaker'] {
  const breaker = given.deploymentCircuitBreaker;
  const threshold = breaker?.thresholdConfiguration;
  const type = threshold?.type ?? 'BOUNDED_PERCENT';
  const value = threshold?.value ?? 50;
  if (type !== 'BOUNDED_PERCENT' && type !== 'UNBOUNDED_PERCENT' && type !== 'COUNT') {
    throw refuse(`thresholdConfiguration.type '${clip(type)}' is not one of BOUNDED_PERCENT, UNBOUNDED_PERCENT, COUNT.`);
  }
  const most = type === 'COUNT' ? limits.serviceTasks : 100;
  if (!(Number.isInteger(value) && value >= 1 && value <= most)) {
    throw refuse(`thresholdConfiguration.value must be between 1 and ${most} for ${type}; it is ${value}.`);
  }
  return {
    enable: breaker?.enable ?? false,
    rollback: breaker?.rollback ?? false,
    threshold: { type, value },
    resetOnHealthyTask: breaker?.resetOnHealthyTask ?? true,
  };
}

function alarmsOf(given: DeploymentConfiguration): DeploymentConfig['alarms'] {
  const names = given.alarms?.alarmNames ?? [];
  const enable = given.alarms?.enable ?? false;
  if (enable && names.length === 0) throw refuse('alarms.alarmNames can not be empty when alarms are enabled.');
  if (names.some((name) => name === '' || name.length > 255)) throw refuse('An alarm name must have 1 to 255 characters.');
  return { names, enable, rollback: given.alarms?.rollback ?? false };
}

function hookOf(hook: DeploymentLifecycleHook, index: number): LifecycleHook {
  const type = hook.targetType ?? 'AWS_LAMBDA';
  if (type === 'AWS_LAMBDA') {
    throw new Fault(
      'Unsupported',
      'Lifecycle hooks of type AWS_LAMBDA are not supported: there is no Lambda here. Use PAUSE and ContinueServiceDeployment.',
    );
  }
  if (type !== 'PAUSE') throw refuse(`targetType '${clip(type)}' is not one of AWS_LAMBDA, PAUSE.`);
  if (hook.hookTargetArn !== undefined) throw refuse('hookTargetArn can not be specified for a lifecycle hook of type PAUSE.');
  const stages = (hook.lifecycleStages ?? []).map((name) => stageOf(name));
  if (stages.length === 0) throw refuse('lifecycleStages can not be empty.');
  const timeout = hook.timeoutConfiguration;
  const action = timeout?.action ?? 'ROLLBACK';
  if (action !== 'ROLLBACK' && action !== 'CONTINUE')
    throw refuse(`timeoutConfiguration.action '${clip(action)}' is not one of CONTINUE, ROLLBACK.`);
  const minutesOf = timeout?.timeoutInMinutes ?? DAY_MINUTES;
  if (!(Number.isInteger(minutesOf) && minutesOf >= 1 && minutesOf <= limits.hookMinutes)) {
    throw refuse(`timeoutInMinutes must be between 1 and ${limits.hookMinutes}; it is ${minutesOf}.`);
  }
  const h = createHash('sha256')
    .update(`hook ${index} ${type} ${stages.join(' ')}`)
    .digest('hex');
  const id = `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20, 32)}`;
  return { id, type, target: null, stages, timeoutMs: minutesOf * MINUTE_MS, onTimeout: action };
}

function stageOf(name: string): LifecycleStage {
  const stage = lifecycleStages.find((known) => known === name);
  if (stage !== undefined && pauseStages.includes(stage)) return stage;
  throw refuse(`A PAUSE lifecycle hook can't be configured at the stage '${clip(name)}': use one of ${pauseStages.join(', ')}.`);
}

function percent(what: string, value: number | undefined, fallback: number, [least, most]: [number, number]): number {
  const given = value ?? fallback;
  if (Number.isInteger(given) && given >= least && given <= most) return given;
  throw refuse(`${what} must be between ${least} and ${most}; it is ${given}.`);
}

/** A share of traffic, a multiple of 0.1 up to 100. */
function share(what: string, value: number | undefined, fallback: number, least: number): number {
  const given = value ?? fallback;
  const tenths = given * 10;
  if (given >= least && given <= 100 && Math.abs(tenths - Math.round(tenths)) < 1e-6) return Math.round(tenths) / 10;
  throw refuse(`${what} must be a multiple of 0.1 between ${least} and 100; it is ${given}.`);
}

function minutes(what: string, value: number | undefined, fallback: number, most: number): number {
  const given = value ?? fallback;
  if (Number.isInteger(given) && given >= 0 && given <= most) return given * MINUTE_MS;
  throw refuse(`${what} must be between 0 and ${most}; it is ${given}.`);
}

function definedOf<T extends object>(members: T): Partial<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function refuse(text: string): Fault {
  return new Fault('InvalidParameter', text);
}
