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
      const connected = deps.hosts.connected();
      const described = hosts.map(({ key, info, usage, seenAt }) => {
        // The record keeps CONNECTED until a silence, over starts of the control plane too: `berth up` waits for what can be called.
        const status = connected.includes(key.hostId) ? 'CONNECTED' : 'DISCONNECTED';
        const autoIsolation = isolationOn({ info }, 'auto') ?? null;
        return { hostId: key.hostId, status, seenAt, info, usage, autoIsolation };
      });
      return { hosts: described };
    },
  };
}
