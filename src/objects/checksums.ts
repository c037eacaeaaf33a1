/** The checksums of S3. Source: S3 user guide, "Checking object integrity". */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { crc32 } from 'node:zlib';
import type { ChecksumAlgorithm } from './types.ts';

/** Loaded at the first use: it brings some MiB of the SDK along. */
const crcClasses = (): typeof import('@aws-sdk/checksums/crc') =>
  require('@aws-sdk/checksums/crc') as typeof import('@aws-sdk/checksums/crc');
const require = createRequire(import.meta.url);

export type Digester = { update(bytes: Uint8Array): void; digest(): Promise<Buffer> };

export const checksumAlgorithms: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'];

export function createDigester(algorithm: ChecksumAlgorithm | 'MD5'): Digester {
  if (algorithm === 'CRC32') return crc32Digester();
  if (algorithm === 'CRC32C' || algorithm === 'CRC64NVME') {
    const { Crc32cJs, Crc64NvmeJs } = crcClasses();
    const crc = algorithm === 'CRC32C' ? new Crc32cJs() : new Crc64NvmeJs();
    return { update: (bytes) => crc.update(bytes), digest: async () => Buffer.from(await crc.digest()) };
  }
  const hash = createHash(algorithm.toLowerCase());
  return { update: (bytes) => void hash.update(bytes), digest: async () => hash.digest() };
}

function crc32Digester(): Digester {
  let value = 0;
  return {
    update: (bytes) => void (value = crc32(bytes, value)),
    async digest() {
      const out = Buffer.alloc(4);
      out.writeUInt32BE(value);
      return out;
    },
  };
}

/** Polynomials in reversed notation, and their width. */
const crcs: Partial<Record<ChecksumAlgorithm, { polynomial: bigint; bits: number }>> = {
  CRC32: { polynomial: 0xedb88320n, bits: 32 },
  CRC32C: { polynomial: 0x82f63b78n, bits: 32 },
  CRC64NVME: { polynomial: 0x9a6c9329ac4bc9b5n, bits: 64 },
};

export const isCrc = (algorithm: ChecksumAlgorithm): boolean => crcs[algorithm] !== undefined;

/**
 * The CRC of parts one behind the other from the parts' own: each is moved on by as many zero bytes as follow it, which is a matrix over GF(2) to the power
 * of their number (zlib's crc32_combine). Only for CRCs.
 */
export function combineCrcs(algorithm: ChecksumAlgorithm, parts: { value: string; bytes: number }[]): string {
  const { polynomial, bits } = crcs[algorithm] ?? { polynomial: 0n, bits: 0 };
  const powers = zeroBytes(polynomial, bits);
  let total = 0n;
  for (const { value, bytes } of parts) {
    total = moved(total, bytes, powers) ^ BigInt(`0x${Buffer.from(value, 'base64').toString('hex')}`);
  }
  return Buffer.from(total.toString(16).padStart(bits / 4, '0'), 'hex').toString('base64');
}

type Matrix = bigint[];

/** The matrices that append 1, 2, 4, ... zero bytes, as far as they are asked for. */
function zeroBytes(polynomial: bigint, bits: number): (power: number) => Matrix {
  const oneBit: Matrix = Array.from({ length: bits }, (_, i) => (i === 0 ? polynomial : 1n << BigInt(i - 1)));
  const known: Matrix[] = [squared(squared(squared(oneBit)))];
  return (power) => {
    while (known.length <= power) known.push(squared(known[known.length - 1] as Matrix));
    return known[power] as Matrix;
  };
}

function moved(value: bigint, bytes: number, powers: (power: number) => Matrix): bigint {
  let out = value;
  for (let power = 0, rest = bytes; rest > 0 && out !== 0n; power++, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) out = times(powers(power), out);
  }
  return out;
}

function times(matrix: Matrix, vector: bigint): bigint {
  let sum = 0n;
  for (let i = 0, rest = vector; rest !== 0n; i++, rest >>= 1n) if ((rest & 1n) === 1n) sum ^= matrix[i] ?? 0n;
  return sum;
}

const squared = (matrix: Matrix): Matrix => matrix.map((column) => times(matrix, column));
