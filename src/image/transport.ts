/** One HTTP exchange with a registry: bounded waits, no redirects followed, failures told apart by `details.kind`. */
import type { Agent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { http, https, tls } from '#base/http.ts';
import { limits } from '#base/limits.ts';

export type HttpRequest = {
  method: 'GET' | 'HEAD' | 'POST';
  url: URL;
  headers: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
};

/** `body` must be read to its end or destroyed. */
export type HttpResponse = { status: number; headers: IncomingHttpHeaders; body: IncomingMessage };
export type Transport = { request(request: HttpRequest): Promise<HttpResponse>; close(): void };

/** Why a registry could not be spoken to; `details.kind` of the Fault. */
export type FailureKind = 'refused' | 'unknown-host' | 'unreachable' | 'timeout' | 'tls' | 'cut';

const kinds: Record<string, FailureKind> = {
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'unknown-host',
  EAI_AGAIN: 'unknown-host',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EACCES: 'unreachable',
  EPERM: 'unreachable',
  ETIMEDOUT: 'timeout',
};

/**
 * `proxyEnv`: HTTP_PROXY, HTTPS_PROXY, NO_PROXY as in the environment. Certificates: Mozilla's and those of the machine, so that a
 * company's own authority works.
 */
export function createTransport(clock: Clock, options: { proxyEnv?: Record<string, string | undefined> } = {}): Transport {
  const agentOptions = { keepAlive: true, maxSockets: 16, ...(options.proxyEnv === undefined ? {} : { proxyEnv: options.proxyEnv }) };
  let plain: Agent | null = null;
  let secure: Agent | null = null;
  const agentFor = (url: URL): Agent => {
    if (url.protocol === 'http:') return (plain ??= new http.Agent(agentOptions));
    const ca = () => [...tls().getCACertificates('bundled'), ...tls().getCACertificates('system')];
    return (secure ??= new (https().Agent)({ ...agentOptions, ca: ca() }));
  };
  return {
    request: (request) => exchange(clock, agentFor(request.url), request),
    close() {
      plain?.destroy();
      secure?.destroy();
    },
  };
}

function exchange(clock: Clock, agent: Agent, request: HttpRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const { url, method } = request;
    const prefix = `failed to do request: ${method === 'HEAD' ? 'Head' : method === 'GET' ? 'Get' : 'Post'} "${url.origin}${url.pathname}"`;
    const make = url.protocol === 'http:' ? http.request : https().request;
    const headers = { 'user-agent': 'berth', ...request.headers };
    const req = make(url, { method, headers, agent, signal: request.signal });
    const giveUp = (kind: FailureKind, text: string) => () =>
      req.destroy(new Fault('Unavailable', `${prefix}: ${text}`, { details: { kind } }));
    const address = isIP(url.hostname) === 0 ? 'tcp' : `tcp ${url.host}`;
    const answer = clock.after(limits.registryAnswerMs, giveUp('timeout', 'net/http: timeout awaiting response headers'));
    const connect = clock.after(limits.registryConnectMs, giveUp('timeout', `dial ${address}: i/o timeout`));
    req.on('socket', (socket) => {
      if (!socket.connecting) return connect.cancel();
      socket.once(url.protocol === 'http:' ? 'connect' : 'secureConnect', () => connect.cancel());
    });
    req.setTimeout(limits.registryIdleMs, giveUp('timeout', `nothing came for ${limits.registryIdleMs / 1000} s`));
    req.on('response', (body) => {
      answer.cancel();
      connect.cancel();
      resolve({ status: body.statusCode ?? 0, headers: body.headers, body });
    });
    req.on('error', (error: NodeJS.ErrnoException) => {
      answer.cancel();
      connect.cancel();
      reject(requestFault(error, prefix, url, request.signal));
    });
    req.end(request.body);
  });
}

type SystemError = NodeJS.ErrnoException & { address?: string; port?: number };

/** Says a broken exchange in the words that Go's HTTP client has for it, which are what AWS shows. */
function requestFault(error: SystemError, prefix: string, url: URL, signal?: AbortSignal): Fault {
  if (error instanceof Fault) return error;
  if (signal?.aborted === true) return cancelled(signal);
  // Node tries all addresses of a name and gathers the failures.
  const gathered: unknown[] = error instanceof AggregateError ? error.errors : [];
  const first = (gathered[0] as SystemError | undefined) ?? error;
  const code = first.code ?? '';
  const at = first.address === undefined ? url.host : `${isIP(first.address) === 6 ? `[${first.address}]` : first.address}:${first.port}`;
  const isTls = /^(?:CERT_|ERR_TLS|ERR_SSL|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|EPROTO$)/.test(code);
  const kind = isTls ? 'tls' : (kinds[code] ?? 'cut');
  const text: Record<FailureKind, string> = {
    refused: `dial tcp ${at}: connect: connection refused`,
    'unknown-host': `dial tcp: lookup ${url.hostname}: ${code === 'EAI_AGAIN' ? 'Temporary failure in name resolution' : 'no such host'}`,
    unreachable: `dial tcp ${at}: connect: ${code === 'ENETUNREACH' || code === 'ENETDOWN' ? 'network is unreachable' : 'no route to host'}`,
    timeout: `dial tcp ${at}: i/o timeout`,
    tls: `tls: failed to verify certificate: ${first.message}`,
    cut: code === 'ECONNRESET' ? 'connection reset by peer' : code.startsWith('HPE_') ? `malformed HTTP response (${code})` : first.message,
  };
  return new Fault('Unavailable', `${prefix}: ${text[kind]}`, { details: { kind }, cause: error });
}

export function cancelled(signal: AbortSignal): Fault {
  return signal.reason instanceof Fault ? signal.reason : new Fault('Cancelled', 'the pull was cancelled');
}

/** Reads a body of at most `maxBytes` whole. */
export async function readBody(response: HttpResponse, maxBytes: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      total += chunk.length;
      if (total > maxBytes)
        throw new Fault('InvalidParameter', `${what} is larger than ${maxBytes} bytes`, { details: { kind: 'manifest' } });
      chunks.push(chunk);
    }
  } catch (error) {
    throw bodyFault(error, what);
  }
  return Buffer.concat(chunks);
}

/** A body that ended early. */
export function bodyFault(error: unknown, what: string): Fault {
  if (error instanceof Fault) return error;
  return new Fault('Unavailable', `${what}: unexpected EOF`, { details: { kind: 'cut' }, cause: error });
}
