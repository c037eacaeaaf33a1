/** Operations on schedules. */
import type {
  CreateScheduleInput,
  CreateScheduleOutput,
  DeleteScheduleInput,
  GetScheduleInput,
  GetScheduleOutput,
  ListSchedulesInput,
  ListSchedulesOutput,
  ScheduleSummary,
  Target,
  UpdateScheduleInput,
} from '@aws-sdk/client-scheduler';
import { parseArn } from '#domain/arn.ts';
import { scheduleArn } from '#domain/event.ts';
import type { EventTarget, ScheduleRecord } from '#domain/event.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { createSchedule, deleteSchedule, eventsInvalid, scheduleGroupOf, scheduleOf, updateSchedule } from '#intent/index.ts';
import type { ScheduleWish } from '#intent/index.ts';
import { checkJson, checkLength, checkName, checkSchedule, constraint, oneOf, pageOf } from '../events/input.ts';
import { tokenOf } from './client-token.ts';
import type { SchedulerDeps } from './types.ts';
import { checkEcsParameters, readDeadLetters, readRetries } from '../events/target-input.ts';

const MINUTE_MS = 60_000;
/** How far back a StartDate may lie (Scheduler: 5 minutes). */
const START_BACK_MS = 5 * MINUTE_MS;
const MOST_WINDOW = 1440;
const FOREIGN = ['KinesisParameters', 'SageMakerPipelineParameters', 'SqsParameters', 'EventBridgePutEventsV2Parameters', 'EventBridgePutRawEventsParameters'] as const; // prettier-ignore

export function scheduleOperations(deps: SchedulerDeps): Handler[] {
  const create: Handler<CreateScheduleInput, CreateScheduleOutput> = {
    name: 'CreateSchedule',
    async handle(input, context) {
      const key = keyOf(context, input);
      const wish = await wishOf(context, input);
      const now = deps.clock.now();
      if (wish.startAt !== null && wish.startAt < now - START_BACK_MS)
        throw eventsInvalid('The StartDate you specify cannot be earlier than 5 minutes ago.');
      if (wish.endAt !== null && wish.endAt <= now) throw eventsInvalid('The EndDate you specify cannot be earlier than the current time.');
      await assertAssumable(deps, key, wish);
      await createSchedule(deps, key, wish, tokenOf(input));
      return { ScheduleArn: scheduleArn(key) };
    },
  };
  const update: Handler<UpdateScheduleInput, CreateScheduleOutput> = {
    name: 'UpdateSchedule',
    async handle(input, context) {
      const key = keyOf(context, input);
      const wish = await wishOf(context, input);
      await assertAssumable(deps, key, wish);
      await updateSchedule(deps, key, wish, tokenOf(input));
      return { ScheduleArn: scheduleArn(key) };
    },
  };
  const get: Handler<GetScheduleInput, GetScheduleOutput> = {
    name: 'GetSchedule',
    async handle(input, context) {
      const { group, name } = keyOf(context, input);
      const found = await deps.store.read(async (tx) => {
        await scheduleGroupOf(tx, context, group);
        return await scheduleOf(tx, context, group, name);
      });
      return scheduleView(found);
    },
  };
  const remove: Handler<DeleteScheduleInput, object> = {
    name: 'DeleteSchedule',
    async handle(input, context) {
      await deleteSchedule(deps, keyOf(context, input), tokenOf(input));
      return {};
    },
  };
  return [create, update, get, remove, list(deps)];
}

/** As AWS does it, so that a schedule doesn't fire for nothing. */
async function assertAssumable(deps: SchedulerDeps, key: ScheduleRecord['key'], { target }: ScheduleWish): Promise<void> {
  const wish = { roleArn: target.roleArn ?? '', service: 'scheduler.amazonaws.com', sourceArn: scheduleArn(key) };
  if (await deps.mayAssume(key, wish)) return;
  throw eventsInvalid('The execution role you provide must allow AWS EventBridge Scheduler to assume the role.');
}

