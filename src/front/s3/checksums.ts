/** Checksums as the API has them: a header or trailer each, of which a request brings one. Source: S3 user guide, "Checking object integrity". */
import type { StreamedBody } from '#gateway/types.ts';
import { checksumAlgorithms, isCrc, s3Fault, type Checksum, type ChecksumAlgorithm, type Expected } from '#objects/index.ts';
import { invalid, notHere } from './operation.ts';

type Given = { ChecksumAlgorithm?: string | undefined; ContentMD5?: string | undefined } & { [name: string]: unknown };

const others = ['SHA512', 'MD5', 'XXHASH64', 'XXHASH3', 'XXHASH128'];
const headerOf = (algorithm: string) => `x-amz-checksum-${algorithm.toLowerCase()}`;
const lengths: Record<ChecksumAlgorithm, number> = { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 };

/** The algorithm that a name stands for. */
export function algorithmOf(name: string | undefined): ChecksumAlgorithm | undefined {
  if (name === undefined) return undefined;
  if (others.includes(name.toUpperCase())) throw notHere(`checksum ${name.toUpperCase()}`);
  const known = checksumAlgorithms.find((algorithm) => algorithm === name.toUpperCase());
  if (known === undefined) throw invalid('Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]', 'x-amz-checksum-algorithm', name); // prettier-ignore
  return known;
}

/** The checksum among an input's members; undefined for none. Throws InvalidRequest for several, and for one that is no such value. */
export function givenChecksum(input: Given): { algorithm: ChecksumAlgorithm; value: string } | undefined {
  const other = others.find((name) => input[`Checksum${name}`] !== undefined);
  if (other !== undefined) throw notHere(`checksum ${other}`);
  const given = checksumAlgorithms.filter((algorithm) => input[`Checksum${algorithm}`] !== undefined);
  const [algorithm] = given;
  if (algorithm === undefined) return undefined;
  if (given.length > 1)
    throw s3Fault('InvalidRequest', 'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.');
  const value = String(input[`Checksum${algorithm}`]);
  assertValue(algorithm, value);
  return { algorithm, value };
}

function assertValue(algorithm: ChecksumAlgorithm, value: string): void {
  const bare = value.replace(/-\d+$/, '');
  const bytes = Buffer.from(bare, 'base64');
  if (bytes.length === lengths[algorithm] && bytes.toString('base64') === bare) return;
  throw s3Fault('InvalidRequest', `Value for ${headerOf(algorithm)} header is invalid.`);
}

/** What a body is held to: the algorithm, if the request has one, and what is known of its value once the body was read. */
export function promiseOf(input: Given, body: StreamedBody): { algorithm: ChecksumAlgorithm | null; expected: () => Expected } {
  const md5 = md5Of(input.ContentMD5);
  const given = givenChecksum(input);
  const trailing = body.announced.find((name) => name.startsWith('x-amz-checksum-'));
  const algorithm =
    given?.algorithm ?? algorithmOf(trailing?.slice('x-amz-checksum-'.length)) ?? algorithmOf(input.ChecksumAlgorithm) ?? null;
  return {
    algorithm,
    expected() {
      const value = trailing === undefined ? given?.value : body.trailers()[trailing];
      if (trailing !== undefined && value === undefined) {
        throw s3Fault('MalformedTrailerError', 'The request contained trailing data that was not well-formed or did not conform to our published schema.'); // prettier-ignore
      }
      if (trailing !== undefined && algorithm !== null) assertValue(algorithm, value ?? '');
      return { md5, checksum: value };
    },
  };
}

function md5Of(text: string | undefined): string | undefined {
  if (text === undefined || Buffer.from(text, 'base64').length === 16) return text;
  throw s3Fault('InvalidDigest', 'The Content-MD5 you specified was invalid.');
}

/** `{ChecksumCRC32: ..., ChecksumType}` */
export const checksumView = ({ algorithm, type, value }: Checksum) => ({ [`Checksum${algorithm}`]: value, ChecksumType: type });

/** The type of an upload's checksum: of those that can be had of the whole without reading it, and those that can't. */
export function checksumType(algorithm: ChecksumAlgorithm, wish: string | undefined): Checksum['type'] {
  const type = wish ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE');
  const fits = type === 'FULL_OBJECT' ? isCrc(algorithm) : type === 'COMPOSITE' && algorithm !== 'CRC64NVME';
  if (fits) return type as Checksum['type'];
  throw s3Fault(
    'InvalidRequest',
    `The ${type.slice(0, 50)} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
  );
}
