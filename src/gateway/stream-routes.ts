/** Serves the signed paths under `/_berth/`, whose bodies are never gathered in memory. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Fault } from '#base/fault.ts';
import { refuse } from './refusals.ts';
import type { SignedRequest } from './sigv4.ts';
import type { CallContext, StreamRoute } from './types.ts';

/** The signing name of berth's own API. */
export const STREAM_SERVICE = 'berth';

export type StreamCall = {
  query: URLSearchParams;
  /** The verified body; undefined when the payload is unsigned and still to be read. */
  body: Buffer | undefined;
  context: CallContext;
};

/** Whoever went away while it was answered made no mistake of ours. */
export async function untilGone(sending: Promise<void>): Promise<void> {
  await sending.catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE')) throw error;
  });
}

export function createStreamRoutes(routes: StreamRoute[]) {
  return {
    /** Throws Fault('ResourceNotFound') for a path that nobody serves. */
    find(signed: SignedRequest, service: string): StreamRoute {
      if (service !== STREAM_SERVICE) throw refuse('badSignature', `Credential should be scoped to correct service: '${STREAM_SERVICE}'.`);
      const route = routes.find(({ method, path }) => method === signed.method && path === signed.path);
      if (route === undefined) throw new Fault('ResourceNotFound', `berth serves no ${signed.method} ${signed.path.slice(0, 200)}`);
      return route;
    },

    /** Throws what the handler throws before the first byte; after it, the connection is cut. Ends too when the caller goes away. */
    async run(route: StreamRoute, req: IncomingMessage, res: ServerResponse, call: StreamCall): Promise<void> {
      const gone = new AbortController();
      res.once('close', () => gone.abort());
      const answer = await route.handle(
        {
          query: call.query,
          headers: Object.fromEntries(Object.entries(req.headers).map(([name, value]) => [name, String(value)])),
          body: call.body === undefined ? req : Readable.from(call.body.length === 0 ? [] : [call.body]),
          signal: gone.signal,
        },
        call.context,
      );
      if (!req.complete) res.setHeader('connection', 'close');
      res.writeHead(answer.status, { 'Content-Type': answer.contentType, 'x-amzn-RequestId': call.context.requestId });
      res.flushHeaders();
      await untilGone(pipeline(answer.body, res));
    },
  };
}
