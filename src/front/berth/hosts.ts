/** Which hosts there are. Images live on hosts: today's one machine has one, and its images are the platform's. */
import { Fault } from '#base/fault.ts';
import type { HostRecord } from '#domain/records.ts';
import type { Store } from '#store/types.ts';

export async function listHosts(store: Store): Promise<HostRecord[]> {
  return store.read((tx) => tx.hosts.list({}));
}

/** The host that images are brought to. Throws Unavailable while none is connected. */
export async function imageHost(store: Store): Promise<HostRecord> {
  const hosts = await listHosts(store);
  const host = hosts.find((candidate) => candidate.status === 'CONNECTED');
  if (host !== undefined) return host;
  const known = hosts.length === 0 ? 'no host has joined yet' : `the host ${hosts[0]?.info.hostname} is not connected`;
  throw new Fault('Unavailable', `Images can't be reached: ${known}. Try again in a moment; 'berth status' shows the host agent.`);
}
