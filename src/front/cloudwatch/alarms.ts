/** The operations that make, change and remove alarms. */
import type {
  DeleteAlarmsInput,
  DisableAlarmActionsInput,
  EnableAlarmActionsInput,
  ListTagsForResourceInput,
  ListTagsForResourceOutput,
  PutCompositeAlarmInput,
  PutMetricAlarmInput,
  SetAlarmStateInput,
  TagResourceInput,
  UntagResourceInput,
} from '@aws-sdk/client-cloudwatch';
import { Fault } from '#base/fault.ts';
import { alarmName } from '#domain/alarm.ts';
import type { AlarmState } from '#domain/alarm.ts';
import type { Scope } from '#domain/scope.ts';
import type { Handler } from '#gateway/types.ts';
import { alarmsOf, changeAlarmTags, deleteAlarms, putAlarm, setAlarmActions, setAlarmState } from '#intent/index.ts';
import { alarmWish } from './alarm-input.ts';
import { compositeWish } from './composite-input.ts';
import { invalidValue, missing } from './errors.ts';
import { checkName } from './input.ts';
import type { CloudWatchDeps } from './types.ts';

const STATES = ['OK', 'ALARM', 'INSUFFICIENT_DATA'];
const MOST_NAMES = 100;
const REASON_LENGTH = 1023;
const DATA_LENGTH = 4000;

function checkNames(names: readonly string[] | undefined): readonly string[] {
  if (names === undefined) throw missing('The parameter AlarmNames is required.');
  if (names.length > MOST_NAMES) throw invalidValue(`The collection AlarmNames must not have a size greater than ${MOST_NAMES}.`);
  return names;
}

function putMetricAlarm({ intent }: CloudWatchDeps): Handler<PutMetricAlarmInput> {
  return {
    name: 'PutMetricAlarm',
    async handle(input, scope) {
      const name = checkName(input.AlarmName, 'AlarmName');
      await putAlarm(intent, scope, name, alarmWish(input));
      return {};
    },
  };
}

function putCompositeAlarm({ intent }: CloudWatchDeps): Handler<PutCompositeAlarmInput> {
  return {
    name: 'PutCompositeAlarm',
    async handle(input, scope) {
      const name = checkName(input.AlarmName, 'AlarmName');
      await putAlarm(intent, scope, name, compositeWish(input, scope));
      return {};
    },
  };
}

function deleteAlarmsOperation({ intent }: CloudWatchDeps): Handler<DeleteAlarmsInput> {
  return {
    name: 'DeleteAlarms',
    async handle(input, scope) {
      await deleteAlarms(intent, scope, checkNames(input.AlarmNames));
      return {};
    },
  };
}

function alarmActions(name: 'EnableAlarmActions' | 'DisableAlarmActions') {
  return ({ intent }: CloudWatchDeps): Handler<EnableAlarmActionsInput | DisableAlarmActionsInput> => ({
    name,
    async handle(input, scope) {
      await setAlarmActions(intent, scope, checkNames(input.AlarmNames), name === 'EnableAlarmActions');
      return {};
    },
  });
}

function setAlarmStateOperation({ intent }: CloudWatchDeps): Handler<SetAlarmStateInput> {
  return {
    name: 'SetAlarmState',
    async handle(input, scope) {
      const { StateValue: state = '', StateReason: reason, StateReasonData: data = null } = input;
      if (!STATES.includes(state))
        throw invalidValue(`The value ${state.slice(0, 50)} for parameter StateValue is invalid; it takes ${STATES.join(', ')}.`);
      if (reason === undefined) throw missing('The parameter StateReason is required.');
      if (reason.length > REASON_LENGTH) throw invalidValue(`The parameter StateReason is longer than ${REASON_LENGTH} characters.`);
      if ((data?.length ?? 0) > DATA_LENGTH) throw invalidValue(`The parameter StateReasonData is longer than ${DATA_LENGTH} characters.`);
      if (data !== null && !isJson(data)) {
        throw new Fault('InvalidParameter', 'The parameter StateReasonData is no JSON.', { details: { errorName: 'InvalidFormat' } });
      }
      await setAlarmState(intent, scope, checkName(input.AlarmName, 'AlarmName'), { state: state as AlarmState, reason, data });
      return {};
    },
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function nameOf(arn: string | undefined, scope: Scope): string {
  const name = alarmName(arn ?? '', scope);
  if (name === undefined) throw new Fault('ResourceNotFound', `Unknown resource ${(arn ?? '').slice(0, 200)}: alarms of this account and region have tags here.`, { details: { errorName: 'ResourceNotFoundException' } }); // prettier-ignore
  return name;
}

function listTagsForResource({ intent }: CloudWatchDeps): Handler<ListTagsForResourceInput, ListTagsForResourceOutput> {
  return {
    name: 'ListTagsForResource',
    async handle(input, scope) {
      const [alarm] = await intent.store.read((tx) => alarmsOf(tx, scope, [nameOf(input.ResourceARN, scope)], 'ResourceNotFoundException'));
      return { Tags: (alarm?.desired.tags ?? []).map(({ key, value }) => ({ Key: key, Value: value })) };
    },
  };
}

function tagResource({ intent }: CloudWatchDeps): Handler<TagResourceInput> {
  return {
    name: 'TagResource',
    async handle(input, scope) {
      const set = (input.Tags ?? []).map(({ Key, Value }) => ({ key: Key ?? '', value: Value ?? '' }));
      await changeAlarmTags(intent, scope, nameOf(input.ResourceARN, scope), { set });
      return {};
    },
  };
}

function untagResource({ intent }: CloudWatchDeps): Handler<UntagResourceInput> {
  return {
    name: 'UntagResource',
    async handle(input, scope) {
      await changeAlarmTags(intent, scope, nameOf(input.ResourceARN, scope), { remove: input.TagKeys ?? [] });
      return {};
    },
  };
}

export const alarmOperations = [
  putMetricAlarm,
  putCompositeAlarm,
  deleteAlarmsOperation,
  alarmActions('EnableAlarmActions'),
  alarmActions('DisableAlarmActions'),
  setAlarmStateOperation,
  listTagsForResource,
  tagResource,
  untagResource,
];
