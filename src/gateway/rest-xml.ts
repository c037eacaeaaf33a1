/**
 * The door of APIs that speak REST in XML, which is S3: bodies stream both ways. Signature, operation, decoding, authorization and answer as for every
 * other protocol; but what is signed of a body is only known at its end, so the handler reads it with that in mind.
 */
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { mayDoAll } from '#domain/records.ts';
import type { ChunkSigning } from './aws-chunked.ts';
import { decodeXmlPayload, encodeRestXml, errorXml } from './codec-rest-xml.ts';
import { decodeAround } from './codec-rest.ts';
import type { AccessKey } from './keys.ts';
import { operationShapes } from './protocols.ts';
import { refusalAnswer, refuse } from './refusals.ts';
import type { ShapeLoader } from './shape-loader.ts';
import type { Member, Shape } from './shapes.ts';
import {
  assertKey,
  parseAmzDate,
  readCredential,
  scopeOf,
  signingServiceHint,
  type SignatureVerifier,
  type SignedRequest,
} from './sigv4.ts';
import { assertQuerySignature, readQueryCredential } from './sigv2-query.ts';
import { payloadClaim, streamedBody } from './streamed-body.ts';
import type { ApiSpec, CallContext, HttpAnswer, HttpCall, HttpRoute, Operation, OwnFacts, StreamedBody } from './types.ts';

/** Signature Version 2 names none. */
const DEFAULT_REGION = 'us-east-1';

type Deps = { verify: SignatureVerifier; loadShapes: ShapeLoader; clock: Clock };

export function createRestXmlRoute(api: ApiSpec, deps: Deps): HttpRoute {
  const operations = new Map(api.operations.map((operation) => [operation.name, operation]));
  return {
    matches(request) {
      const service = signingServiceHint(request);
      return service === undefined ? /(?:^|&)AWSAccessKeyId=/.test(request.query) || api.rest?.claims(request) === true : service === api.service; // prettier-ignore
    },

    async handle(call) {
      const { request } = call;
      api.rest!.assertServed(request);
      const caller = await callerOf(call, api, deps);
      const service = await deps.loadShapes(api);
      const { operation: name, labels } = api.rest!.locate(request, service.bindings);
      const shapes = operationShapes(api, service, name);
      const operation = operations.get(name)!;
      const body = streamedBody(call, request, caller.claim, caller.signing, deps.clock);
      const context = withFacts(await call.context(caller.key.principal, caller.region), caller.facts);
      const input = await decode(shapes.input, caller.isPresigned ? withHoisted(request) : request, labels, body);
      if (operation.open !== true) await assertMay(operation, input, context);
      const output = await operation.handle(input, context);
      const answer = encodeRestXml(shapes.output, output, shapes.http, service.xmlNamespace);
      return { ...answer, status: operation.status?.(output) ?? answer.status, headers: { ...answer.headers, ...ids(call) } };
    },

    fail: (fault, call) => failure(api, fault, call),
  };
}

type Caller = { key: AccessKey; region: string; isPresigned: boolean; claim: string; signing: ChunkSigning | undefined; facts: OwnFacts };

/** Who signed the request, which is theirs as far as it is known yet: of the body `claim` tells what is to come. */
async function callerOf(call: HttpCall, api: ApiSpec, { verify, clock }: Deps): Promise<Caller> {
  const { request } = call;
  const old = readQueryCredential(request);
  if (old !== undefined) {
    const known = await call.lookup(old.accessKeyId, old.token);
    const bucket = api.rest?.hostBucket(request.headers['host']?.[0] ?? '');
    const key = assertQuerySignature(request, old, known, bucket, clock.now());
    const claim = payloadClaim(request, true);
    const facts = { 's3:authType': 'REST-QUERY-STRING', 's3:signatureversion': 'AWS', 's3:x-amz-content-sha256': claim };
    return { key, region: DEFAULT_REGION, isPresigned: true, claim, signing: undefined, facts };
  }
  const credential = readCredential(request);
  const key = assertKey(credential, await call.lookup(credential.accessKeyId, credential.token), clock.now());
  const isPresigned = credential.expiresMs !== undefined;
  const claim = payloadClaim(request, isPresigned);
  const signing = verify(request, credential, key, claim);
  const seed = { key: signing, amzDate: credential.amzDate, scope: scopeOf(credential), seed: credential.signature };
  const facts = {
    's3:authType': isPresigned ? 'REST-QUERY-STRING' : 'REST-HEADER',
    's3:signatureversion': 'AWS4-HMAC-SHA256',
    's3:signatureAge': String(Math.max(0, clock.now() - parseAmzDate(credential.amzDate))),
    's3:x-amz-content-sha256': claim,
  };
  return { key, region: credential.region, isPresigned, claim, signing: seed, facts };
}