function list(deps: SchedulerDeps): Handler<ListSchedulesInput, ListSchedulesOutput> {
  return {
    name: 'ListSchedules',
    async handle(input, { account, region }) {
      const { GroupName: group, NamePrefix: prefix = '', State: state } = input;
      const all = await deps.store.read(async (tx) => {
        if (group !== undefined) await scheduleGroupOf(tx, { account, region }, group);
        return await tx.schedules.list({ account, region, ...(group === undefined ? {} : { group }) });
      });
      const wanted = all.filter(
        ({ key, desired }) => key.name.startsWith(prefix) && (state === undefined || stateOf(desired.enabled) === state),
      );
      const { page, next } = pageOf(wanted, ({ key }) => `${key.group}/${key.name}`, { token: input.NextToken, most: input.MaxResults });
      return { Schedules: page.map(summaryOf), NextToken: next };
    },
  };
}

function keyOf(
  { account, region }: Scope,
  { Name, GroupName }: { Name?: string | undefined; GroupName?: string | undefined },
): ScheduleRecord['key'] {
  return { account, region, group: checkName(GroupName ?? 'default', 'groupName'), name: checkName(Name, 'name') };
}

async function wishOf(context: CallContext, input: CreateScheduleInput | UpdateScheduleInput): Promise<ScheduleWish> {
  if (input.KmsKeyArn !== undefined) throw eventsInvalid('berth has no keys of KMS: leave KmsKeyArn out.');
  const zone = input.ScheduleExpressionTimezone ?? 'UTC';
  const expression = checkSchedule(input.ScheduleExpression ?? '', zone, true);
  const [startAt, endAt] = [input.StartDate?.getTime() ?? null, input.EndDate?.getTime() ?? null];
  if (startAt !== null && endAt !== null && endAt <= startAt)
    throw eventsInvalid('The EndDate you specify cannot be earlier than the StartDate.');
  return {
    expression,
    zone,
    startAt: expression.startsWith('at(') ? null : startAt,
    endAt: expression.startsWith('at(') ? null : endAt,
    enabled: oneOf(input.State ?? 'ENABLED', 'state', ['ENABLED', 'DISABLED']) === 'ENABLED',
    description: checkLength(input.Description, 'description', 512),
    windowMs: windowOf(input.FlexibleTimeWindow),
    deleteWhenDone: oneOf(input.ActionAfterCompletion ?? 'NONE', 'actionAfterCompletion', ['NONE', 'DELETE']) === 'DELETE',
    target: await targetOf(context, input.Target ?? { Arn: '', RoleArn: '' }),
  };
}

function windowOf(window: CreateScheduleInput['FlexibleTimeWindow']): number | null {
  const mode = oneOf(window?.Mode ?? '', 'flexibleTimeWindow.mode', ['OFF', 'FLEXIBLE']);
  const minutes = window?.MaximumWindowInMinutes;
  if (mode === 'OFF') {
    if (minutes !== undefined) throw eventsInvalid('MaximumWindowInMinutes cannot be set with the flexible time window mode OFF.');
    return null;
  }
  if (minutes === undefined) throw eventsInvalid('MaximumWindowInMinutes is required for the flexible time window mode FLEXIBLE.');
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > MOST_WINDOW) {
    throw constraint(String(minutes), 'flexibleTimeWindow.maximumWindowInMinutes', `have value between 1 and ${MOST_WINDOW}`);
  }
  return minutes * MINUTE_MS;
}

