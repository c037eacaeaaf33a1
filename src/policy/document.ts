/**
 * The grammar of policies, checked as IAM does before it keeps one, in its words (error MalformedPolicyDocument). Source: IAM user guide, "Grammar of
 * the IAM JSON policy language".
 */
import { Fault } from '#base/fault.ts';
import { readOperator } from './conditions.ts';
import type { PrincipalElement } from './principal.ts';

export type PolicyDocument = { version: string; statements: PolicyStatement[] };

export type PolicyStatement = {
  sid: string | undefined;
  effect: 'Allow' | 'Deny';
  /** Exactly one of each pair is there; of resources none in a trust policy. */
  actions: string[] | null;
  notActions: string[] | null;
  resources: string[] | null;
  notResources: string[] | null;
  principal: PrincipalElement | null;
  conditions: { operator: string; key: string; values: string[] }[];
};

/** `identity`: of users, roles and sessions. `trust`: who may assume a role. `resource`: of anything else that has one. */
export type PolicyUse = 'identity' | 'trust' | 'resource';

const SYNTAX = 'Syntax errors in policy.';
const elements = ['Sid', 'Effect', 'Principal', 'NotPrincipal', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];
const trustActions = /^sts:(?:\*|assumerole\w*|tagsession|setsourceidentity|setcontext)$/i;

/** Throws Fault InvalidParameter with the error's name `MalformedPolicyDocument`. */
export function parsePolicy(text: string, use: PolicyUse): PolicyDocument {
  const root = readJson(text, use);
  for (const name of Object.keys(root)) if (!['Version', 'Id', 'Statement'].includes(name)) throw malformed(SYNTAX);
  const version = root['Version'] ?? '2008-10-17';
  if (version !== '2012-10-17' && version !== '2008-10-17') {
    throw malformed(typeof version === 'string' ? 'Policy document must be version 2012-10-17 or greater.' : SYNTAX);
  }
  if (root['Id'] !== undefined && typeof root['Id'] !== 'string') throw malformed(SYNTAX);
  const list = Array.isArray(root['Statement']) ? root['Statement'] : [root['Statement']];
  if (list.length === 0) throw malformed(SYNTAX);
  const statements = list.map((statement) => readStatement(statement, use));
  const sids = statements.map(({ sid }) => sid).filter((sid) => sid !== undefined && sid !== '');
  if (new Set(sids).size !== sids.length) throw malformed('Statement IDs (SID) in a single policy must be unique.');
  return { version, statements };
}

function readJson(text: string, use: PolicyUse): Record<string, unknown> {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    throw malformed(use === 'trust' ? 'This policy contains invalid Json' : SYNTAX);
  }
  if (!isObject(root)) throw malformed(SYNTAX);
  return root;
}

function readStatement(value: unknown, use: PolicyUse): PolicyStatement {
  if (!isObject(value)) throw malformed(SYNTAX);
  for (const name of Object.keys(value)) if (!elements.includes(name)) throw malformed(SYNTAX);
  const { Sid: sid, Effect: effect } = value;
  if (sid !== undefined && (typeof sid !== 'string' || !/^[A-Za-z0-9]*$/.test(sid))) {
    throw malformed(typeof sid === 'string' && use === 'identity' ? 'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*' : SYNTAX); // prettier-ignore
  }
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed(SYNTAX);
  const statement: PolicyStatement = {
    sid,
    effect,
    actions: readList(value['Action']),
    notActions: readList(value['NotAction']),
    resources: readList(value['Resource']),
    notResources: readList(value['NotResource']),
    principal: readPrincipal(value),
    conditions: readConditions(value['Condition']),
  };
  assertActions(statement, use);
  if (use === 'identity') assertIdentity(statement);
  else if (use === 'trust') assertTrust(statement);
  else assertResource(statement);
  return statement;
}

