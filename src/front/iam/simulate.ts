/** SimulatePrincipalPolicy and SimulateCustomPolicy: the evaluator's word, without the call. */
import type {
  ContextEntry,
  EvaluationResult,
  SimulateCustomPolicyRequest,
  SimulatePrincipalPolicyRequest,
  SimulatePolicyResponse,
} from '@aws-sdk/client-iam';
import { asFault } from '#base/fault.ts';
import { iamScope, parsePolicyArn, parseRoleArn } from '#domain/iam.ts';
import { clip } from '#domain/names.ts';
import type { CallContext, Operation } from '#gateway/types.ts';
import { compileText, managedDocument, policiesOf } from '#identity/index.ts';
import { iamFault, noSuchEntity } from '#intent/index.ts';
import { decide, type Facts, type PolicySet } from '#policy/index.ts';
import type { ReadTx } from '#store/types.ts';
import { iamOperation, type IamDeps } from './operation.ts';
import { pageOf } from './page.ts';

type Asked = Omit<SimulatePrincipalPolicyRequest, 'PolicySourceArn'>;

export function simulateOperations(deps: IamDeps): Operation[] {
  return [
    iamOperation<SimulatePrincipalPolicyRequest, SimulatePolicyResponse>(
      'SimulatePrincipalPolicy',
      (input) => [input.PolicySourceArn ?? '*'],
      async (input, context) => {
        const own = await deps.store.read((tx) => sourcePolicies(tx, context, input.PolicySourceArn ?? ''));
        const added = (input.PolicyInputList ?? []).map(compiled);
        const boundary = input.PermissionsBoundaryPolicyInputList?.[0];
        const set = { identity: [...own.identity, ...added], boundary: boundary === undefined ? own.boundary : compiled(boundary), session: null }; // prettier-ignore
        return answer(set, input);
      },
    ),
    iamOperation<SimulateCustomPolicyRequest, SimulatePolicyResponse>(
      'SimulateCustomPolicy',
      () => ['*'],
      async (input) => {
        const boundary = input.PermissionsBoundaryPolicyInputList?.[0];
        const identity = (input.PolicyInputList ?? []).map(compiled);
        return answer({ identity, boundary: boundary === undefined ? null : compiled(boundary), session: null }, input);
      },
    ),
  ];
}

/** One that the call itself brings, for which the simulation has another error than what keeps policies. */
function compiled(text: string): ReturnType<typeof compileText> {
  try {
    return compileText(text);
  } catch (error) {
    throw iamFault('InvalidInput', asFault(error).message);
  }
}

/** The policies of a user or role, or a managed policy by itself. */
async function sourcePolicies(tx: ReadTx, context: CallContext, arn: string): Promise<Omit<PolicySet, 'session'>> {
  const role = parseRoleArn(arn);
  const [, userName] = /^arn:aws:iam::\d{12}:user\/(?:.*\/)?([^/]+)$/.exec(arn) ?? [];
  const scope = iamScope(context);
  const entity = role === undefined ? userName === undefined ? undefined : await tx.iamUsers.get({ ...scope, name: userName }) : await tx.iamRoles.get({ ...scope, name: role.name }); // prettier-ignore
  if (entity !== undefined) return await policiesOf(tx, entity);
  if (role === undefined && userName === undefined && parsePolicyArn(arn) !== undefined) {
    return { identity: [compileText(await managedDocument(tx, arn))], boundary: null };
  }
  throw noSuchEntity(`The policy source ${clip(arn)} cannot be found.`);
}

function answer(set: PolicySet, input: Asked): SimulatePolicyResponse {
  const facts = factsOf(input.ContextEntries ?? []);
  const resources = input.ResourceArns ?? ['*'];
  const results = (input.ActionNames ?? []).flatMap((action) => {
    if (!/^[a-z0-9-]+:\w+$/i.test(action)) throw iamFault('InvalidInput', `Invalid Entity Action Name: ${clip(action)}`);
    return resources.map((resource) => resultOf(set, action, resource, facts));
  });
  const { items, ...page } = pageOf([...results.entries()], input, ([index]) => String(index));
  return { EvaluationResults: items.map(([, result]) => result), ...page };
}

function resultOf(set: PolicySet, action: string, resource: string, facts: Facts): EvaluationResult {
  const decision = decide(set, { action, resource, facts });
  const word = decision.allowed ? 'allowed' : decision.explicit ? 'explicitDeny' : 'implicitDeny';
  const bounded = set.boundary === null ? {} : { PermissionsBoundaryDecisionDetail: { AllowedByPermissionsBoundary: decision.allowed || decision.kind !== 'boundary' } }; // prettier-ignore
  return {
    EvalActionName: action,
    EvalResourceName: resource,
    EvalDecision: word,
    MatchedStatements: [],
    MissingContextValues: [],
    ...bounded,
  };
}

function factsOf(entries: readonly ContextEntry[]): Facts {
  const facts = new Map<string, string | string[]>();
  for (const { ContextKeyName: name, ContextKeyValues: values, ContextKeyType: type } of entries) {
    if (name === undefined) continue;
    facts.set(name.toLowerCase(), type?.endsWith('List') === true ? (values ?? []) : (values?.[0] ?? ''));
  }
  return facts;
}
