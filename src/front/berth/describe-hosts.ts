/** DescribeHosts: the machines, what they offer and what is left on them. */
import { isolationOn } from '#domain/isolation.ts';
import type { Operation } from '#gateway/types.ts';
import { listHosts } from './hosts.ts';
import type { BerthApiDeps } from './types.ts';

export function describeHosts(deps: BerthApiDeps): Operation {
  return {
    name: 'DescribeHosts',
    action: 'berth:DescribeHosts',
    resources: () => ['*'],
    async handle() {
      const hosts = await listHosts(deps.store);
      const described = hosts.map(({ key, info, usage, status, seenAt }) => {
        const autoIsolation = isolationOn({ info }, 'auto') ?? null;
        return { hostId: key.hostId, status, seenAt, info, usage, autoIsolation };
      });
      return { hosts: described };
    },
  };
}
