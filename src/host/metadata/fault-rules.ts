/**
 * Faults of a task's network, but latency, as nftables rules in its VPC's router, where everything that the task sends and gets passes, whatever its kind of
 * sandbox. Pure.
 */
import { isIPv4 } from 'node:net';
import { containsCidr, formatCidr, networkOf, parseIp } from '#domain/cidr.ts';

/** `to`, `except`: IPv4 or IPv6 addresses and CIDR blocks. */
export type NetworkFault =
  | { type: 'network-blackhole-port'; port: number; protocol: 'tcp' | 'udp'; traffic: 'ingress' | 'egress'; except: string[] }
  | { type: 'network-latency'; delayMs: number; jitterMs: number; to: string[]; except: string[] }
  | { type: 'network-packet-loss'; percent: number; to: string[]; except: string[] };

/** Whether a start or stop of the one is about the other: black holes are told apart by what they swallow, the rest is one of its type. */
export function sameFault(a: NetworkFault, b: NetworkFault): boolean {
  if (a.type !== 'network-blackhole-port' || b.type !== 'network-blackhole-port') return a.type === b.type;
  return a.port === b.port && a.protocol === b.protocol && a.traffic === b.traffic;
}

/** The task's own table, made anew with these; without any it is removed. `routerIf`: the router's end of the task's interface. */
export function renderFaults(routerIf: string, faults: readonly NetworkFault[]): string {
  const table = `berth_faults_${routerIf}`;
  const removed = `add table ip ${table}\ndelete table ip ${table}\n`;
  const out = faults.flatMap((fault) => outward(fault));
  const into = faults.flatMap((fault) => inward(fault));
  if (out.length + into.length === 0) return removed;
  const chains = [
    // Before the platform's addresses are translated, and after they are translated back: rules name what the task itself sees.
    ...chain('from_task', 'prerouting', -300, `iifname "${routerIf}"`, out),
    ...chain('to_task', 'postrouting', 300, `oifname "${routerIf}"`, into),
  ];
  return `${removed}table ip ${table} {\n${chains.map((line) => `\t${line}\n`).join('')}}\n`;
}

function chain(name: string, hook: string, priority: number, task: string, rules: string[]): string[] {
  const head = `chain ${name} { type filter hook ${hook} priority ${priority}; policy accept;`;
  return [head, ...rules.map((rule) => `\t${task} ${rule}`), '}'];
}

/** Loss is what the task sends, as with the agent's queueing discipline on its interface. */
function outward(fault: NetworkFault): string[] {
  if (fault.type === 'network-blackhole-port' && fault.traffic === 'egress')
    return [`${spared('daddr', fault.except)}${fault.protocol} dport ${fault.port} drop`];
  if (fault.type !== 'network-packet-loss') return [];
  const to = ipv4(fault.to);
  if (to.length === 0) return [];
  const chance = fault.percent >= 100 ? '' : `numgen random mod 100 < ${fault.percent} `;
  return [`ip daddr { ${to.join(', ')} } ${spared('daddr', fault.except)}${chance}drop`];
}

function inward(fault: NetworkFault): string[] {
  if (fault.type !== 'network-blackhole-port' || fault.traffic !== 'ingress') return [];
  return [`${spared('saddr', fault.except)}${fault.protocol} dport ${fault.port} drop`];
}

function spared(side: 'saddr' | 'daddr', except: string[]): string {
  const list = ipv4(except);
  return list.length === 0 ? '' : `ip ${side} != { ${list.join(', ')} } `;
}

/** What the task's sandbox is told of latency; null: none. */
export function latencyOf(faults: readonly NetworkFault[]): { delayMs: number; jitterMs: number; to: string[]; except: string[] } | null {
  const fault = faults.find((one) => one.type === 'network-latency');
  if (fault === undefined) return null;
  const { delayMs, jitterMs, to, except } = fault;
  return { delayMs, jitterMs, to: ipv4(to), except: ipv4(except) };
}

/** Tasks have no IPv6: what names it has nothing to act on. Blocks that lie in others are left out, which a set would refuse. */
function ipv4(list: string[]): string[] {
  const blocks = list.flatMap((text) => {
    const [address = '', prefix = '32'] = text.split('/');
    return isIPv4(address) ? [{ base: networkOf(parseIp(address), Number(prefix)), prefix: Number(prefix) }] : [];
  });
  const unlike = [...new Map(blocks.map((block) => [formatCidr(block), block])).values()];
  return unlike.filter((one) => !unlike.some((other) => other !== one && containsCidr(other, one))).map(formatCidr);
}
