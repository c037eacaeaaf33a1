/** The nftables rulesets of a VPC: pure, with golden files. Each replaces its own table in one transaction and touches no other. */
import { FILE_SERVER_ADDRESS } from '#domain/shared-volume.ts';
import type { OwnAddress, ServicePorts } from './types.ts';

/** Link-local addresses that tasks reach the platform at, `files` in the router itself; 169.254.169.253 is AWS's own resolver address, 169.254.170.2 its metadata address. */
export const serviceAddresses = {
  dns: '169.254.169.253',
  metadata: '169.254.170.2',
  api: '169.254.170.3',
  files: FILE_SERVER_ADDRESS,
} as const;

export type RulesSpec = {
  /** Table of this VPC in both namespaces: `berth_INSTANCE_N`. */
  table: string;
  cidr: string;
  hostIf: string;
  hostIp: string;
  routerIp: string;
  ports: ServicePorts;
  /** The machine's own addresses out of the VPC, with the ports that tasks may reach. */
  addresses: OwnAddress[];
};

type Service = { address: string; protocol: 'udp' | 'tcp'; port: number; target: number };

function services(ports: ServicePorts): Service[] {
  const list: Service[] = [];
  if (ports.dns !== null) {
    list.push({ address: serviceAddresses.dns, protocol: 'udp', port: 53, target: ports.dns });
    list.push({ address: serviceAddresses.dns, protocol: 'tcp', port: 53, target: ports.dns });
  }
  if (ports.metadata !== null) list.push({ address: serviceAddresses.metadata, protocol: 'tcp', port: 80, target: ports.metadata });
  if (ports.api !== null) list.push({ address: serviceAddresses.api, protocol: 'tcp', port: 80, target: ports.api });
  return list;
}

/** `table` made anew: `add` makes the `delete` safe the first time (nft 1.0.6 has no `destroy`). */
function replaceTable(table: string, chains: string[][]): string {
  const body = chains.map((lines) => lines.map((line) => `\t${line}\n`).join('')).join('\n');
  return `add table ip ${table}\ndelete table ip ${table}\ntable ip ${table} {\n${body}}\n`;
}

function chain(name: string, hook: string, rules: string[]): string[] {
  return [`chain ${name} {`, `\ttype ${hook}`, ...rules.map((rule) => `\t${rule}`), '}'];
}

/**
 * In the router's namespace. Service addresses go to the machine's end of the uplink; sources stay as they are, so that a listener knows
 * which task asks. Link-local addresses are reached in no other way: neither the machine's own services nor a cloud's metadata server.
 */
export function renderRouterRules(spec: RulesSpec): string {
  const dnat = services(spec.ports).map(
    (s) => `iifname "t*" ip daddr ${s.address} ${s.protocol} dport ${s.port} dnat to ${spec.hostIp}:${s.target}`,
  );
  return replaceTable(spec.table, [
    chain('prerouting', 'nat hook prerouting priority dstnat; policy accept;', dnat),
    chain('input', 'filter hook input priority filter; policy drop;', [
      'ct state established,related accept',
      'icmp type echo-request accept',
      // Only a table of the task's own leads there, to the port of its own server (sandbox/microvm/file-rules.ts).
      `iifname "t*" ip daddr ${serviceAddresses.files} ct status dnat accept`,
      'meta l4proto tcp reject with tcp reset',
    ]),
    chain('forward', 'filter hook forward priority filter; policy accept;', [
      'ct state established,related accept',
      'iifname "t*" ip daddr 169.254.0.0/16 ct status dnat accept',
      'iifname "t*" ip daddr 169.254.0.0/16 drop',
    ]),
  ]);
}

/**
 * In the router's namespace, a table of one task's own: nobody but `from` opens connections to the task's port, not even its VPC's other tasks. Without
 * `from` the table is removed. `routerIf`: the router's end of the task's interface.
 */
export function renderOnlyFrom({ routerIf, port, from }: { routerIf: string; port: number; from: string | null }): string {
  const table = `berth_door_${routerIf}`;
  if (from === null) return `add table ip ${table}\ndelete table ip ${table}\n`;
  const others = `oifname "${routerIf}" ip saddr != ${from} meta l4proto { tcp, udp } th dport ${port} drop`;
  return replaceTable(table, [chain('forward', 'filter hook forward priority filter; policy accept;', [others])]);
}

/**
 * In the machine's namespace: tasks go out behind the machine's address, reach only the service ports on the uplink's own address and what load balancers
 * listen on at theirs, and
 * nobody but the machine itself opens a connection to them. Other interfaces are let through untouched, but for the uplink's address.
 */
export function renderHostRules(spec: RulesSpec): string {
  const { cidr, hostIf, hostIp, routerIp } = spec;
  const open = services(spec.ports).map((s) => `ip daddr ${hostIp} ${s.protocol} dport ${s.target} accept`);
  return replaceTable(spec.table, [
    chain('input', 'filter hook input priority filter; policy accept;', [
      `iifname != { "lo", "${hostIf}" } ip daddr ${hostIp} drop`,
      `iifname != "${hostIf}" accept`,
      `ip saddr != { ${cidr}, ${routerIp} } drop`,
      'ct state established,related accept',
      ...open,
      ...ownOpen(spec.addresses),
      'drop',
    ]),
    chain('forward', 'filter hook forward priority filter; policy accept;', [
      `iifname "${hostIf}" ip saddr != ${cidr} drop`,
      `iifname "${hostIf}" ip daddr 169.254.0.0/16 drop`,
      `oifname "${hostIf}" ct state established,related accept`,
      `oifname "${hostIf}" drop`,
    ]),
    chain('postrouting', 'nat hook postrouting priority srcnat; policy accept;', [
      `ip saddr ${cidr} oifname != { "lo", "${hostIf}" } masquerade`,
    ]),
  ]);
}

function ownOpen(addresses: OwnAddress[]): string[] {
  const doors = addresses.flatMap(({ ip, ports }) => ports.map((port) => `${ip} . ${port}`));
  if (addresses.length === 0) return [];
  const pings = `ip daddr { ${addresses.map(({ ip }) => ip).join(', ')} } icmp type echo-request accept`;
  return doors.length === 0 ? [pings] : [`ip daddr . tcp dport { ${doors.join(', ')} } accept`, pings];
}
