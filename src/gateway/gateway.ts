/**
 * The one endpoint: bytes in, bytes out. A request goes request id -> who signs -> body -> signature -> which operation -> decode ->
 * authorize -> handle -> encode; whatever is thrown on the way is written as the API's own error.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '#base/clock.ts';
import { asFault, type Fault, type Json } from '#base/fault.ts';
import { http } from '#base/http.ts';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { mayDoAll } from '#domain/records.ts';
import { decompressed, readBody } from './body.ts';
import type { Principal } from '#domain/records.ts';
import type { AccessKey, KeyLookup } from './keys.ts';
import { operationShapes, protocolOf, type Encoded, type Payload, type WireError } from './protocols.ts';
import { refusalAnswer } from './refusals.ts';
import { createRestXmlRoute } from './rest-xml.ts';
import { createRouter, restOperation, targetOf, type Route } from './route.ts';
import { createShapeLoader } from './shape-loader.ts';
import type { ServiceShapes } from './shapes.ts';
import {
  assertKey,
  createSignatureVerifier,
  payloadHashOf,
  readCredential,
  signingServiceHint,
  type Credential,
  type SignedRequest,
} from './sigv4.ts';
import { createStreamRoutes, untilGone } from './stream-routes.ts';
import { takeUpgrades, type Upgrades } from './upgrades.ts';
import { createHttpRoutes, expectContinue, goOn } from './http-routes.ts';
import type { ApiSpec, Authorize, CallContext, HttpRoute, Operation, StreamRoute, UpgradeRoute } from './types.ts';

export type GatewayDeps = {
  apis: ApiSpec[];
  keys: KeyLookup;
  authorize: Authorize;
  clock: Clock;
  random: Random;
  log: Log;
  /** Signed paths under `/_berth/` that stream. */
  streamRoutes?: StreamRoute[];
  /** Plain HTTP beside AWS's protocols. */
  httpRoutes?: HttpRoute[];
  /** Where connections become another protocol. */
  upgrades?: UpgradeRoute[];
  /** Runs after authorization and before every handler, once a call: the place to make what a (account, region) needs at its first use. */
  beforeCall?: (context: CallContext) => Promise<void>;
  /** Is told that a call of AWS's protocols begins; what it gives, how it ended: `code` is the error's name, or `ok`. Names that nobody has are ''. */
  watch?: () => (service: string, operation: string, code: string) => void;
  /** Shown by `/_berth/health`. */
  version: string;
};

export type Listener = { host: string; port: number } | { path: string };

export type Gateway = {
  /** For a server of somebody else's. */
  handler(req: IncomingMessage, res: ServerResponse): void;
  /** May be called for several addresses; resolves with the port, 0 for a Unix socket. Rejects with node's own error (EADDRINUSE, ...). */
  listen(where: Listener): Promise<number>;
  /** Loads the shapes of a service ahead of its first call. */
  warm(service: string): Promise<void>;
  /** Stops listening, lets open calls end for a while, then cuts them. */
  close(): Promise<void>;
};

/** What is known of a call so far; enough to write an error at any point. */
type Call = {
  requestId: string;
  signed: SignedRequest;
  protocol: ApiSpec['protocol'];
  api: ApiSpec | undefined;
  operation: string | undefined;
  /** Says to `watch` how it ended. */
  ended(code: string): void;
};

