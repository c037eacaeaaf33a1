/** DescribeHosts: the machines, what they offer and what is left on them. */
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
      return { hosts: hosts.map(({ key, info, usage, status, seenAt }) => ({ hostId: key.hostId, status, seenAt, info, usage })) };
    },
  };
}
