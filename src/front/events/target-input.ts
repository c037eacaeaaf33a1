/** EventBridge's Target <-> ours. What berth has nothing behind is refused by name. Source: EventBridge API reference, Target. */
import type { DeadLetterConfig, EcsParameters, RetryPolicy, Target } from '@aws-sdk/client-eventbridge';
import { limits } from '#base/limits.ts';
import { parseArn } from '#domain/arn.ts';
import type { EventTarget, TargetInput } from '#domain/event.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { checkInput } from '#events/index.ts';
import type { CallContext } from '#gateway/types.ts';
import { eventsInvalid } from '#intent/index.ts';
import { checkJson, checkLength, checkName, constraint } from './input.ts';

export type TargetKind = 'ecs' | 'logs' | 'webhook';

const THERE = 'Targets that berth has: ECS tasks (the ARN of a cluster), CloudWatch Logs groups and API destinations.';
const names: Record<string, string> = {
  sqs: 'SQS queues',
  sns: 'SNS topics',
  lambda: 'Lambda functions',
  kinesis: 'Kinesis streams',
  firehose: 'Firehose streams',
  states: 'Step Functions',
  batch: 'Batch',
  ssm: 'Systems Manager',
  events: 'event buses as targets',
};
/** Members that only mean something for targets that berth lacks. */
const FOREIGN = ['KinesisParameters', 'RunCommandParameters', 'BatchParameters', 'SqsParameters', 'RedshiftDataParameters', 'SageMakerPipelineParameters', 'AppSyncParameters'] as const; // prettier-ignore

/** What an ARN of this account and region can be the target of. Throws ValidationException. */
export function targetKind(scope: Scope, text: string): TargetKind {
  const arn = parseArn(text);
  if (arn === undefined || arn.resource === '')
    throw eventsInvalid(`Parameter ${clip(text)} is not valid. Reason: Provided Arn is not in correct format.`);
  const { service, resource } = arn;
  const kind = service === 'ecs' && /^cluster\/[\w-]+$/.test(resource) ? 'ecs' : service === 'logs' && groupOf(text) !== undefined ? 'logs' : service === 'events' && resource.startsWith('api-destination/') ? 'webhook' : undefined; // prettier-ignore
  if (kind === undefined)
    throw eventsInvalid(
      `berth has no ${names[service] ?? `targets of ${clip(service)}`} that an event could go to: ${clip(text)}. ${THERE}`,
    );
  if (arn.account !== scope.account || arn.region !== scope.region) {
    throw eventsInvalid(`Parameter ${clip(text)} is not valid. Reason: a target is of the same account and region as its rule here.`);
  }
  return kind;
}

/** The group's name in the ARN of a log group, with or without the star at its end. */
export function groupOf(text: string): string | undefined {
  return /^arn:aws:logs:[^:]*:[^:]*:log-group:([^:*]{1,512})(?::\*)?$/.exec(text)?.[1];
}

/** Throws ValidationException, and AccessDenied where the caller may not pass the target's role. */
export async function readTarget(context: CallContext, target: Target): Promise<EventTarget> {
  const id = checkName(target.Id, 'targets.member.id');
  const arn = target.Arn ?? '';
  const kind = targetKind(context, arn);
  const foreign = FOREIGN.find((member) => target[member] !== undefined);
  if (foreign !== undefined) throw eventsInvalid(`Parameter ${foreign} is not supported for target ${id}.`);
  if (target.EcsParameters !== undefined && kind !== 'ecs')
    throw eventsInvalid(`Parameter EcsParameters is not supported for target ${id}.`);
  if (target.HttpParameters !== undefined && kind !== 'webhook')
    throw eventsInvalid(`Parameter HttpParameters is not supported for target ${id}.`);
  const roleArn = checkLength(target.RoleArn, 'targets.member.roleArn', 1600);
  if (kind === 'ecs') checkEcs(id, target.EcsParameters, roleArn);
  if (roleArn !== null) await context.assertAllowed('iam:PassRole', [roleArn], { 'iam:PassedToService': 'events.amazonaws.com' });
  return {
    id,
    arn,
    roleArn,
    input: readInput(id, target),
    ...readRetries(target.RetryPolicy, 'targets.member.retryPolicy'),
    deadLetterArn: readDeadLetters(target.DeadLetterConfig),
    parameters: { ...(target.EcsParameters ?? target.HttpParameters) },
    front: { ...target },
  };
}