export function createGateway(deps: GatewayDeps): Gateway {
  const router = createRouter(deps.apis.filter(({ protocol }) => protocol !== 'rest-xml'));
  const loadShapes = createShapeLoader(deps.clock);
  const verify = createSignatureVerifier();
  const streams = createStreamRoutes(deps.streamRoutes ?? []);
  const rest = deps.apis
    .filter(({ protocol }) => protocol === 'rest-xml')
    .map((api) => createRestXmlRoute(api, { verify, loadShapes, clock: deps.clock }));
  const plain = createHttpRoutes([...(deps.httpRoutes ?? []), ...rest], deps);
  const operations = new Map(
    deps.apis.map((api) => [api.service, new Map(api.operations.map((operation) => [operation.name, operation]))]),
  );
  const servers: Server[] = [];
  const upgrades = takeUpgrades(deps.upgrades ?? [], deps.log);

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const call = openCall(req);
    const target = targetOf(req, call.signed.path);
    const isStream = call.signed.path.startsWith('/_berth/');
    const isForm = target === undefined && !isStream && !/json/.test(req.headers['content-type'] ?? '');
    call.protocol = target?.isCbor === true ? 'rpc-v2-cbor' : isForm ? 'query' : 'json-1.1';
    const name = (api: ApiSpec | undefined) => {
      if (api === undefined) return;
      call.api = api;
      call.protocol = api.protocol;
    };
    try {
      name(router.guess(target, isForm, signingServiceHint(call.signed)));
      const credential = readCredential(call.signed);
      const known = await deps.keys.lookup(credential.accessKeyId, credential.token);
      const key = assertKey(credential, known, deps.clock.now());
      if (isStream) return await serveStream(req, res, call, credential, key);
      const body = await readBody(req, deps.clock);
      verify(call.signed, credential, key, payloadHashOf(call.signed, body));
      const plain = await decompressed(body, call.signed.headers['content-encoding']?.[0]);
      const parameters = parametersOf(call, isForm, plain);
      const route = router.resolve(target, parameters, credential.service);
      name(route.api);
      const service = await loadShapes(route.api);
      call.operation = operationOf(route, service, call.signed);
      const context = contextOf(req, call.requestId, credential.region, key.principal);
      const payload = { body: plain, parameters, path: call.signed.path, headers: call.signed.headers };
      const encoded = await perform(route.api, service, call.operation, payload, context);
      call.ended('ok');
      if (encoded.events === undefined) send(res, encoded.status ?? 200, call, encoded);
      else await sendEvents(res, call, encoded.contentType, encoded.events);
    } catch (error) {
      fail(req, res, call, error);
    }
  }

  async function perform(api: ApiSpec, service: ServiceShapes, name: string, payload: Payload, context: CallContext): Promise<Encoded> {
    const shapes = operationShapes(api, service, name);
    const operation = operations.get(api.service)?.get(name);
    const input = protocolOf(api.protocol).decode(payload, shapes);
    if (operation!.open !== true) await assertMay(operation!, input, context);
    await deps.beforeCall?.(context);
    const output = await operation!.handle(input, context);
    return protocolOf(api.protocol).encode(name, shapes, service, output, { requestId: context.requestId, api });
  }

  async function assertMay(operation: Operation, input: unknown, context: CallContext): Promise<void> {
    if (mayDoAll(context.principal)) return;
    const { action, facts, also } = operation;
    const told = facts === undefined ? {} : await facts(input, context);
    await context.assertAllowed(action, await operation.resources(input, context), told);
    if (also === undefined) return;
    for (const ask of await also(input, context)) await context.assertAllowed(ask.action, ask.resources, ask.facts);
  }

  function contextOf(req: IncomingMessage, requestId: string, region: string, principal: Principal): CallContext {
    const context = {
      account: principal.account,
      region,
      requestId,
      principal,
      sourceIp: (req.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
      userAgent: req.headers['user-agent'] ?? '',
      host: req.headers.host ?? '',
      isTls: req.headers['x-forwarded-proto'] === 'https',
    };
    return {
      ...context,
      assertAllowed: (action, resources, facts = {}) => deps.authorize(principal, action, resources, context, facts),
    };
  }

  async function serveStream(req: IncomingMessage, res: ServerResponse, call: Call, credential: Credential, key: AccessKey) {
    const unsigned = call.signed.headers['x-amz-content-sha256']?.[0] === 'UNSIGNED-PAYLOAD';
    const body = unsigned ? undefined : await readBody(req, deps.clock);
    verify(call.signed, credential, key, payloadHashOf(call.signed, body));
    const route = streams.find(call.signed, credential.service);
    const context = contextOf(req, call.requestId, credential.region, key.principal);
    const query = new URLSearchParams(call.signed.query);
    await context.assertAllowed(route.action, route.resources(query, context));
    await deps.beforeCall?.(context);
    await streams.run(route, req, res, { query, body, context });
    call.ended('ok');
  }

  async function servePlain(route: HttpRoute, request: SignedRequest, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const requestId = uuid(deps.random);
    await plain.run(route, req, res, {
      requestId,
      request,
      lookup: (accessKeyId, token) => deps.keys.lookup(accessKeyId, token),
      async context(principal, region) {
        const context = contextOf(req, requestId, region, principal);
        await deps.beforeCall?.(context);
        return context;
      },
    });
  }

  function openCall(req: IncomingMessage): Call {
    const done = deps.watch?.();
    const call: Call = {
      requestId: uuid(deps.random),
      signed: requestOf(req),
      protocol: 'query',
      api: undefined,
      operation: undefined,
      ended(code) {
        const { api, operation = '' } = call;
        const known = api !== undefined && operations.get(api.service)?.has(operation) === true;
        done?.(api?.service ?? '', known ? operation : '', code);
      },
    };
    return call;
  }

  function requestOf(req: IncomingMessage): SignedRequest {
    const url = req.url ?? '/';
    const cut = url.indexOf('?');
    return {
      method: req.method ?? 'GET',
      path: cut < 0 ? url : url.slice(0, cut),
      query: cut < 0 ? '' : url.slice(cut + 1),
      headers: req.headersDistinct,
    };
  }

  function fail(req: IncomingMessage, res: ServerResponse, call: Call, thrown: unknown): void {
    const fault = asFault(thrown);
    const error = wireError(fault, call);
    call.ended(error.name);
    const fields = { requestId: call.requestId, service: call.api?.service, operation: call.operation, name: error.name };
    if (error.status >= 500) deps.log.error('call-failed', fields, fault.cause ?? fault);
    else deps.log.debug('call-refused', { ...fields, message: error.message });
    if (res.headersSent || res.destroyed) {
      res.destroy();
      return;
    }
    // The rest of a body is read to its end before the connection serves again: of a large one, rather have a new connection.
    const rest = req.headers['transfer-encoding'] === undefined ? Number(req.headers['content-length'] ?? 0) : Infinity;
    if (!req.complete && rest > limits.requestBodyBytes) res.setHeader('connection', 'close');
    send(res, error.status, call, protocolOf(call.protocol).error(error, call.requestId));
  }

  function handler(req: IncomingMessage, res: ServerResponse): void {
    req.on('error', () => {});
    res.on('error', () => {});
    const path = req.url ?? '';
    if (path === '/_berth/health' && (req.method === 'GET' || req.method === 'HEAD')) {
      const body = JSON.stringify({ status: 'ok', version: deps.version });
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
      res.end(req.method === 'HEAD' ? undefined : body);
      return;
    }
    const request = requestOf(req);
    const route = plain.find(request);
    if (route === undefined) goOn(req, res);
    const served = route === undefined ? serve(req, res) : servePlain(route, request, req, res);
    served.catch((error: unknown) => {
      deps.log.error('call-broke', {}, error);
      res.destroy();
    });
  }

  return {
    handler,
    listen: (where) => listen(where, handler, upgrades.take, servers),
    async warm(service) {
      const api = deps.apis.find((spec) => spec.service === service);
      if (api !== undefined) await loadShapes(api);
    },
    async close() {
      upgrades.close();
      await Promise.all(servers.splice(0).map((server) => closeServer(server, deps.clock)));
    },
  };
}