/** How a call was signed is told with whatever is asked about it. */
const withFacts = (context: CallContext, own: OwnFacts): CallContext => ({
  ...context,
  assertAllowed: (action, resources, facts) => context.assertAllowed(action, resources, { ...own, ...facts }),
});

async function assertMay(operation: Operation, input: unknown, context: CallContext): Promise<void> {
  if (mayDoAll(context.principal)) return;
  const facts = (await operation.facts?.(input, context)) ?? {};
  await context.assertAllowed(operation.action, await operation.resources(input, context), facts);
  for (const ask of (await operation.also?.(input, context)) ?? []) await context.assertAllowed(ask.action, ask.resources, ask.facts);
}

async function decode(shape: Shape, request: SignedRequest, labels: Record<string, string>, body: StreamedBody) {
  if (shape.kind !== 'structure') return {};
  const members = [...shape.members.values()];
  const input = decodeAround({ parameters: new URLSearchParams(request.query), headers: request.headers }, members, labels);
  const payload = members.find(({ traits }) => traits.httpPayload);
  if (payload !== undefined) input[payload.name] = await payloadOf(payload, body);
  const missing = shape.required.find((name) => input[name] === undefined);
  if (missing === undefined) return input;
  if (missing === payload?.name) {
    throw new Fault('InvalidParameter', 'Request body is empty.', { details: { errorName: 'MissingRequestBodyError' } });
  }
  throw refuse('invalidValue', `The request lacks ${missing}.`);
}

async function payloadOf(member: Member, body: StreamedBody): Promise<unknown> {
  if (member.shape.kind === 'blob') return body;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > limits.requestBodyBytes) throw refuse('tooLarge', `Your request was too big: at most ${limits.requestBodyBytes} bytes of XML are read.`); // prettier-ignore
    pieces.push(piece);
  }
  return decodeXmlPayload(Buffer.concat(pieces).toString('utf8'), member);
}

/** Headers of a presigned request may stand in its query, where they are signed too: SDKs put `x-amz-meta-...` there. */
function withHoisted(request: SignedRequest): SignedRequest {
  const headers = { ...request.headers };
  for (const [key, value] of new URLSearchParams(request.query)) {
    const name = key.toLowerCase();
    if (name.startsWith('x-amz-') && headers[name] === undefined) headers[name] = [value];
  }
  return { ...request, headers };
}

const ids = ({ requestId }: Pick<HttpCall, 'requestId'>) => ({ 'x-amz-request-id': requestId, 'x-amz-id-2': requestId });

function failure(api: ApiSpec, fault: Fault, call: Pick<HttpCall, 'requestId' | 'request'>): HttpAnswer {
  const { errorName, errorMembers } = fault.details;
  const named = refusalAnswer(fault, api.protocol) ?? api.errors.name(fault.code, typeof errorName === 'string' ? errorName : undefined);
  const message = 'message' in named && named.message !== undefined ? named.message : fault.message;
  const said = fault.code === 'Internal' ? 'We encountered an internal error. Please try again.' : message;
  const { headers, ...members } = { ...(errorMembers as Record<string, unknown> | undefined) };
  const answer = { status: named.status, headers: { ...ids(call), ...(headers as Record<string, string> | undefined) } };
  if (call.request.method === 'HEAD' || named.status === 304) return answer;
  const parts = { Code: named.name, Message: said, ...(members as Record<string, string>), Resource: decodedPath(call.request.path) };
  const body = errorXml({ ...parts, RequestId: call.requestId, HostId: call.requestId });
  return { ...answer, headers: { 'Content-Type': 'application/xml', ...answer.headers }, body };
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path).slice(0, 2048);
  } catch {
    return path.slice(0, 2048);
  }
}
