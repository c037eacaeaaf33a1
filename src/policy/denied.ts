/** AWS's words for a refusal. Source: IAM user guide, "Troubleshoot access denied error messages". */
import type { Decision, PolicyKind } from './types.ts';

const adjectives: Record<PolicyKind, string> = {
  identity: 'identity-based policy',
  boundary: 'permissions boundary',
  session: 'session policy',
  resource: 'resource-based policy',
};

/** `resource`: left out where AWS's text names none. */
export function deniedText(arn: string, action: string, resource: string | undefined, decision: Decision & { allowed: false }): string {
  const on = resource === undefined ? '' : ` on resource: ${resource}`;
  const what = adjectives[decision.kind];
  const article = decision.kind === 'identity' ? 'an' : 'a';
  const why = decision.explicit ? `with an explicit deny in ${article} ${what}` : `because no ${what} allows the ${action} action`;
  return `User: ${arn} is not authorized to perform: ${action}${on} ${why}`;
}
