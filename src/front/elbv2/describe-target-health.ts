import type { DescribeTargetHealthCommandInput, DescribeTargetHealthCommandOutput } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Handler } from '#gateway/types.ts';
import { groupUsers, namedTargets, targetGroupOf, type IntentDeps } from '#intent/index.ts';
import { enumValue } from './input.ts';
import { targetHealthView, targetsOf } from './targets.ts';

type Output = Omit<DescribeTargetHealthCommandOutput, '$metadata'>;

export function describeTargetHealthOperation(deps: IntentDeps): Handler<DescribeTargetHealthCommandInput, Output> {
  return {
    name: 'DescribeTargetHealth',
    async handle(input, { account, region }) {
      const scope = { account, region };
      const arn = input.TargetGroupArn ?? '';
      const include = (input.Include ?? []).map((what) => enumValue(what, ['AnomalyDetection', 'All'], 'include'));
      return await deps.store.read(async (tx) => {
        const group = await targetGroupOf(tx, scope, arn);
        const used = (await groupUsers(tx, scope)).has(arn);
        const wanted = targetsOf(input.Targets);
        const all = await tx.targets.list({ ...scope, group: group.desired.id });
        const rows =
          wanted.length > 0
            ? await namedTargets(tx, scope, group, wanted)
            : all.map((target) => ({ id: target.key.target, port: target.key.port, target }));
        const anomaly = include.length > 0 ? { AnomalyDetection: { Result: 'normal' as const, MitigationInEffect: 'no' as const } } : {};
        return { TargetHealthDescriptions: rows.map((row) => ({ ...targetHealthView(group, row, used), ...anomaly })) };
      });
    },
  };
}