function checkEcs(id: string, parameters: EcsParameters | undefined, roleArn: string | null): void {
  if (roleArn === null) throw eventsInvalid(`RoleArn is required for target ${id}.`);
  if (parameters?.TaskDefinitionArn === undefined) throw eventsInvalid(`Parameter EcsParameters is required for target ${id}.`);
  checkEcsParameters(parameters);
}

/** What Scheduler has in common. */
export function checkEcsParameters(parameters: Pick<EcsParameters, 'TaskDefinitionArn' | 'TaskCount'>): void {
  const { TaskCount: count = 1, TaskDefinitionArn: definition = '' } = parameters;
  if (!Number.isInteger(count) || count < 1 || count > 10) throw constraint(String(count), 'taskCount', 'have value between 1 and 10');
  if (!/^arn:aws:ecs:[^:]+:[^:]+:task-definition\/[\w-]+(:\d+)?$/.test(definition)) {
    throw eventsInvalid(`Parameter TaskDefinitionArn is not valid. Reason: Provided Arn is not in correct format: ${clip(definition)}`);
  }
}

function readInput(id: string, { Input, InputPath, InputTransformer }: Target): TargetInput {
  if ([Input, InputPath, InputTransformer].filter((one) => one !== undefined && one !== '').length > 1) {
    throw eventsInvalid(`Only one of Input, InputPath, or InputTransformer must be provided for target ${id}.`);
  }
  checkLength(Input, 'targets.member.input', 8192);
  const input: TargetInput = {
    ...(Input === undefined || Input === '' ? {} : { constant: checkJson(Input, `Input for target ${id}`) }),
    ...(InputPath === undefined || InputPath === '' ? {} : { path: InputPath }),
    ...(InputTransformer === undefined ? {} : { transformer: { paths: { ...InputTransformer.InputPathsMap }, template: InputTransformer.InputTemplate ?? '' } }), // prettier-ignore
  };
  try {
    checkInput(input);
  } catch (error) {
    throw eventsInvalid(`Invalid input for target ${id} : ${(error as Error).message}`);
  }
  return input;
}

export function readRetries(policy: Pick<RetryPolicy, 'MaximumRetryAttempts' | 'MaximumEventAgeInSeconds'> | undefined, member: string) {
  const { MaximumRetryAttempts: attempts = limits.eventAttempts, MaximumEventAgeInSeconds: age = limits.eventAgeMs / 1000 } = policy ?? {};
  if (!Number.isInteger(attempts) || attempts < 0 || attempts > limits.eventAttempts) {
    throw constraint(String(attempts), `${member}.maximumRetryAttempts`, `have value between 0 and ${limits.eventAttempts}`);
  }
  if (!Number.isInteger(age) || age < 60 || age > limits.eventAgeMs / 1000) {
    throw constraint(String(age), `${member}.maximumEventAgeInSeconds`, `have value between 60 and ${limits.eventAgeMs / 1000}`);
  }
  return { maxAttempts: attempts, maxAgeMs: age * 1000 };
}

/** berth has no queues: what could not be delivered is a line of a log group. */
export function readDeadLetters(config: Pick<DeadLetterConfig, 'Arn'> | undefined): string | null {
  const arn = config?.Arn;
  if (arn === undefined) return null;
  if (groupOf(arn) !== undefined) return arn;
  throw eventsInvalid(`berth has no SQS queues, so ${clip(arn)} can't take dead letters: name a CloudWatch Logs group as DeadLetterConfig.Arn, such as arn:aws:logs:us-east-1:123456789012:log-group:/berth/dead-letters (it is made if it is not there).`); // prettier-ignore
}

export const targetView = ({ front }: EventTarget): Target => front as unknown as Target;
