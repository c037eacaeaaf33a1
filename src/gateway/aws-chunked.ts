/**
 * The content encoding `aws-chunked`: a body in chunks, each of which may be signed, with headers behind it. Sources: S3 API reference, "Signature
 * Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and "Trailing checksums".
 */
import { createHash, type Hash } from 'node:crypto';
import { limits } from '#base/limits.ts';
import { refuse } from './refusals.ts';
import { hmac, sha256Hex } from './sigv4-canonical.ts';

const EMPTY_HASH = sha256Hex('');

/** What the first chunk's signature is made from: the request's own is the `seed`. */
export type ChunkSigning = { key: Buffer; amzDate: string; scope: string; seed: string };

export type ChunkedOptions = {
  /** Undefined where chunks aren't signed. */
  signing: ChunkSigning | undefined;
  /** Whether headers follow the last chunk. */
  trailer: boolean;
};

export type ChunkedDecoder = {
  /** The bytes of the object in this piece of the body. Throws the refusals `incompleteBody` and `badSignature`. */
  push(piece: Buffer): Buffer[];
  /** What came behind the last chunk, by lower-case name; throws when the body broke off. */
  end(): Record<string, string>;
};

type State = 'head' | 'data' | 'after-data' | 'trailer' | 'done';

export function createChunkedDecoder({ signing, trailer }: ChunkedOptions): ChunkedDecoder {
  let state: State = 'head';
  let line = '';
  let left = 0;
  let previous = signing?.seed ?? '';
  let claimed = '';
  let hash: Hash | undefined;
  let trailerBytes = 0;
  const trailers: Record<string, string> = {};

  const assertSigned = (algorithm: string, parts: string[], signature: string) => {
    if (signing === undefined) return;
    const text = [`AWS4-HMAC-SHA256-${algorithm}`, signing.amzDate, signing.scope, previous, ...parts].join('\n');
    const expected = hmac(signing.key, text).toString('hex');
    if (expected !== signature) {
      throw refuse('badSignature', 'The request signature we calculated does not match the signature you provided. Check your key and signing method.'); // prettier-ignore
    }
    previous = expected;
  };

  const readHead = (text: string) => {
    const found = /^([0-9a-f]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(text);
    if (found === null || (signing !== undefined && found[2] === undefined)) throw broken(`a chunk begins with '${text.slice(0, 100)}'`);
    left = Number.parseInt(found[1] ?? '', 16);
    claimed = (found[2] ?? '').toLowerCase();
    hash = signing === undefined ? undefined : createHash('sha256');
    if (left > 0) return void (state = 'data');
    assertSigned('PAYLOAD', [EMPTY_HASH, EMPTY_HASH], claimed);
    state = 'trailer';
  };

  const endChunk = () => {
    if (hash !== undefined) assertSigned('PAYLOAD', [EMPTY_HASH, hash.digest('hex')], claimed);
    state = 'after-data';
  };

  const readTrailer = (text: string) => {
    if (text === '') return void finish();
    if (!trailer) throw broken('something follows the last chunk');
    const cut = text.indexOf(':');
    if (cut <= 0) throw broken(`'${text.slice(0, 100)}' is no header`);
    trailers[text.slice(0, cut).toLowerCase().trim()] = text.slice(cut + 1).trim();
  };

  const finish = () => {
    state = 'done';
    if (!trailer || signing === undefined) return;
    const { 'x-amz-trailer-signature': signature = '', ...signed } = trailers;
    const canonical = Object.entries(signed).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}:${value}\n`).join(''); // prettier-ignore
    assertSigned('TRAILER', [sha256Hex(canonical)], signature.toLowerCase());
  };

  const readLine = (text: string) => {
    if (state === 'head') readHead(text);
    else if (state === 'trailer') readTrailer(text);
    else if (text === '') state = 'head';
    else throw broken('a chunk is longer than it says');
  };

  return {
    push(piece) {
      const out: Buffer[] = [];
      let at = 0;
      while (at < piece.length) {
        if (state === 'done') throw broken('something follows its end');
        if (state === 'data') {
          const part = piece.subarray(at, at + left);
          hash?.update(part);
          out.push(part);
          at += part.length;
          left -= part.length;
          if (left === 0) endChunk();
          continue;
        }
        const end = piece.indexOf(0x0a, at);
        line += piece.toString('latin1', at, end < 0 ? piece.length : end);
        if (state === 'trailer') trailerBytes += (end < 0 ? piece.length : end + 1) - at;
        if (line.length > limits.chunkLineBytes || trailerBytes > limits.chunkTrailerBytes) throw broken('a line of it is too long');
        if (end < 0) break;
        const whole = line.endsWith('\r') ? line.slice(0, -1) : line;
        line = '';
        at = end + 1;
        readLine(whole);
      }
      return out;
    },
    end() {
      // Some clients leave out the empty line at the very end.
      if (state === 'trailer' && line.trim() === '') finish();
      if (state !== 'done') throw broken('it ended too early');
      return trailers;
    },
  };
}

function broken(why: string) {
  return refuse('incompleteBody', `The request's aws-chunked body is malformed: ${why}.`);
}
