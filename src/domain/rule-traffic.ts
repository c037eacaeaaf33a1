/** Security group rules as a caller writes them, brought to the one form that is kept (EC2 API reference, "IpPermission"). Pure. */
import { isIPv6 } from 'node:net';
import { Fault } from '#base/fault.ts';
import { formatCidr, networkOf, parseIp } from './cidr.ts';
import { clip } from './names.ts';
import type { RuleTraffic } from './network.ts';

const names: Record<string, string> = { all: '-1', '1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'icmpv6' };
const PORT_MAX = 65_535;
const ICMP_MAX = 255;
const DESCRIPTION = /^[a-zA-Z0-9. _\-:/()#,@[\]+=&;{}!$*]{0,255}$/;

type Ports = Pick<RuleTraffic, 'fromPort' | 'toPort'>;

/** `6` and `TCP` -> `tcp`. Throws InvalidParameter. */
export function ruleProtocol(text: string | undefined): string {
  const protocol = (text ?? '').toLowerCase();
  const name = names[protocol] ?? protocol;
  const known = name === '-1' || Object.values(names).includes(name) || (/^(0|[1-9]\d{0,2})$/.test(name) && Number(name) <= 255);
  if (!known) throw new Fault('InvalidParameter', `Invalid value '${clip(text ?? '')}' for IP protocol. Unknown protocol.`);
  return name;
}

/** Ports, or ICMP's type and code; null where the protocol has none, whatever was given. Throws InvalidParameter. */
export function rulePorts(protocol: string, from: number | undefined, to: number | undefined): Ports {
  if (protocol === 'icmpv6' || protocol === 'icmp') return icmp(protocol, from, to);
  if (protocol !== 'tcp' && protocol !== 'udp') return { fromPort: null, toPort: null };
  if (from === undefined || to === undefined) {
    throw new Fault('InvalidParameter', `Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.`);
  }
  const label = protocol.toUpperCase();
  const outside = [from, to].find((port) => !Number.isInteger(port) || port < 0 || port > PORT_MAX);
  if (outside !== undefined) throw new Fault('InvalidParameter', `${label} Port (${outside}) is out of range`);
  if (from > to) throw new Fault('InvalidParameter', `Invalid ${label} port range (${from}:${to})`);
  return { fromPort: from, toPort: to };
}

function icmp(protocol: 'icmp' | 'icmpv6', from: number | undefined, to: number | undefined): Ports {
  const type = from ?? (protocol === 'icmpv6' ? -1 : undefined);
  if (type === undefined) throw new Fault('InvalidParameter', `Invalid value 'Must specify a type with ICMP.' for portRange.`);
  const code = to ?? -1;
  const outside = [type, code].find((value) => !Number.isInteger(value) || value < -1 || value > ICMP_MAX);
  if (outside !== undefined) throw new Fault('InvalidParameter', `ICMP code (${outside}) out of range`);
  if (type === -1 && code !== -1) throw new Fault('InvalidParameter', `ICMP code (${code}) not allowed with all types`);
  return { fromPort: type, toPort: code };
}

/** AWS drops the bits behind the prefix: `100.68.0.18/18` -> `100.68.0.0/18`. Throws InvalidParameter. */
export function canonicalCidr(text: string): string {
  const match = /^([\d.]+)\/(0|[1-9]\d?)$/.exec(text);
  const prefix = Number(match?.[2] ?? 99);
  try {
    if (prefix <= 32) return formatCidr({ base: networkOf(parseIp(match?.[1] ?? ''), prefix), prefix });
  } catch {
    // Not an address: said below, in AWS's words.
  }
  throw new Fault('InvalidParameter', `CIDR block ${clip(text)} is malformed`);
}

/** The same for IPv6 (RFC 4291, in the short form of RFC 5952). Throws InvalidParameter. */
export function canonicalCidr6(text: string): string {
  const match = /^([0-9a-fA-F:.]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = match?.[1] ?? '';
  const prefix = Number(match?.[2] ?? 999);
  if (prefix > 128 || !isIPv6(address)) throw new Fault('InvalidParameter', `CIDR block ${clip(text)} is malformed`);
  const value = parts(address).reduce((sum, part) => (sum << 16n) | BigInt(part), 0n);
  const host = 128n - BigInt(prefix);
  const masked = (value >> host) << host;
  const hex = Array.from({ length: 8 }, (_, i) => ((masked >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  return `${shortForm(hex.join(':'))}/${prefix}`;
}

const shortForm = (address: string) => new URL(`http://[${address}]`).hostname.slice(1, -1);

/** The eight groups of an address that `isIPv6` holds for. */
function parts(address: string): number[] {
  const [head = '', tail] = shortForm(address).split('::');
  const groups = (text: string) => text.split(':').filter((part) => part !== '').map((part) => parseInt(part, 16)); // prettier-ignore
  const first = groups(head);
  if (tail === undefined) return first;
  const last = groups(tail);
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}

/** Throws InvalidParameter. '' and nothing are the same. */
export function ruleDescription(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  if (DESCRIPTION.test(text)) return text;
  throw new Fault(
    'InvalidParameter',
    'Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*',
  );
}

/** Two rules with the same key let the same through. */
export function trafficKey({ protocol, fromPort, toPort, peer }: RuleTraffic): string {
  return JSON.stringify([protocol, fromPort, toPort, peer.kind, peer.kind === 'group' ? peer.groupId : peer.cidr]);
}

/** As AWS names a rule in errors: `peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW`. */
export function trafficText({ protocol, fromPort, toPort, peer }: RuleTraffic): string {
  const who = peer.kind === 'group' ? peer.groupId : peer.cidr;
  const what = protocol === '-1' ? 'ALL' : protocol.toUpperCase();
  const ports = fromPort === null ? '' : protocol.startsWith('icmp') ? `, type: ${fromPort}, code: ${toPort}` : `, from port: ${fromPort}, to port: ${toPort}`; // prettier-ignore
  return `peer: ${who}, ${what}${ports}, ALLOW`;
}
