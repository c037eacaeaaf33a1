/** What IAM is asked before each operation. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EventBridge Scheduler". */
import { scheduleArn, scheduleGroupArn } from '#domain/event.ts';
import { anything, ifThere, requestTags, resourceTags, type AccessTable } from '#gateway/access.ts';
import type { AccessRow } from '#gateway/types.ts';
import { scheduleGroupOf, type IntentDeps } from '#intent/index.ts';
import { groupOfArn } from './groups.ts';

type OfSchedule = { Name?: string | undefined; GroupName?: string | undefined };
type OfGroup = { Name?: string | undefined };
type OfArn = { ResourceArn?: string | undefined };

export function schedulerAccess({ store }: IntentDeps): AccessTable {
  const ofSchedule: AccessRow<OfSchedule> = {
    resources: ({ Name = '*', GroupName = 'default' }, { account, region }) => [
      scheduleArn({ account, region, group: GroupName, name: Name }),
    ],
  };
  const ofGroup: AccessRow<OfGroup> = {
    resources: ({ Name = '*' }, { account, region }) => [scheduleGroupArn({ account, region, name: Name })],
  };
  const ofArn: AccessRow<OfArn> = { resources: ({ ResourceArn = '' }) => [ResourceArn] };
  return {
    vendor: 'scheduler',
    async about(arn, scope) {
      const name = groupOfArn(scope, arn);
      if (name === undefined) return {};
      return resourceTags((await ifThere(() => store.read((tx) => scheduleGroupOf(tx, scope, name))))?.tags);
    },
    rows: {
      CreateSchedule: ofSchedule,
      UpdateSchedule: ofSchedule,
      GetSchedule: ofSchedule,
      DeleteSchedule: ofSchedule,
      ListSchedules: { resources: anything },
      CreateScheduleGroup: { ...ofGroup, facts: ({ Tags }) => requestTags(Tags) } satisfies AccessRow,
      GetScheduleGroup: ofGroup,
      DeleteScheduleGroup: ofGroup,
      ListScheduleGroups: { resources: anything },
      ListTagsForResource: ofArn,
      TagResource: { ...ofArn, facts: ({ Tags }) => requestTags(Tags) } satisfies AccessRow,
      UntagResource: { ...ofArn, facts: ({ TagKeys }) => requestTags([], TagKeys) } satisfies AccessRow,
    },
  };
}