/** Throws ValidationException, and AccessDenied where the caller may not pass the role. */
async function targetOf(context: CallContext, target: Target): Promise<EventTarget> {
  const { Arn: arn = '', RoleArn: roleArn = '' } = target;
  const kind = kindOf(context, arn);
  const foreign = FOREIGN.find((member) => target[member] !== undefined);
  if (foreign !== undefined) throw eventsInvalid(`${foreign} is not supported for the target ${clip(arn)}.`);
  if (!/^arn:aws:iam::\d{12}:role\/.+$/.test(roleArn)) throw constraint(roleArn, 'target.roleArn', 'satisfy regular expression pattern: arn:aws:iam::\\d{12}:role/.+'); // prettier-ignore
  if ((target.EcsParameters !== undefined) !== (kind === 'ecs')) throw eventsInvalid('EcsParameters must be set for a target that is an ECS cluster, and for no other.'); // prettier-ignore
  if ((target.EventBridgeParameters !== undefined) !== (kind === 'bus')) throw eventsInvalid('EventBridgeParameters must be set for a target that is an event bus, and for no other.'); // prettier-ignore
  if (target.EcsParameters !== undefined) checkEcsParameters(target.EcsParameters);
  if (kind === 'bus') checkJson(target.Input ?? '', 'Input for an event bus');
  const retries = readRetries(target.RetryPolicy, 'target.retryPolicy');
  const deadLetterArn = readDeadLetters(target.DeadLetterConfig);
  await context.assertAllowed('iam:PassRole', [roleArn], { 'iam:PassedToService': 'scheduler.amazonaws.com' });
  const RetryPolicy = { MaximumEventAgeInSeconds: retries.maxAgeMs / 1000, MaximumRetryAttempts: retries.maxAttempts };
  return {
    id: 'target',
    arn,
    roleArn,
    input: { constant: target.Input ?? '{}' },
    ...retries,
    deadLetterArn,
    parameters: { ...(target.EcsParameters ?? target.EventBridgeParameters) },
    front: { ...target, RetryPolicy },
  };
}

function kindOf(scope: Scope, text: string): 'ecs' | 'bus' {
  const arn = parseArn(text);
  if (arn === undefined || arn.resource === '') throw eventsInvalid(`Provided Arn is not in correct format: ${clip(text)}`);
  const kind = arn.service === 'ecs' && /^cluster\/[\w-]+$/.test(arn.resource) ? 'ecs' : arn.service === 'events' && /^event-bus\/[.\-_A-Za-z0-9]+$/.test(arn.resource) ? 'bus' : undefined; // prettier-ignore
  const there = 'schedules here run ECS tasks (the ARN of a cluster) or send events (the ARN of an event bus)';
  if (text.startsWith('arn:aws:scheduler:::aws-sdk:'))
    throw eventsInvalid(`berth has no universal targets such as ${clip(text)}: ${there}.`);
  if (kind === undefined) throw eventsInvalid(`berth has no targets of ${clip(arn.service)} for schedules: ${there}.`);
  if (arn.account !== scope.account || arn.region !== scope.region)
    throw eventsInvalid(`The target ${clip(text)} is of another account or region.`);
  return kind;
}

const stateOf = (enabled: boolean) => (enabled ? 'ENABLED' : 'DISABLED');

function scheduleView({ key, desired }: ScheduleRecord): GetScheduleOutput {
  const { windowMs, startAt, endAt, description } = desired;
  return {
    Arn: scheduleArn(key),
    GroupName: key.group,
    Name: key.name,
    ScheduleExpression: desired.expression,
    ScheduleExpressionTimezone: desired.zone,
    State: stateOf(desired.enabled),
    CreationDate: new Date(desired.createdAt),
    LastModificationDate: new Date(desired.updatedAt),
    FlexibleTimeWindow: windowMs === null ? { Mode: 'OFF' } : { Mode: 'FLEXIBLE', MaximumWindowInMinutes: windowMs / MINUTE_MS },
    ActionAfterCompletion: desired.deleteWhenDone ? 'DELETE' : 'NONE',
    Target: desired.target.front as unknown as Target,
    ...(startAt === null ? {} : { StartDate: new Date(startAt) }),
    ...(endAt === null ? {} : { EndDate: new Date(endAt) }),
    ...(description === null ? {} : { Description: description }),
  };
}

function summaryOf({ key, desired }: ScheduleRecord): ScheduleSummary {
  return {
    Arn: scheduleArn(key),
    GroupName: key.group,
    Name: key.name,
    State: stateOf(desired.enabled),
    CreationDate: new Date(desired.createdAt),
    LastModificationDate: new Date(desired.updatedAt),
    Target: { Arn: desired.target.arn },
  };
}
