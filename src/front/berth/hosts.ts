/** Which hosts there are. Images live on hosts: today's one machine has one, and its images are the platform's. */
import { Fault } from '#base/fault.ts';
import type { HostRecord } from '#domain/records.ts';
import type { Store } from '#store/types.ts';
import type { BerthApiDeps } from './types.ts';

export async function listHosts(store: Store): Promise<HostRecord[]> {
  return store.read((tx) => tx.hosts.list({}));
}

/** The host that images are brought to, once it is connected: one that was a moment ago is waited for. Throws Unavailable while there is none. */
export async function imageHost({ store, hosts: access }: Pick<BerthApiDeps, 'store' | 'hosts'>): Promise<HostRecord> {
  const hosts = await listHosts(store);
  const connected = access.connected();
  const host = hosts.find(({ key }) => connected.includes(key.hostId)) ?? hosts.find(({ status }) => status === 'CONNECTED');
  if (host !== undefined) {
    await access.returned(host.key.hostId);
    return host;
  }
  const known = hosts.length === 0 ? 'no host has joined yet' : `the host ${hosts[0]?.info.hostname} is not connected`;
  throw new Fault('Unavailable', `Images can't be reached: ${known}. Try again in a moment; 'berth status' shows the host agent.`);
}
