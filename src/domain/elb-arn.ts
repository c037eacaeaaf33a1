/** Reading the ARNs of load balancers, target groups, listeners and rules. */
import { parseArn } from './arn.ts';
import type { Scope } from './scope.ts';

export type ElbRef = Scope &
  (
    | { kind: 'load-balancer'; name: string; id: string }
    | { kind: 'target-group'; name: string; id: string }
    | { kind: 'listener'; loadBalancer: string; loadBalancerId: string; id: string }
    | { kind: 'rule'; loadBalancer: string; loadBalancerId: string; listener: string; id: string }
  );
export type ElbKind = ElbRef['kind'];

const ID = /^[0-9a-f]{16}$/;

/** undefined when the text is no ARN of these. */
export function parseElbArn(text: string): ElbRef | undefined {
  const arn = parseArn(text);
  if (arn === undefined || arn.service !== 'elasticloadbalancing') return undefined;
  const scope = { account: arn.account, region: arn.region };
  const [type = '', ...parts] = arn.resource.split('/');
  if (type === 'targetgroup') {
    const [name, id, more] = parts;
    return name !== undefined && isId(id) && more === undefined ? { ...scope, kind: 'target-group', name, id } : undefined;
  }
  const [short, loadBalancer, loadBalancerId, listener, rule, more] = parts;
  if ((short !== 'app' && short !== 'net') || loadBalancer === undefined || !isId(loadBalancerId) || more !== undefined) return undefined;
  if (type === 'loadbalancer' && listener === undefined) return { ...scope, kind: 'load-balancer', name: loadBalancer, id: loadBalancerId };
  if (!isId(listener)) return undefined;
  if (type === 'listener' && rule === undefined) return { ...scope, kind: 'listener', loadBalancer, loadBalancerId, id: listener };
  if (type === 'listener-rule' && isId(rule)) return { ...scope, kind: 'rule', loadBalancer, loadBalancerId, listener, id: rule };
  return undefined;
}

function isId(part: string | undefined): part is string {
  return part !== undefined && ID.test(part);
}
