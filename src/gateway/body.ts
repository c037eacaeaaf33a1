/** Reads a request's body whole, within limits of size and time. */
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Clock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import { refuse } from './refusals.ts';

/** Throws the refusals `tooLarge` and `timedOut`; an aborted request throws what node says. */
export function readBody(req: IncomingMessage, clock: Clock): Promise<Buffer> {
  const tooLarge = () => refuse('tooLarge', `The request's body is over the limit of ${limits.requestBodyBytes} bytes.`);
  if (Number(req.headers['content-length'] ?? 0) > limits.requestBodyBytes) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (end: () => void) => {
      timer.cancel();
      req.off('data', take).off('end', complete).off('close', gone);
      req.resume();
      end();
    };
    const take = (chunk: Buffer) => {
      size += chunk.length;
      if (size > limits.requestBodyBytes) finish(() => reject(tooLarge()));
      else chunks.push(chunk);
    };
    const complete = () => finish(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size)));
    const gone = () => finish(() => reject(new Error('the client went away before its request was complete')));
    const late = () => reject(refuse('timedOut', `The request's body did not arrive within ${limits.requestBodyMs / 1000} seconds.`));
    const timer = clock.after(limits.requestBodyMs, () => finish(late));
    req.on('data', take).once('end', complete).once('close', gone);
  });
}

const unzip = promisify(gunzip);

/** SDKs compress long bodies of some operations, as PutMetricData's (Smithy 2.0, "requestCompression": gzip alone). What is signed is the compressed body. */
export async function decompressed(body: Buffer, encoding: string | undefined): Promise<Buffer> {
  if (encoding === undefined || encoding === 'identity') return body;
  if (encoding !== 'gzip')
    throw refuse('serialization', `A body with Content-Encoding '${encoding.slice(0, 50)}' can't be read; gzip can.`);
  try {
    return await unzip(body, { maxOutputLength: limits.requestBodyBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw refuse('tooLarge', `The request's body is over the limit of ${limits.requestBodyBytes} bytes once it is decompressed.`);
    }
    throw refuse('serialization', `The request's body is not what its Content-Encoding says: ${(error as Error).message}`);
  }
}