function operationOf({ api, operation }: Route, service: ServiceShapes, { method, path }: SignedRequest): string {
  return operation ?? restOperation(api, service, method, path);
}

function parametersOf({ protocol, signed }: Call, isForm: boolean, body: Buffer): URLSearchParams {
  if (protocol === 'rest-json') return new URLSearchParams(signed.query);
  return isForm ? formParameters(signed, body) : new URLSearchParams();
}

/** Of the query string and of the body: a presigned POST has all of them in its query. */
function formParameters(signed: SignedRequest, body: Buffer): URLSearchParams {
  return new URLSearchParams([signed.query, body.toString('utf8')].filter((part) => part !== '').join('&'));
}

function wireError(fault: Fault, call: Call): WireError {
  const errorName = fault.details['errorName'];
  const members = fault.details['errorMembers'];
  const answer: { name: string; status: number; message?: string; queryCode?: string } =
    refusalAnswer(fault, call.protocol) ??
    call.api?.errors.name(fault.code, typeof errorName === 'string' ? errorName : undefined) ??
    plainAnswer(fault);
  const isObject = typeof members === 'object' && members !== null && !Array.isArray(members);
  // An error of our own tells the caller nothing of the inside.
  const said = fault.code === 'Internal' ? `An internal error occurred (request id ${call.requestId}).` : fault.message;
  const message = answer.message ?? said;
  return {
    name: answer.name,
    status: answer.status,
    queryCode: answer.queryCode,
    message,
    members: { ...call.api?.errors.body?.(answer.name, message), ...(isObject ? (members as Record<string, Json>) : {}) },
  };
}

