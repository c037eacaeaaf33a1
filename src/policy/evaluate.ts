/**
 * The decision. A Deny anywhere ends it; else each kind of policy that is there must allow, and what a resource's own policy gives to a very
 * user or session of the same account needs no other Allow, to a role none of its own policies. Source: IAM user guide, "Policy evaluation for requests within a single account".
 */
import { arnParts } from './pattern.ts';
import type {
  ArnParts,
  Asker,
  CompiledPolicy,
  CompiledStatement,
  Decision,
  PolicyKind,
  PolicyRequest,
  PolicySet,
  PrincipalMatch,
} from './types.ts';

type Said = 'allow' | 'deny' | 'nothing';
/** `resource`: cut up once a statement looks at it. */
type Question = { action: string; resource: ArnParts | null; request: PolicyRequest };

/** What identity-based policies, boundary and session policies say. */
export function decide(policies: PolicySet, request: PolicyRequest): Decision {
  const question = ask(request);
  const said = read(policies, question);
  if (said.identity === 'allow' && said.boundary === 'allow' && said.session === 'allow') return ALLOWED;
  return explicitDenial(said) ?? implicitDenial(said, policies) ?? ALLOWED;
}

const ALLOWED: Decision = { allowed: true };

/** Whether any statement about the action asks for a key that `matters`. */
export function asksAbout({ identity, boundary, session }: PolicySet, action: string, matters: (key: string) => boolean): boolean {
  const asked = action.toLowerCase();
  const asks = (policy: CompiledPolicy) => policy.about(asked).keys.some(matters);
  return identity.some(asks) || (boundary !== null && asks(boundary)) || (session !== null && session.some(asks));
}

/**
 * What the policy of a resource and the caller's own say together. `sameAccount`: whether both are of one account; across accounts each must
 * allow. `policies`: null for a service, whose word is the resource's policy alone.
 */
export function decideOnResource(
  resourcePolicy: CompiledPolicy,
  policies: PolicySet | null,
  asker: Asker,
  sameAccount: boolean,
  request: PolicyRequest,
): Decision {
  const question = ask(request);
  const granted = grantOf(resourcePolicy, asker, question);
  if (granted === 'deny') return { allowed: false, explicit: true, kind: 'resource' };
  if (policies === null) return granted === 'none' ? { allowed: false, explicit: false, kind: 'resource' } : { allowed: true };
  const said = read(policies, question);
  const denied = explicitDenial(said);
  if (denied !== undefined) return denied;
  if (granted === 'none') return { allowed: false, explicit: false, kind: 'resource' };
  return implicitDenial(sameAccount ? { ...said, ...sparedBy[granted] } : said, policies) ?? { allowed: true };
}

/** What need not allow beside a resource's policy of the same account (IAM user guide, "Policy evaluation logic", resource-based policies). */
const sparedBy: Record<'account' | 'role' | 'exact', Partial<SaidBy>> = {
  account: {},
  role: { identity: 'allow' },
  exact: { identity: 'allow', boundary: 'allow', session: 'allow' },
};

function ask(request: PolicyRequest): Question {
  return { action: request.action.toLowerCase(), resource: null, request };
}

type SaidBy = Record<'identity' | 'boundary' | 'session', Said>;

function read({ identity, boundary, session }: PolicySet, question: Question): SaidBy {
  return {
    identity: saidBy(identity, question),
    boundary: boundary === null ? 'allow' : saidBy([boundary], question),
    session: session === null ? 'allow' : saidBy(session, question),
  };
}

const kinds = ['identity', 'boundary', 'session'] as const;

function explicitDenial(said: SaidBy): Decision | undefined {
  const kind = kinds.find((one) => said[one] === 'deny');
  return kind === undefined ? undefined : { allowed: false, explicit: true, kind };
}

function implicitDenial(said: SaidBy, { boundary, session }: PolicySet): Decision | undefined {
  const lacking = (kind: PolicyKind): Decision => ({ allowed: false, explicit: false, kind });
  if (said.identity === 'nothing') return lacking('identity');
  if (boundary !== null && said.boundary === 'nothing') return lacking('boundary');
  if (session !== null && said.session === 'nothing') return lacking('session');
  return undefined;
}

function saidBy(policies: readonly CompiledPolicy[], question: Question): Said {
  let said: Said = 'nothing';
  for (const policy of policies) {
    for (const statement of policy.about(question.action).statements) {
      if (said === 'allow' && !statement.deny) continue;
      if (!applies(statement, question)) continue;
      if (statement.deny) return 'deny';
      said = 'allow';
    }
  }
  return said;
}

const byStrength: readonly PrincipalMatch[] = ['none', 'account', 'role', 'exact'];

function grantOf(policy: CompiledPolicy, asker: Asker, question: Question): 'deny' | PrincipalMatch {
  let granted: PrincipalMatch = 'none';
  for (const statement of policy.about(question.action).statements) {
    const match = statement.principal?.(asker) ?? 'none';
    if (match === 'none' || !applies(statement, question)) continue;
    if (statement.deny) return 'deny';
    if (byStrength.indexOf(match) > byStrength.indexOf(granted)) granted = match;
  }
  return granted;
}

function applies({ resource, conditions }: CompiledStatement, question: Question): boolean {
  const { facts } = question.request;
  if (resource !== null && !resource((question.resource ??= arnParts(question.request.resource)), facts)) return false;
  for (const condition of conditions) if (!condition(facts)) return false;
  return true;
}
