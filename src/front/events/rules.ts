/** Operations on rules and their targets. */
import type {
  DescribeRuleRequest,
  DescribeRuleResponse,
  ListRuleNamesByTargetRequest,
  ListRuleNamesByTargetResponse,
  ListRulesRequest,
  ListRulesResponse,
  ListTargetsByRuleRequest,
  ListTargetsByRuleResponse,
  PutRuleRequest,
  PutRuleResponse,
  PutTargetsRequest,
  PutTargetsResponse,
  RemoveTargetsRequest,
  RemoveTargetsResponse,
  Rule,
} from '@aws-sdk/client-eventbridge';
import { DEFAULT_BUS, ruleArn } from '#domain/event.ts';
import type { EventRuleRecord } from '#domain/event.ts';
import type { Scope } from '#domain/scope.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import {
  assertBus,
  deleteEventRule,
  eventRuleOf,
  eventsInvalid,
  putEventRule,
  putTargets,
  removeTargets,
  setRuleEnabled,
} from '#intent/index.ts';
import type { IntentDeps } from '#intent/index.ts';
import { readTags } from '#gateway/key-value-tags.ts';
import { busOf, checkLength, checkName, checkPattern, checkSchedule, oneOf, pageOf } from './input.ts';
import { readTarget, targetView } from './target-input.ts';

type Ref = { rule: string | undefined; bus: string | undefined };

/** `refOf`: the rule that a call touches. */
function ruleOperation<In, Out>(
  name: string,
  refOf: (input: In) => Ref,
  handle: (input: In, context: CallContext, key: EventRuleRecord['key']) => Promise<Out>,
): Handler<In, Out> {
  // prettier-ignore
  return {
    name,
    async handle(input, context) {
      const { rule, bus } = refOf(input);
      return await handle(input, context, { account: context.account, region: context.region, bus: busOf(context, bus), name: checkName(rule, 'name') });
    },
  };
}

