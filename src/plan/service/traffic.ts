/** How much of the traffic goes to a deployment's revision: weights of the groups behind production and test rules. */
import type { ServiceDeploymentObserved } from '#domain/service.ts';
import type { Draft } from './draft.ts';
import { groupsOf } from './health.ts';

/** Sets the share of the revision, in percent; says nothing where it is so already. */
export function setWeight(
  draft: Draft,
  observed: ServiceDeploymentObserved,
  revisionId: string,
  kind: 'production' | 'test',
  percent: number,
): void {
  const column = kind === 'production' ? 'productionWeight' : 'testWeight';
  if (observed[column] === percent) return;
  observed[column] = percent;
  if (kind === 'production') observed.shiftedAt = draft.now;
  emit(draft, revisionId, kind, percent);
}

/** Names both groups in the production rules before the first task of the revision is there: what no rule leads to has no health checks. */
export function prepareRules(draft: Draft, revisionId: string): void {
  emit(draft, revisionId, 'production', 0);
}

function emit(draft: Draft, revisionId: string, kind: 'production' | 'test', percent: number): void {
  const revision = draft.snapshot.revisions.get(revisionId);
  const groups = draft.revisions.get(revisionId)?.targetGroupArns ?? groupsOf(revision);
  revision?.desired.loadBalancers.forEach((balancer, index) => {
    const ruleArn = kind === 'production' ? balancer.productionRuleArn : balancer.testRuleArn;
    const mine = groups[index];
    const both = [balancer.targetGroupArn, balancer.alternateTargetGroupArn];
    const other = both.find((arn) => arn !== null && arn !== mine);
    if (ruleArn === null || mine === undefined || other === undefined || other === null) return;
    draft.shifts.push({ ruleArn, weights: weightsOf(mine, other, percent) });
  });
}

/** Weights of ELB are whole numbers up to 999; tenths of a percent are written as thousandths. */
function weightsOf(mine: string, other: string, percent: number): Record<string, number> {
  if (Number.isInteger(percent)) return { [other]: 100 - percent, [mine]: percent };
  const thousandths = Math.round(percent * 10);
  return { [other]: 1000 - thousandths, [mine]: thousandths };
}
