/** Names that lead to load balancers: in the resolver of every task, and on the machine's front door. Pure. */
import { loadBalancerDnsName } from '#domain/load-balancer.ts';
import type { ListenerRecord, LoadBalancerRecord, RuleRecord } from '#domain/load-balancer.ts';

/** `NAME.localhost` on the front door leads to this listener of a load balancer. */
export type FrontDoorAlias = { name: string; ip: string; port: number; tls: boolean };
export type HostNames = {
  /** In order of name. */
  aliases: FrontDoorAlias[];
  /** Fully qualified names under berth.internal -> addresses. */
  names: Record<string, string[]>;
};

type Balancers = {
  loadBalancers: readonly LoadBalancerRecord[];
  listeners: readonly ListenerRecord[];
  rules: readonly RuleRecord[];
};

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const FRONT_DOOR = /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.localhost$/;
const INTERNAL = /^[a-z0-9.-]+\.berth\.internal$/;

/**
 * A load balancer has its DNS name, and its own name on the front door. A rule with a host header `X.localhost` has X there, one with
 * `X.berth.internal` that name in tasks. What is asked for twice belongs to the load balancer whose name comes first.
 */
export function planHostNames({ loadBalancers, listeners, rules }: Balancers): HostNames {
  const aliases = new Map<string, FrontDoorAlias>();
  const names: Record<string, string[]> = {};
  const offer = (name: string, entry: Entry) => {
    if (!aliases.has(name)) aliases.set(name, { name, ip: entry.ip, port: entry.port, tls: entry.tls });
  };
  const standing = loadBalancers
    .filter((lb) => lb.observed.ip !== null)
    .toSorted((a, b) => (a.key.name < b.key.name ? -1 : a.key.name > b.key.name ? 1 : a.key.region < b.key.region ? -1 : 1));
  for (const lb of standing) {
    const own = listeners.filter((listener) => listener.key.loadBalancer === lb.key.name && sameScope(listener.key, lb.key));
    names[loadBalancerDnsName(lb)] = [lb.observed.ip ?? ''];
    const entry = entryOf(lb, own);
    const hosts = rules.filter((rule) => rule.key.loadBalancer === lb.key.name && sameScope(rule.key, lb.key)).flatMap(hostsOf);
    for (const host of hosts) {
      const label = FRONT_DOOR.exec(host)?.[1];
      if (label !== undefined && entry !== undefined) offer(label, entry);
      if (INTERNAL.test(host)) names[host] ??= [lb.observed.ip ?? ''];
    }
    const name = lb.key.name.toLowerCase();
    if (entry !== undefined && LABEL.test(name)) offer(name, entry);
  }
  return { aliases: [...aliases.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)), names };
}

type Entry = Omit<FrontDoorAlias, 'name'>;

/** The listener for plain HTTP on port 80, else any for HTTP, else one for HTTPS; a network load balancer has none of them. */
function entryOf(lb: LoadBalancerRecord, listeners: readonly ListenerRecord[]): Entry | undefined {
  const of = (protocol: 'HTTP' | 'HTTPS') =>
    listeners.filter((listener) => listener.desired.protocol === protocol).toSorted((a, b) => a.desired.port - b.desired.port);
  const plain = of('HTTP');
  const chosen = plain.find((listener) => listener.desired.port === 80) ?? plain[0] ?? of('HTTPS')[0];
  if (chosen === undefined || lb.observed.ip === null) return undefined;
  return { ip: lb.observed.ip, port: chosen.desired.port, tls: chosen.desired.protocol === 'HTTPS' };
}

function hostsOf(rule: RuleRecord): string[] {
  return rule.desired.conditions.flatMap((condition) =>
    condition.field === 'host-header' ? condition.values.map((value) => value.toLowerCase()) : [],
  );
}

function sameScope(a: { account: string; region: string }, b: { account: string; region: string }): boolean {
  return a.account === b.account && a.region === b.region;
}
