/** A policy's JSON, already checked (`document.ts`), made ready for many questions. */
import { compileCondition } from './conditions.ts';
import type { PolicyDocument, PolicyStatement } from './document.ts';
import { compileAction, compileArn, variablesOf } from './pattern.ts';
import { compilePrincipal } from './principal.ts';
import type { CompiledPolicy, CompiledStatement, Relevant } from './types.ts';

export function compilePolicy(document: PolicyDocument): CompiledPolicy {
  const variables = document.version === '2012-10-17';
  return policyOf(document.statements.map((statement) => compileStatement(statement, variables)));
}

/** All statements as one policy: a principal with many policies is asked about an action once. */
export function joinPolicies(policies: readonly CompiledPolicy[]): CompiledPolicy {
  return policyOf(policies.flatMap(({ statements }) => statements));
}

function policyOf(statements: readonly CompiledStatement[]): CompiledPolicy {
  return { statements, about: statementsByAction(statements) };
}

/** Far more than a principal calls; bounded, since SimulatePrincipalPolicy is asked about any name. */
const ACTIONS = 200;

/** A principal asks for the same few actions over and over, and most of its statements are about others. */
function statementsByAction(statements: readonly CompiledStatement[]): CompiledPolicy['about'] {
  const known = new Map<string, Relevant>();
  return (action) => {
    const before = known.get(action);
    if (before !== undefined) return before;
    const about = statements.filter((statement) => statement.action(action));
    const found = { statements: about, keys: [...new Set(about.flatMap(({ keys }) => keys))] };
    if (known.size >= ACTIONS) known.clear();
    known.set(action, found);
    return found;
  };
}

function compileStatement(statement: PolicyStatement, variables: boolean): CompiledStatement {
  return {
    sid: statement.sid,
    deny: statement.effect === 'Deny',
    action: compileActions(statement),
    resource: compileResources(statement, variables),
    conditions: statement.conditions.map(({ operator, key, values }) => compileCondition(operator, key, values, variables)),
    keys: keysOf(statement, variables),
    principal: statement.principal === null ? null : compilePrincipal(statement.principal),
  };
}

function keysOf({ conditions, resources, notResources }: PolicyStatement, variables: boolean): string[] {
  const texts = [...(resources ?? notResources ?? []), ...conditions.flatMap(({ values }) => values)];
  return [...new Set([...conditions.map(({ key }) => key.toLowerCase()), ...(variables ? texts.flatMap(variablesOf) : [])])];
}

function compileActions({ actions, notActions }: PolicyStatement): CompiledStatement['action'] {
  const tests = (actions ?? notActions ?? []).map(compileAction);
  const [only] = tests;
  if (actions !== null && tests.length === 1 && only !== undefined) return only;
  const wanted = actions !== null;
  return (action) => tests.some((test) => test(action)) === wanted;
}

function compileResources({ resources, notResources }: PolicyStatement, variables: boolean): CompiledStatement['resource'] {
  // A trust policy names none: it is the role's own.
  if (resources === null && notResources === null) return null;
  const texts = resources ?? notResources ?? [];
  const wanted = resources !== null;
  if (texts.includes('*')) return wanted ? null : () => false;
  const tests = texts.map((text) => compileArn(text, variables));
  return (resource, facts) => tests.some((test) => test(resource, facts)) === wanted;
}
