/** Rules by which repositories mirror outside registries. */
import type {
  CreatePullThroughCacheRuleRequest,
  CreatePullThroughCacheRuleResponse,
  DeletePullThroughCacheRuleRequest,
  DeletePullThroughCacheRuleResponse,
  DescribePullThroughCacheRulesRequest,
  DescribePullThroughCacheRulesResponse,
  UpdatePullThroughCacheRuleRequest,
  UpdatePullThroughCacheRuleResponse,
  UpstreamRegistry,
} from '@aws-sdk/client-ecr';
import type { PullThroughRecord } from '#domain/ecr.ts';
import { clip } from '#domain/names.ts';
import type { Operation } from '#gateway/types.ts';
import {
  changePullThroughRule,
  createPullThroughRule,
  deletePullThroughRule,
  ecrFault,
  invalidEcr,
  pullThroughRuleNotFound,
} from '#intent/index.ts';
import type { EcrDeps } from './access.ts';
import { pageOf } from './input.ts';
import { ecrOperation } from './operation.ts';

const PREFIX = /^(?:(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*|ROOT)$/;

export function pullThroughOperations(deps: EcrDeps): Operation[] {
  return [
    ecrOperation<CreatePullThroughCacheRuleRequest, CreatePullThroughCacheRuleResponse>(
      deps,
      'CreatePullThroughCacheRule',
      async (input, context) => {
        const { ecrRepositoryPrefix: prefix = '' } = input;
        assertPrefix('ecrRepositoryPrefix', prefix);
        const upstreamPrefix = input.upstreamRepositoryPrefix ?? null;
        assertPrefix('upstreamRepositoryPrefix', upstreamPrefix ?? 'ROOT');
        const wish = {
          upstreamUrl: urlOf(input.upstreamRegistryUrl ?? ''),
          upstreamRegistry: input.upstreamRegistry ?? null,
          upstreamPrefix,
          credentialArn: input.credentialArn ?? null,
        };
        return ruleView(await createPullThroughRule(deps, context, prefix, wish));
      },
    ),
    ecrOperation<DescribePullThroughCacheRulesRequest, DescribePullThroughCacheRulesResponse>(
      deps,
      'DescribePullThroughCacheRules',
      async (input, context) => {
        const { account, region } = context;
        const all = await deps.store.read((tx) => tx.pullThroughRules.list({ account, region }));
        const wanted = input.ecrRepositoryPrefixes;
        for (const prefix of wanted ?? [])
          if (!all.some(({ key }) => key.prefix === prefix)) throw pullThroughRuleNotFound(context, clip(prefix));
        const shown = wanted === undefined ? all : all.filter(({ key }) => wanted.includes(key.prefix));
        const { page, nextToken } = pageOf(shown, ({ key }) => key.prefix, input.nextToken, input.maxResults);
        return { pullThroughCacheRules: page.map((rule) => ({ ...ruleView(rule), updatedAt: new Date(rule.updatedAt) })), nextToken };
      },
    ),
    ecrOperation<UpdatePullThroughCacheRuleRequest, UpdatePullThroughCacheRuleResponse>(
      deps,
      'UpdatePullThroughCacheRule',
      async (input, context) => {
        if (input.credentialArn === undefined)
          throw invalidEcr("Invalid parameter at 'credentialArn' failed to satisfy constraint: 'Member must not be null'");
        const rule = await changePullThroughRule(deps, context, input.ecrRepositoryPrefix ?? '', { credentialArn: input.credentialArn });
        return { ...ruleView(rule), updatedAt: new Date(rule.updatedAt) };
      },
    ),
    ecrOperation<DeletePullThroughCacheRuleRequest, DeletePullThroughCacheRuleResponse>(
      deps,
      'DeletePullThroughCacheRule',
      async (input, context) => ruleView(await deletePullThroughRule(deps, context, input.ecrRepositoryPrefix ?? '')),
    ),
  ];
}

function assertPrefix(path: string, prefix: string): void {
  const isRoot = prefix === 'ROOT';
  if (isRoot || (prefix.length >= 2 && prefix.length <= 30 && PREFIX.test(prefix))) return;
  throw invalidEcr(
    `Invalid parameter at '${path}' failed to satisfy constraint: 'must satisfy regular expression '${PREFIX.source}' and have 2 to 30 characters'`,
  );
}

/** AWS knows a handful of registries; here any host is one, by https, or by http where the URL says so or it is this machine. */
function urlOf(text: string): string {
  const host = text.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  if (/^[a-z0-9.-]+(?::\d{1,5})?$/i.test(host) && host.length <= 255) return text.startsWith('http://') ? `http://${host}` : host;
  throw ecrFault(
    'UnsupportedUpstreamRegistryException',
    `The upstream registry '${clip(text, 200)}' is not supported: give its host, and port if it has one`,
  );
}

function ruleView({ key, ...rule }: PullThroughRecord) {
  return {
    ecrRepositoryPrefix: key.prefix,
    upstreamRegistryUrl: rule.upstreamUrl,
    upstreamRegistry: (rule.upstreamRegistry ?? undefined) as UpstreamRegistry | undefined,
    upstreamRepositoryPrefix: rule.upstreamPrefix ?? undefined,
    credentialArn: rule.credentialArn ?? undefined,
    createdAt: new Date(rule.createdAt),
    registryId: key.account,
  };
}