const named = ({ Name, EventBusName }: { Name?: string | undefined; EventBusName?: string | undefined }): Ref => ({
  rule: Name,
  bus: EventBusName,
});
const ofRule = ({ Rule, EventBusName }: { Rule?: string | undefined; EventBusName?: string | undefined }): Ref => ({
  rule: Rule,
  bus: EventBusName,
});
const STATES = ['ENABLED', 'DISABLED', 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS'] as const;

export function ruleOperations(deps: IntentDeps): Handler[] {
  return [
    ruleOperation<PutRuleRequest, PutRuleResponse>('PutRule', named, async (input, context, key) => {
      const pattern = input.EventPattern === undefined || input.EventPattern === '' ? null : checkPattern(input.EventPattern);
      const schedule =
        input.ScheduleExpression === undefined || input.ScheduleExpression === '' ? null : checkSchedule(input.ScheduleExpression);
      if (pattern === null && schedule === null) throw eventsInvalid('Parameter(s) EventPattern or ScheduleExpression must be specified.');
      if (schedule !== null && key.bus !== DEFAULT_BUS)
        throw eventsInvalid('ScheduleExpression is supported only on the default event bus.');
      const enabled = oneOf(input.State ?? 'ENABLED', 'state', STATES) !== 'DISABLED';
      const roleArn = checkLength(input.RoleArn, 'roleArn', 1600);
      if (roleArn !== null) await context.assertAllowed('iam:PassRole', [roleArn], { 'iam:PassedToService': 'events.amazonaws.com' });
      const description = checkLength(input.Description, 'description', 512);
      await putEventRule(deps, key, { pattern, schedule, enabled, roleArn, description, tags: readTags(input.Tags) });
      return { RuleArn: ruleArn(key) };
    }),
    ruleOperation<DescribeRuleRequest, DescribeRuleResponse>('DescribeRule', named, async (_input, { account }, key) => {
      const rule = await deps.store.read(async (tx) => {
        await assertBus(tx, key, key.bus);
        return await eventRuleOf(tx, key);
      });
      return { ...ruleView(rule), CreatedBy: account };
    }),
    ruleOperation<DescribeRuleRequest, object>('DeleteRule', named, async (_input, _context, key) => {
      await deleteEventRule(deps, key);
      return {};
    }),
    ruleOperation<DescribeRuleRequest, object>('EnableRule', named, async (_input, _context, key) => {
      await setRuleEnabled(deps, key, true);
      return {};
    }),
    ruleOperation<DescribeRuleRequest, object>('DisableRule', named, async (_input, _context, key) => {
      await setRuleEnabled(deps, key, false);
      return {};
    }),
    ruleOperation<PutTargetsRequest, PutTargetsResponse>('PutTargets', ofRule, async (input, context, key) => {
      const given = input.Targets ?? [];
      if (given.length < 1 || given.length > 100) throw eventsInvalid('PutTargets takes 1 to 100 targets.');
      const targets = [];
      for (const target of given) targets.push(await readTarget(context, target));
      await putTargets(deps, key, targets);
      return { FailedEntryCount: 0, FailedEntries: [] };
    }),
    ruleOperation<RemoveTargetsRequest, RemoveTargetsResponse>('RemoveTargets', ofRule, async (input, _context, key) => {
      const missing = await removeTargets(deps, key, input.Ids ?? []);
      const FailedEntries = missing.map((TargetId) => ({ TargetId, ErrorCode: 'ResourceNotFoundException', ErrorMessage: `Target ${TargetId} does not exist.` })); // prettier-ignore
      return { FailedEntryCount: FailedEntries.length, FailedEntries };
    }),
    ruleOperation<ListTargetsByRuleRequest, ListTargetsByRuleResponse>('ListTargetsByRule', ofRule, async (input, _context, key) => {
      const rule = await deps.store.read(async (tx) => {
        await assertBus(tx, key, key.bus);
        return await eventRuleOf(tx, key);
      });
      const sorted = rule.desired.targets.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      const { page, next } = pageOf(sorted, ({ id }) => id, { token: input.NextToken, most: input.Limit });
      return { Targets: page.map(targetView), NextToken: next };
    }),
    listRules(deps),
    listRuleNamesByTarget(deps),
  ];
}

function listRules(deps: IntentDeps): Handler<ListRulesRequest, ListRulesResponse> {
  return {
    name: 'ListRules',
    async handle(input, context) {
      const { NamePrefix: prefix = '', NextToken: token, Limit: most } = input;
      const rules = await rulesOf(deps, context, busOf(context, input.EventBusName));
      const wanted = rules.filter(({ key }) => key.name.startsWith(prefix));
      const { page, next } = pageOf(wanted, ({ key }) => key.name, { token, most });
      return { Rules: page.map(ruleView), NextToken: next };
    },
  };
}

function listRuleNamesByTarget(deps: IntentDeps): Handler<ListRuleNamesByTargetRequest, ListRuleNamesByTargetResponse> {
  return {
    name: 'ListRuleNamesByTarget',
    async handle(input, context) {
      const rules = await rulesOf(deps, context, busOf(context, input.EventBusName));
      const wanted = rules.filter(({ desired }) => desired.targets.some(({ arn }) => arn === input.TargetArn));
      const { page, next } = pageOf(wanted, ({ key }) => key.name, { token: input.NextToken, most: input.Limit });
      return { RuleNames: page.map(({ key }) => key.name), NextToken: next };
    },
  };
}

async function rulesOf(deps: IntentDeps, { account, region }: Scope, bus: string): Promise<EventRuleRecord[]> {
  const rules = await deps.store.read(async (tx) => {
    await assertBus(tx, { account, region }, bus);
    return await tx.eventRules.list({ account, region, bus });
  });
  return rules.sort((a, b) => (a.key.name < b.key.name ? -1 : 1));
}

function ruleView({ key, desired }: EventRuleRecord): Rule {
  const { pattern, schedule, enabled, description, roleArn } = desired;
  return {
    Name: key.name,
    Arn: ruleArn(key),
    EventBusName: key.bus,
    State: enabled ? 'ENABLED' : 'DISABLED',
    ...(pattern === null ? {} : { EventPattern: pattern }),
    ...(schedule === null ? {} : { ScheduleExpression: schedule }),
    ...(description === null ? {} : { Description: description }),
    ...(roleArn === null ? {} : { RoleArn: roleArn }),
  };
}
