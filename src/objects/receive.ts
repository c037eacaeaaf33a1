/** A body on its way to a file, with its checksums; held to what its sender says of it. */
import type { Files } from './files.ts';
import { createDigester } from './checksums.ts';
import { s3Fault } from './faults.ts';
import type { ChecksumAlgorithm, Expected, Piece } from './types.ts';

export type Received = { piece: Piece; md5: string; checksum: string };

/** `keep`: the checksum that is kept. `verify`: what the sender tells one of. `expected` is asked once the body was read. Throws BadDigest and leaves nothing when it is another. */
export async function receive(
  files: Files,
  body: AsyncIterable<Uint8Array>,
  { keep, verify }: { keep: ChecksumAlgorithm; verify: ChecksumAlgorithm },
  expected: () => Expected,
): Promise<Received> {
  const md5 = createDigester('MD5');
  const checksum = createDigester(keep);
  const other = verify === keep ? undefined : createDigester(verify);
  const piece = await files.write(body, (bytes) => {
    md5.update(bytes);
    checksum.update(bytes);
    other?.update(bytes);
  });
  try {
    const found = { piece, md5: (await md5.digest()).toString('hex'), checksum: (await checksum.digest()).toString('base64') };
    const told = other === undefined ? found.checksum : (await other.digest()).toString('base64');
    assertExpected({ md5: found.md5, checksum: told }, verify, expected());
    return found;
  } catch (error) {
    await files.drop([piece[0]]);
    throw error;
  }
}

function assertExpected({ md5, checksum }: Omit<Received, 'piece'>, algorithm: ChecksumAlgorithm, expected: Expected): void {
  if (expected.md5 !== undefined && expected.md5 !== Buffer.from(md5, 'hex').toString('base64')) {
    throw s3Fault('BadDigest', 'The Content-MD5 you specified did not match what we received.', {
      ExpectedDigest: expected.md5,
      CalculatedDigest: Buffer.from(md5, 'hex').toString('base64'),
    });
  }
  if (expected.checksum !== undefined && expected.checksum !== checksum) {
    throw s3Fault('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`);
  }
}
