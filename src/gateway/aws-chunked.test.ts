import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { Fault } from '#base/fault.ts';
import { createChunkedDecoder, type ChunkSigning } from './aws-chunked.ts';
import { hmac, sha256Hex, signingKey } from './sigv4-canonical.ts';

/** The example of the S3 API reference, "Transferring Payload in Multiple Chunks". */
const example: ChunkSigning = {
  key: signingKey('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', '20130524', 'us-east-1', 's3'),
  amzDate: '20130524T000000Z',
  scope: '20130524/us-east-1/s3/aws4_request',
  seed: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
};
const exampleBody = Buffer.concat([
  Buffer.from('10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n'),
  Buffer.alloc(65536, 'a'),
  Buffer.from('\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n'),
  Buffer.alloc(1024, 'a'),
  Buffer.from('\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n'),
]);

type Options = Parameters<typeof createChunkedDecoder>[0];

function decode(body: Buffer, options: Options, cuts: number[] = []): { bytes: Buffer; trailers: Record<string, string> } {
  const decoder = createChunkedDecoder(options);
  const bounds = [0, ...cuts.map((cut) => cut % (body.length + 1)).sort((a, b) => a - b), body.length];
  const out = bounds.slice(1).flatMap((end, i) => decoder.push(body.subarray(bounds[i], end)));
  return { bytes: Buffer.concat(out), trailers: decoder.end() };
}

/** A body as a client signs it, with one trailer. */
function signedBody(chunks: Buffer[], trailer: string): Buffer {
  let previous = example.seed;
  const sign = (kind: string, parts: string[]) =>
    (previous = hmac(example.key, [`AWS4-HMAC-SHA256-${kind}`, example.amzDate, example.scope, previous, ...parts].join('\n')).toString(
      'hex',
    ));
  const parts = [...chunks.filter(({ length }) => length > 0), Buffer.alloc(0)].map((chunk) => {
    const signature = sign('PAYLOAD', [sha256Hex(''), sha256Hex(chunk)]);
    const end = chunk.length === 0 ? '' : '\r\n';
    return Buffer.concat([Buffer.from(`${chunk.length.toString(16)};chunk-signature=${signature}\r\n`), chunk, Buffer.from(end)]);
  });
  const end = sign('TRAILER', [sha256Hex(`x-amz-checksum-crc32:${trailer}\n`)]);
  return Buffer.concat([...parts, Buffer.from(`x-amz-checksum-crc32:${trailer}\r\nx-amz-trailer-signature:${end}\r\n\r\n`)]);
}

describe('an aws-chunked body', () => {
  it('is what the example of the reference is, however it is cut', () => {
    for (const cuts of [[], [1, 2, 3], [80, 86, 65620, 65700], [65624]]) {
      const { bytes } = decode(exampleBody, { signing: example, trailer: false }, cuts);
      assert.equal(bytes.length, 66560);
      assert.ok(bytes.equals(Buffer.alloc(66560, 'a')));
    }
  });

  it('has headers behind it where that was said, signed or not', () => {
    const plain = Buffer.from('3\r\nabc\r\n2\r\nde\r\n0\r\nX-Amz-Checksum-CRC32: AAAAAA==\r\n\r\n');
    const read = decode(plain, { signing: undefined, trailer: true });
    assert.deepEqual([read.bytes.toString(), read.trailers], ['abcde', { 'x-amz-checksum-crc32': 'AAAAAA==' }]);
    const signed = decode(signedBody([Buffer.from('abc')], 'xyz='), { signing: example, trailer: true });
    assert.equal(signed.trailers['x-amz-checksum-crc32'], 'xyz=');
    assert.throws(() => decode(plain, { signing: undefined, trailer: false }), /malformed: something follows the last chunk/);
  });

  it('is any chunks, cut anywhere', () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 });
    fc.assert(
      fc.property(chunks, fc.array(fc.nat(4000), { maxLength: 8 }), (parts, cuts) => {
        const whole = parts.map((part) => Buffer.from(part));
        const { bytes } = decode(signedBody(whole, 'AAAA'), { signing: example, trailer: true }, cuts);
        assert.ok(bytes.equals(Buffer.concat(whole)));
      }),
      { numRuns: 200 },
    );
  });

  it('that was changed in any byte is refused, and never gives what was not sent', () => {
    const sent = [Buffer.from('first chunk'), Buffer.from('second')];
    const body = signedBody(sent, 'AAAA');
    fc.assert(
      fc.property(
        fc.nat(body.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.array(fc.nat(body.length), { maxLength: 3 }),
        (at, by, cuts) => {
          const changed = Buffer.from(body);
          changed[at] = ((changed[at] ?? 0) + by) % 256;
          try {
            const { bytes, trailers } = decode(changed, { signing: example, trailer: true }, cuts);
            // Letters' case in a hash or a header's name, and white space, mean the same.
            assert.ok(bytes.equals(Buffer.concat(sent)));
            assert.equal(trailers['x-amz-checksum-crc32'], 'AAAA');
          } catch (error) {
            assert.ok(error instanceof Fault && error.code !== 'Internal', String(error));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('that breaks off, or is no such thing at all, is refused', () => {
    for (let end = 0; end < exampleBody.length - 2; end += 997) {
      assert.throws(() => decode(exampleBody.subarray(0, end), { signing: example, trailer: false }), /ended too early/);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, trailer) => {
        try {
          decode(Buffer.from(bytes), { signing: undefined, trailer });
        } catch (error) {
          assert.ok(error instanceof Fault && error.code === 'InvalidParameter', String(error));
        }
      }),
      { numRuns: 300 },
    );
    const long = Buffer.from(`1;${'x'.repeat(10_000)}`);
    assert.throws(() => decode(long, { signing: undefined, trailer: false }), /a line of it is too long/);
  });
});
