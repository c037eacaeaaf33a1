/**
 * Which addresses API destinations may call. Whoever may make one chooses what this machine connects to, so what trusts the machine alone is closed: its loopback, link-local
 * addresses (a cloud's metadata with the machine's credentials), what a VPC holds. The front door is open, since it is to all; so is the LAN, which one's own services are on.
 * What is looked up is checked as it is connected to, so a name that changes its mind leads nowhere else.
 */
import { lookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Fault } from '#base/fault.ts';

/** `allowed`: ranges that are open none the less (`up --webhooks-to`). `frontDoorPort`: of this machine's loopback, open too. */
export type WebhookRules = { allowed: readonly string[]; frontDoorPort: number | null };

/** Of an instance. */
export const webhookRules = ({ webhooksTo, endpointPort }: { webhooksTo: readonly string[]; endpointPort: number }): WebhookRules => ({
  allowed: webhooksTo,
  frontDoorPort: endpointPort,
});

/** What an address is that may not be called; null for one that may. `vpcs`: the VPCs' ranges. */
export type Closed = (address: string, port: number, vpcs: readonly string[]) => string | null;

const LOOPBACK = ['127.0.0.0/8', '::1/128'];
const closed: [what: string, ranges: string[]][] = [
  ['of this machine itself', LOOPBACK],
  ['no address of a machine', ['0.0.0.0/8', '::/128', '224.0.0.0/4', '240.0.0.0/4', 'ff00::/8']],
  ['link-local, as metadata of clouds are', ['169.254.0.0/16', 'fe80::/10']],
  // Metadata elsewhere: by IPv6 at AWS, Google, Oracle and Scaleway; at Azure, Alibaba, Oracle.
  ["a cloud's own", ['fd00:ec2::/32', 'fd20:ce::/32', 'fd00:c1::/32', 'fd00:42::/32', '168.63.129.16/32', '100.100.100.200/32', '192.0.0.192/32']], // prettier-ignore
];

export function closedAddresses({ allowed, frontDoorPort }: WebhookRules): Closed {
  const open = blockList(allowed);
  const own = blockList(LOOPBACK);
  const lists = closed.map(([what, ranges]) => ({ what, list: blockList(ranges) }));
  return (address, port, vpcs) => {
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (open.check(address, family) || (port === frontDoorPort && own.check(address, family))) return null;
    const found = lists.find(({ list }) => list.check(address, family));
    if (found !== undefined) return found.what;
    return blockList(vpcs).check(address, family) ? "in a VPC, whose way in is the front door or a load balancer's name" : null;
  };
}

/** Throws for what is no list of ranges. `text`: `10.0.0.0/8,fd00::/8`; an address is a range of one. */
export function readRanges(text: string): string[] {
  const ranges = text.split(',').map((one) => one.trim());
  try {
    blockList(ranges);
    return ranges;
  } catch {
    throw new Fault('InvalidParameter', `--webhooks-to '${text}' is no list of address ranges: give some like 127.0.0.0/8,fd00::/8`);
  }
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits, ...more] = range.split('/');
    const family = isIP(address);
    const most = family === 6 ? 128 : 32;
    const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (family === 0 || more.length > 0 || !(prefix <= most)) throw new Error(`${range} is no range of addresses`);
    list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4');
    // Where a network translates (NAT64, RFC 6052), the same by its other name.
    if (family === 4) list.addSubnet(`64:ff9b::${address}`, 96 + prefix, 'ipv6');
  }
  return list;
}

/** An address that may not be called was all that was found. */
export class ClosedAddress extends Error {
  override readonly name = 'ClosedAddress';
}

/** The host of a URL as an address; undefined for a name. */
export const addressOf = (hostname: string): string | undefined => {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(bare) === 0 ? undefined : bare;
};

export function assertOpen(address: string, port: number, vpcs: readonly string[], isClosed: Closed): void {
  const what = isClosed(address, port, vpcs);
  if (what !== null)
    throw new ClosedAddress(`${address} is ${what}; API destinations may call it after 'berth up --webhooks-to ${address}'`);
}

/** Finds addresses as Node does, of which those that are closed are none. */
export function openLookup(port: number, vpcs: readonly string[], isClosed: Closed): LookupFunction {
  return (name, options, done) => {
    const found = (error: Error | null, addresses: LookupAddress[]) => {
      if (error !== null) return done(error, '');
      const open = addresses.filter(({ address }) => isClosed(address, port, vpcs) === null);
      const [first] = open;
      if (first === undefined) {
        try {
          for (const { address } of addresses) assertOpen(address, port, vpcs, isClosed);
        } catch (refused) {
          return done(refused as Error, '');
        }
        return done(new Error(`${name} has no address`), '');
      }
      if (options.all === true) done(null, open);
      else done(null, first.address, first.family);
    };
    // Names below localhost are this machine, whatever its resolver knows of them (RFC 6761, section 6.3).
    if (/(^|\.)localhost\.?$/i.test(name)) return found(null, [{ address: '127.0.0.1', family: 4 }]);
    lookup(name, { ...options, all: true }, found);
  };
}