/** Where no API is known that would have a name for it. */
function plainAnswer(fault: Fault): { name: string; status: number } {
  if (fault.code === 'Internal' || fault.code === 'ProtocolError') return { name: 'InternalFailure', status: 500 };
  if (fault.code === 'Unavailable' || fault.code === 'TimedOut') return { name: 'ServiceUnavailable', status: 503 };
  if (fault.code === 'AccessDenied') return { name: 'AccessDeniedException', status: 403 };
  if (fault.code === 'ResourceNotFound') return { name: 'ResourceNotFoundException', status: 404 };
  return { name: `${fault.code}Exception`, status: 400 };
}

function send(res: ServerResponse, status: number, call: Call, encoded: Encoded): void {
  const body = typeof encoded.body === 'string' ? Buffer.from(encoded.body, 'utf8') : encoded.body;
  res.writeHead(status, {
    'x-amzn-RequestId': call.requestId,
    'Content-Type': encoded.contentType,
    'Content-Length': body.length,
    ...encoded.headers,
  });
  res.end(call.signed.method === 'HEAD' ? undefined : body);
}

/** Ends when the events do, or when the caller goes away. */
async function sendEvents(res: ServerResponse, call: Call, contentType: string, events: AsyncIterable<Uint8Array>): Promise<void> {
  res.writeHead(200, { 'x-amzn-RequestId': call.requestId, 'Content-Type': contentType });
  res.flushHeaders();
  // Two ahead: what a slow caller doesn't take waits where it is bounded.
  await untilGone(pipeline(Readable.from(events, { highWaterMark: 2 }), res));
}

function listen(where: Listener, handler: Gateway['handler'], upgrade: Upgrades['take'], servers: Server[]): Promise<number> {
  const server = http.createServer({
    keepAlive: true,
    keepAliveTimeout: limits.keepAliveMs,
    headersTimeout: limits.requestHeadersMs,
    requestTimeout: 0, // Uploads take their time; `readBody` bounds the rest.
    maxHeaderSize: limits.requestHeaderBytes,
  });
  server.maxConnections = limits.gatewayConnections;
  server.on('request', handler);
  server.on('checkContinue', expectContinue(handler));
  server.on('upgrade', upgrade);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      servers.push(server);
      const address = server.address() as AddressInfo | string | null;
      resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
    });
  });
}

async function closeServer(server: Server, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = clock.after(limits.gatewayCloseMs, () => server.closeAllConnections());
  await closed;
  timer.cancel();
}
