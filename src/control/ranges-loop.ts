/** Which ranges this berth has on its hosts' machines, where other berths may choose too: claimed before a VPC is written down, kept up while it is there. */
import type { Clock } from '#base/clock.ts';
import { Fault, isFault, type Json } from '#base/fault.ts';
import type { Log } from '#base/log.ts';
import { hostOps } from '#link/operations.ts';
import type { Store } from '#store/types.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import type { HostCalls } from './types.ts';

/** A machine's claims are gone after it was started anew. */
const TICK_MS = 60_000;
/** While a host that is there wasn't told yet. */
const SOON_MS = 1_000;
const CALL_MS = 10_000;

/** A host agent of before knows nothing of ranges. */
async function tell(hosts: HostCalls, hostId: string, op: string, body: Json): Promise<void> {
  try {
    await hosts.request(hostId, op, body, { timeoutMs: CALL_MS });
  } catch (error) {
    if (!isFault(error, 'Unsupported')) throw error;
  }
}

/** On all machines that are connected. Throws Conflict when another berth has it on one of them, Unavailable while none is there. */
export async function claimRange(hosts: HostCalls, cidr: string): Promise<void> {
  const connected = hosts.connected();
  if (connected.length === 0) throw new Fault('Unavailable', `No host is connected that could say whether ${cidr} is free on its machine.`);
  for (const hostId of connected) await tell(hosts, hostId, hostOps.rangeClaim, { cidr });
}

export function startRangesLoop(deps: { store: Store; clock: Clock; log: Log }, hosts: HostCalls): Loop {
  const told = new Set<string>();
  const untold = () => hosts.connected().some((hostId) => !told.has(hostId));
  return startLoop(deps, {
    name: 'ranges',
    tickMs: () => (untold() || told.size === 0 ? SOON_MS : TICK_MS),
    async run() {
      const connected = hosts.connected();
      for (const hostId of told) if (!connected.includes(hostId)) told.delete(hostId);
      const vpcs = await deps.store.read((tx) => tx.vpcs.list({}));
      const cidrs = vpcs.map((vpc) => vpc.cidr);
      // One that doesn't answer holds up no other.
      const outcomes = await Promise.allSettled(
        connected.map(async (hostId) => {
          await tell(hosts, hostId, hostOps.ranges, { cidrs });
          told.add(hostId);
        }),
      );
      const failed = outcomes.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
  });
}
