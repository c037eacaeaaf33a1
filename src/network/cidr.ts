/** IPv4 arithmetic: addresses are dotted quads outside and unsigned 32-bit numbers inside; ranges are CIDR (RFC 4632). */
import { Fault } from '#base/fault.ts';

export type Cidr = {
  /** First address, as an unsigned 32-bit number; host bits are zero. */
  base: number;
  /** 0 to 32. */
  prefix: number;
};

/** AWS keeps the first four addresses and the last of every subnet (VPC user guide, "Subnet sizing"). */
export const RESERVED_AT_START = 4;
export const RESERVED_AT_END = 1;

const quad = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** Throws InvalidParameter unless `text` is a dotted quad. */
export function parseAddress(text: string): number {
  const parts = quad.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) {
    throw new Fault('InvalidParameter', `"${text}" is not an IPv4 address: four numbers from 0 to 255 with dots between them are needed.`);
  }
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** Throws InvalidParameter unless `text` is ADDRESS/PREFIX with no host bits set. */
export function parseCidr(text: string): Cidr {
  const [address = '', prefixText = '', ...rest] = text.split('/');
  const prefix = /^\d{1,2}$/.test(prefixText) ? Number(prefixText) : Infinity;
  if (rest.length > 0 || prefix > 32) {
    throw new Fault('InvalidParameter', `"${text}" is not an IPv4 range: ADDRESS/PREFIX with a prefix from 0 to 32 is needed.`);
  }
  const base = parseAddress(address);
  if (base % sizeOf({ base, prefix }) !== 0) {
    throw new Fault(
      'InvalidParameter',
      `"${text}" is not an IPv4 range: it has bits set beyond its prefix; use ${formatCidr(networkOf(base, prefix))}.`,
    );
  }
  return { base, prefix };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.base)}/${cidr.prefix}`;
}

/** The range of `prefix` that holds `address`. */
export function networkOf(address: number, prefix: number): Cidr {
  const size = 2 ** (32 - prefix);
  return { base: address - (address % size), prefix };
}

/** Number of addresses, reserved ones included. */
export function sizeOf(cidr: Cidr): number {
  return 2 ** (32 - cidr.prefix);
}

export function containsAddress(cidr: Cidr, address: number): boolean {
  return address >= cidr.base && address < cidr.base + sizeOf(cidr);
}

export function containsCidr(outer: Cidr, inner: Cidr): boolean {
  return inner.prefix >= outer.prefix && containsAddress(outer, inner.base);
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return containsAddress(a, b.base) || containsAddress(b, a.base);
}

/** The address `index` places after the first; throws InvalidParameter past the end. */
export function nthAddress(cidr: Cidr, index: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= sizeOf(cidr)) {
    throw new Fault('InvalidParameter', `${formatCidr(cidr)} has no address number ${index}: it has ${sizeOf(cidr)}.`);
  }
  return cidr.base + index;
}

/** The range `index` places on among the ranges of `prefix` inside `cidr`; throws InvalidParameter past the end. */
export function nthSubnet(cidr: Cidr, prefix: number, index: number): Cidr {
  const count = prefix < cidr.prefix || prefix > 32 ? 0 : 2 ** (prefix - cidr.prefix);
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new Fault('InvalidParameter', `${formatCidr(cidr)} has no /${prefix} number ${index}: it has ${count}.`);
  }
  return { base: cidr.base + index * 2 ** (32 - prefix), prefix };
}

/** A subnet's router: its base plus one, as in AWS. */
export function gatewayOf(subnet: Cidr): number {
  return nthAddress(subnet, 1);
}

/** Addresses of a subnet that tasks may have: all but the first four and the last. */
export function usableCount(subnet: Cidr): number {
  return Math.max(0, sizeOf(subnet) - RESERVED_AT_START - RESERVED_AT_END);
}

/** Usable address number `index`, from 0; throws InvalidParameter past the last. */
export function nthUsable(subnet: Cidr, index: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= usableCount(subnet)) {
    throw new Fault('InvalidParameter', `${formatCidr(subnet)} has no usable address number ${index}: it has ${usableCount(subnet)}.`);
  }
  return subnet.base + RESERVED_AT_START + index;
}

/** A locally administered MAC that holds the address: 02:00 or the given second byte, then the four bytes of the address. */
export function macOf(address: number, secondByte: number): string {
  const bytes = [0x02, secondByte, ...[24, 16, 8, 0].map((shift) => (address >>> shift) & 255)];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
