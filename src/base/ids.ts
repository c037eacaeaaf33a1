/** Ids in AWS's shapes, made from a given source of randomness. */
import type { Random } from './random.ts';

/** `chars` lower-case hex digits; AWS uses 32 for tasks, 17 behind a prefix (`eni-`, `subnet-`, ...) in EC2. */
export function hexId(random: Random, chars = 32): string {
  return Buffer.from(random.bytes(Math.ceil(chars / 2)))
    .toString('hex')
    .slice(0, chars);
}

/** A version 4 UUID (RFC 9562, section 5.4). */
export function uuid(random: Random): string {
  const b = Buffer.from(random.bytes(16));
  b[6] = ((b[6] ?? 0) & 0x0f) | 0x40;
  b[8] = ((b[8] ?? 0) & 0x3f) | 0x80;
  const h = b.toString('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

/** `count` decimal digits, the first of them not 0: ECS's ids of service revisions have 19. */
export function digitsId(random: Random, count = 19): string {
  const digits = Array.from(random.bytes(count), (byte) => byte % 10);
  return `${((digits[0] ?? 0) % 9) + 1}${digits.slice(1).join('')}`;
}

/** `chars` characters of base64's URL-safe alphabet: ECS's ids of service deployments have 21. */
export function urlSafeId(random: Random, chars = 21): string {
  return Buffer.from(random.bytes(chars)).toString('base64url').slice(0, chars);
}
