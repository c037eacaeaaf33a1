/** Which load balancers lead to which target groups. */
import type { ListenerAction, ListenerRecord, LoadBalancerRecord, RuleRecord, TrafficShift } from './load-balancer.ts';
import type { Scope } from './scope.ts';

export type ElbRecords = {
  loadBalancers: readonly LoadBalancerRecord[];
  listeners: readonly ListenerRecord[];
  rules: readonly RuleRecord[];
};

/** ARNs of the groups that actions forward to. */
export function forwardedGroups(actions: readonly ListenerAction[]): string[] {
  return actions.flatMap((action) => (action.type === 'forward' ? action.groups.map((group) => group.arn) : []));
}

/** By target group's ARN, the load balancers whose listeners or rules forward to it. */
export function usersOfGroups({ loadBalancers, listeners, rules }: ElbRecords): Map<string, LoadBalancerRecord[]> {
  const users = new Map<string, Set<LoadBalancerRecord>>();
  const idOf = ({ account, region }: Scope, name: string) => JSON.stringify([account, region, name]);
  const balancers = new Map(loadBalancers.map((lb) => [idOf(lb.key, lb.key.name), lb]));
  const note = (key: Scope & { loadBalancer: string }, actions: readonly ListenerAction[], shift: TrafficShift | null): void => {
    const lb = balancers.get(idOf(key, key.loadBalancer));
    if (lb === undefined) return;
    // A deployment may lead traffic to a group that no caller named in the rule.
    for (const arn of [...forwardedGroups(actions), ...Object.keys(shift?.weights ?? {})])
      users.set(arn, (users.get(arn) ?? new Set()).add(lb));
  };
  for (const { key, desired, observed } of listeners) note(key, desired.defaultActions, observed.shift);
  for (const { key, desired, observed } of rules) note(key, desired.actions, observed.shift);
  return new Map([...users].map(([arn, known]) => [arn, [...known]]));
}
