/** An operation of ECR on one repository, or on the registry as a whole. */
import type { Fault } from '#base/fault.ts';
import { repositoryArn } from '#domain/ecr.ts';
import type { Scope } from '#domain/scope.ts';
import { requestTags } from '#gateway/access.ts';
import type { CallContext, Operation, OwnFacts } from '#gateway/types.ts';
import { invalidEcr, pullThroughRuleNotFound, repositoryNotFound } from '#intent/index.ts';
import { repositoryResource, type EcrDeps } from './access.ts';

type Named = { registryId?: string | undefined; repositoryName?: string | undefined; repositoryNames?: string[] | undefined };
type Tagged = { tags?: { Key?: string | undefined; Value?: string | undefined }[] | undefined; tagKeys?: string[] | undefined };

export function ecrOperation<In extends Named, Out>(
  deps: EcrDeps,
  name: string,
  handle: (input: In, context: CallContext) => Promise<Out>,
): Operation<In, Out> {
  return {
    name,
    action: `ecr:${name}`,
    resources: ({ repositoryName: repository, repositoryNames: several = [] }, context) => {
      const names = repository === undefined ? several : [repository];
      if (names.length === 0) return [whole(name, context)];
      return Promise.all(names.map((one) => repositoryResource(deps, context, one)));
    },
    facts: (input) => factsOf(input as Tagged),
    async handle(input, context) {
      const { repositoryName = '', registryId } = input;
      if (registryId !== undefined && registryId !== context.account)
        throw elsewhere(name, { ...context, account: registryId }, repositoryName);
      return await handle(input, context);
    },
  };
}

/** Of another account's registry nobody here knows anything. */
function elsewhere(operation: string, scope: Scope, repository: string): Fault {
  if (!/^\d{12}$/.test(scope.account)) return invalidEcr("Invalid parameter at 'registryId' failed to satisfy constraint: 'must satisfy regular expression '[0-9]{12}''"); // prettier-ignore
  if (operation === 'CreatePullThroughCacheRule') return invalidEcr(`Invalid parameter at 'registryId': the registry with id '${scope.account}' is not here`); // prettier-ignore
  return operation.includes('PullThroughCacheRule') ? pullThroughRuleNotFound(scope, '') : repositoryNotFound(scope, repository);
}

/** Of a list of all repositories AWS asks about them all; other calls that name none are about the registry. */
const whole = (name: string, { account, region }: CallContext): string =>
  name === 'DescribeRepositories' ? repositoryArn({ account, region, name: '*' }) : '*';

export function factsOf({ tags = [], tagKeys = [] }: Tagged): OwnFacts {
  return requestTags(tags, tagKeys);
}