function assertActions({ actions, notActions }: PolicyStatement, use: PolicyUse): void {
  if (actions !== null && notActions !== null) throw malformed(SYNTAX);
  const names = actions ?? notActions ?? [];
  if (names.length === 0) throw malformed('Policy statement must contain actions.');
  for (const name of names) {
    if (name === '*') continue;
    const [vendor = '', verb = '', ...more] = name.split(':');
    if (more.length > 0 && use === 'identity') throw malformed('Actions/Condition can contain only one colon.');
    if (!name.includes(':') || verb === '') throw malformed('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
    if (!/^[a-z0-9-]+$/i.test(vendor)) throw malformed(`Vendor ${vendor} is not valid`);
  }
}

function assertIdentity(statement: PolicyStatement): void {
  if (statement.principal !== null) throw malformed('Policy document should not specify a principal.');
  assertResources(statement);
}

/** A repository's statements name no resource: it is the repository. */
function assertResource(statement: PolicyStatement): void {
  if (statement.principal === null) throw malformed('Missing required field Principal');
  if (statement.resources === null && statement.notResources === null) return;
  assertResources(statement);
}

function assertResources({ resources, notResources }: PolicyStatement): void {
  if (resources !== null && notResources !== null) throw malformed(SYNTAX);
  const names = resources ?? notResources ?? [];
  if (names.length === 0) throw malformed('Policy statement must contain resources.');
  for (const name of names) {
    if (name === '*') continue;
    if (!name.startsWith('arn:')) throw malformed(`Resource ${name} must be in ARN format or "*".`);
    const [, partition = ''] = name.split(':');
    if (!/^(?:aws|aws-cn|aws-us-gov|aws-iso[a-z-]*|\*)$/.test(partition)) {
      throw malformed(`Partition "${partition}" is not valid for resource "${name}".`);
    }
    if (name.split(':').length < 3) throw malformed('The policy failed legacy parsing');
  }
}

function assertTrust({ principal, resources, notResources, actions }: PolicyStatement): void {
  if (resources !== null || notResources !== null) throw malformed('Has prohibited field Resource');
  if (principal === null) throw malformed('Missing required field Principal');
  if (actions === null || !actions.every((name) => trustActions.test(name))) {
    throw malformed('AssumeRole policy may only specify STS AssumeRole actions.');
  }
}

/** Null when the element isn't there. */
function readList(value: unknown): string[] | null {
  if (value === undefined) return null;
  const list = Array.isArray(value) ? value : [value];
  if (!list.every((item) => typeof item === 'string')) throw malformed(SYNTAX);
  return list;
}

function readPrincipal(value: Record<string, unknown>): PrincipalElement | null {
  const { Principal: given, NotPrincipal: not } = value;
  if (given !== undefined && not !== undefined) throw malformed(SYNTAX);
  const element = given ?? not;
  if (element === undefined) return null;
  const negated = not !== undefined;
  if (element === '*') return { names: { AWS: ['*'] }, negated };
  if (!isObject(element)) throw malformed(SYNTAX);
  const names: Record<string, string[]> = {};
  for (const [kind, list] of Object.entries(element)) {
    if (!['AWS', 'Service', 'Federated', 'CanonicalUser'].includes(kind)) throw malformed(SYNTAX);
    names[kind] = readList(list) ?? [];
    for (const name of names[kind]) if (!isPrincipal(kind, name)) throw malformed(`Invalid principal in policy: "${kind}":"${name}"`);
  }
  return { names, negated };
}

function isPrincipal(kind: string, name: string): boolean {
  if (kind === 'Service') return /^[a-z0-9.*-]+$/i.test(name) && (name === '*' || name.includes('.'));
  if (kind !== 'AWS') return name !== '';
  // IDs are what a deleted user or role leaves behind in a trust policy.
  return name === '*' || /^\d{12}$/.test(name) || /^A[A-Z]{3}[A-Z0-9]{12,}$/.test(name) || /^arn:aws[a-z-]*:(?:iam|sts)::\d{12}:(?:root|(?:user|role|assumed-role|federated-user)\/.+)$/.test(name); // prettier-ignore
}

function readConditions(value: unknown): PolicyStatement['conditions'] {
  if (value === undefined) return [];
  if (!isObject(value)) throw malformed(SYNTAX);
  return Object.entries(value).flatMap(([operator, keys]) => {
    if (readOperator(operator) === undefined || !isObject(keys)) throw malformed(SYNTAX);
    return Object.entries(keys).map(([key, given]) => {
      const values = (Array.isArray(given) ? given : [given]).map(scalar);
      if (!key.includes(':')) throw malformed('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
      return { operator, key, values };
    });
  });
}

/** Numbers and booleans may stand without quotes. */
function scalar(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw malformed(SYNTAX);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(message: string): Fault {
  return new Fault('InvalidParameter', message.slice(0, 600), { details: { errorName: 'MalformedPolicyDocument' } });
}
