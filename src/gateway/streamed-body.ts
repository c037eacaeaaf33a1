/** Bodies that are handed on as they come, held to what their request says of them. */
import { createHash } from 'node:crypto';
import { Fault } from '#base/fault.ts';
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { createChunkedDecoder, type ChunkSigning } from './aws-chunked.ts';
import { refuse } from './refusals.ts';
import { UNSIGNED_PAYLOAD, type SignedRequest } from './sigv4.ts';
import type { HttpCall, StreamedBody } from './types.ts';

type Source = Pick<HttpCall, 'body' | 'length' | 'signal'>;
/** `hash`: of a body that came whole, where it was signed. */
type Payload = { chunked: boolean; signed: boolean; trailer: boolean; hash: string | undefined };

const streams: Record<string, Payload> = {
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { chunked: true, signed: true, trailer: false, hash: undefined },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { chunked: true, signed: true, trailer: true, hash: undefined },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { chunked: true, signed: false, trailer: true, hash: undefined },
  [UNSIGNED_PAYLOAD]: { chunked: false, signed: false, trailer: false, hash: undefined },
};

/**
 * What a request says of its payload, which is part of what is signed: in a header, or in the query of a presigned URL. Throws a Fault where it is
 * missing or of a kind that isn't served.
 */
export function payloadClaim(request: SignedRequest, isPresigned: boolean): string {
  const told = request.headers['x-amz-content-sha256']?.[0] ?? new URLSearchParams(request.query).get('X-Amz-Content-Sha256');
  if (told === null || told === undefined) {
    if (isPresigned) return UNSIGNED_PAYLOAD;
    throw new Fault('InvalidParameter', 'Missing required header for this request: x-amz-content-sha256', {
      details: { errorName: 'InvalidRequest' },
    });
  }
  if (streams[told] !== undefined || /^[0-9a-f]{64}$/.test(told)) return told;
  const ours = [...Object.keys(streams), 'a valid sha256 value'].join(', ');
  throw new Fault('InvalidParameter', `x-amz-content-sha256 must be one of ${ours}; '${told.slice(0, 100)}' is not served.`, {
    details: { errorName: 'InvalidArgument' },
  });
}

/** `signing`: key and seed of a signed stream's chunks. */
export function streamedBody(
  source: Source,
  request: SignedRequest,
  claim: string,
  signing: ChunkSigning | undefined,
  clock: Clock,
): StreamedBody {
  const payload = streams[claim] ?? { chunked: false, signed: false, trailer: false, hash: claim };
  const decoded = request.headers['x-amz-decoded-content-length']?.[0];
  const length = payload.chunked ? (decoded === undefined ? undefined : Number(decoded)) : source.length;
  if (length !== undefined && !Number.isSafeInteger(length)) throw refuse('invalidValue', 'x-amz-decoded-content-length is no number.');
  const trailers: Record<string, string> = {};
  const pieces = payload.chunked ? unchunked(source, payload, signing, trailers, clock) : inTime(source, clock);
  return {
    length,
    announced: (request.headers['x-amz-trailer'] ?? []).flatMap((line) => line.split(',')).map((name) => name.trim().toLowerCase()),
    trailers: () => trailers,
    [Symbol.asyncIterator]: () => counted(pieces, length, payload.hash),
  };
}

async function* unchunked(
  source: Source,
  payload: Payload,
  signing: ChunkSigning | undefined,
  trailers: Record<string, string>,
  clock: Clock,
) {
  const decoder = createChunkedDecoder({ signing: payload.signed ? signing : undefined, trailer: payload.trailer });
  for await (const piece of inTime(source, clock)) yield* decoder.push(piece);
  Object.assign(trailers, decoder.end());
}

async function* counted(pieces: AsyncIterable<Buffer>, length: number | undefined, hash: string | undefined): AsyncGenerator<Buffer> {
  const actual = hash === undefined ? undefined : createHash('sha256');
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (length !== undefined && bytes > length) throw incomplete();
    actual?.update(piece);
    yield piece;
  }
  if (length !== undefined && bytes !== length) throw incomplete();
  if (actual !== undefined && actual.digest('hex') !== hash) {
    throw refuse('wrongHash', "The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
}

const incomplete = () => refuse('incompleteBody', 'You did not provide the number of bytes specified by the Content-Length HTTP header');

/** Throws the refusal `timedOut` when nothing came for too long; a client that went away is `incompleteBody`. */
async function* inTime({ body, signal }: Source, clock: Clock): AsyncGenerator<Buffer> {
  let isLate: (fault: Fault) => void = () => {};
  const late = new Promise<never>((_, reject) => (isLate = reject));
  late.catch(() => {});
  let moved = true;
  const look = () => {
    if (!moved) {
      isLate(refuse('timedOut', 'Your socket connection to the server was not read from or written to within the timeout period.'));
      return;
    }
    moved = false;
    timer = clock.after(limits.bodyIdleMs, look);
  };
  let timer = clock.after(limits.bodyIdleMs, look);
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), late]);
      if (next.done === true) return;
      moved = true;
      yield next.value;
      // What the reader took its time for is not the client's fault.
      moved = true;
    }
  } catch (error) {
    throw signal.aborted ? incomplete() : error;
  } finally {
    timer.cancel();
    void iterator.return?.().catch(() => {});
  }
}
