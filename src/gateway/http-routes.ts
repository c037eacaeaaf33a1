/** Requests outside of AWS's protocols, whose bodies stream both ways: the registry's `/v2/`, and whatever else is plain HTTP. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { SignedRequest } from './sigv4.ts';
import type { HttpAnswer, HttpCall, HttpRoute } from './types.ts';

export type HttpRouteCall = Omit<HttpCall, 'body' | 'signal' | 'length'>;

export function createHttpRoutes(routes: HttpRoute[], { clock, log }: { clock: Clock; log: Log }) {
  return {
    find: (request: SignedRequest): HttpRoute | undefined => routes.find((route) => route.matches(request)),

    /** Never throws: what the handler throws is answered in the route's own words, and after the first byte the connection is cut. */
    async run(route: HttpRoute, req: IncomingMessage, res: ServerResponse, call: HttpRouteCall): Promise<void> {
      const gone = new AbortController();
      res.once('close', () => gone.abort());
      const length = req.headers['content-length'] === undefined ? undefined : Number(req.headers['content-length']);
      let answer: HttpAnswer;
      try {
        answer = await route.handle({ ...call, length, body: bodyOf(req, res), signal: gone.signal });
      } catch (error) {
        const fault = asFault(error);
        const isOurs = fault.code === 'Internal' && !gone.signal.aborted;
        if (isOurs) log.error('call-failed', { requestId: call.requestId, path: call.request.path }, fault.cause ?? fault);
        answer = route.fail(fault, call);
      }
      try {
        await write(req, res, answer, call.requestId, clock);
      } catch (error) {
        // The client went away, or what was to be sent broke off: either way the answer can't be mended.
        if (!gone.signal.aborted) log.warn('answer-broke', { requestId: call.requestId, reason: asFault(error).message });
        res.destroy();
      }
    },
  };
}

/** Who stops reading wants to answer: that must not end the connection. */
async function* bodyOf(req: IncomingMessage, res: ServerResponse): AsyncGenerator<Buffer> {
  goOn(req, res);
  yield* req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

const waiting = new WeakSet<IncomingMessage>();

/** Requests that ask whether to send their body (RFC 9110, section 10.1.1: `Expect: 100-continue`) are told so once somebody wants it: who is refused sends none. */
export function expectContinue(handler: (req: IncomingMessage, res: ServerResponse) => void) {
  return (req: IncomingMessage, res: ServerResponse): void => {
    waiting.add(req);
    handler(req, res);
  };
}

export function goOn(req: IncomingMessage, res: ServerResponse): void {
  if (waiting.delete(req)) res.writeContinue();
}

async function write(req: IncomingMessage, res: ServerResponse, answer: HttpAnswer, requestId: string, clock: Clock): Promise<void> {
  const { status, headers, body } = answer;
  const whole = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  const rest = req.headers['transfer-encoding'] === undefined ? Number(req.headers['content-length'] ?? 0) : Infinity;
  // What is left of a large upload would be read to its end before the connection serves again.
  const isEarly = !req.complete && rest > limits.requestBodyBytes;
  if (isEarly) res.setHeader('Connection', 'close');
  if (whole && headers['Content-Length'] === undefined && status !== 204) res.setHeader('Content-Length', Buffer.byteLength(body ?? ''));
  res.writeHead(status, { 'x-amzn-RequestId': requestId, ...headers });
  if (isEarly && whole && !waiting.has(req)) {
    res.write(body ?? '');
    await thrownAway(req, clock);
    return void res.end();
  }
  if (whole || req.method === 'HEAD') return void res.end(req.method === 'HEAD' ? undefined : body);
  if (typeof body !== 'function') return await pipeline(Readable.from(body), res);
  await body((piece) => new Promise((resolve, reject) => void res.write(piece, (error) => (error ? reject(error) : resolve()))));
  res.end();
}

/**
 * What a client still sends, until it has read the answer and goes, or for a while. Closed at once, the connection would be reset under a client that writes, and Go's
 * (docker, crane) then says that its pipe is broken, not what it was answered.
 */
function thrownAway(req: IncomingMessage, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(limits.requestLingerMs, () => resolve());
    const done = (): void => {
      timer.cancel();
      resolve();
    };
    req.once('end', done).once('close', done).once('error', done).resume();
  });
}
