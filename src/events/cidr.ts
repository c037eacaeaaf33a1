/** Ranges of addresses in patterns: IPv4 and IPv6, RFC 4632 and RFC 4291. */
import { BlockList, isIP } from 'node:net';
import { PatternError } from './types.ts';

/** Throws PatternError for what is no range. An address alone is a range of one. */
export function compileRange(text: string): (address: string) => boolean {
  const [address = '', prefix, ...more] = text.split('/');
  const version = isIP(address);
  const widest = version === 4 ? 32 : 128;
  const bits = prefix === undefined ? widest : Number(prefix);
  if (version === 0 || more.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) || bits > widest) {
    throw new PatternError(`Malformed CIDR, one '/' required: ${text.slice(0, 60)}`);
  }
  const list = new BlockList();
  list.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6');
  return (value) => isIP(value) === version && list.check(value, version === 4 ? 'ipv4' : 'ipv6');
}
