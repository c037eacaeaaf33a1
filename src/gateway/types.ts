/** What a front door gives the gateway. The gateway knows shapes, not ECS. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Principal } from '#domain/records.ts';
import type { Scope } from '#domain/scope.ts';
import type { Fault, Json } from '#base/fault.ts';
import type { KeyLookup } from './keys.ts';
import type { SignedRequest } from './sigv4.ts';

export type CallContext = Scope & {
  requestId: string;
  principal: Principal;
  sourceIp: string;
  userAgent: string;
  /** The address that the caller reached us at, as its Host header has it; '' for one that has none. */
  host?: string;
  /** The caller came over TLS, which something before us ended: it says so in X-Forwarded-Proto. Good for telling the caller addresses, and nothing else. */
  isTls?: boolean;
  /** For what else a call needs beyond its own action (`iam:PassRole`). Throws Fault('AccessDenied'). */
  assertAllowed(action: string, resources: readonly (string | Resource)[], facts?: OwnFacts): Promise<void>;
};

/** Condition keys of an operation's own and their values: `ecs:cluster`, `aws:RequestTag/team`, `aws:TagKeys`. */
export type OwnFacts = Record<string, string | string[]>;

/** One thing that a call touches. */
export type Resource = {
  arn: string;
  /** Another form of the same ARN that policies name it by: allowed where either is, denied where either is. */
  alias?: string;
  /** Condition keys that are this one's own. */
  facts?: OwnFacts;
  /** More of them, its tags above all, which have to be looked up: asked for where a policy names such a key. */
  about?(): Promise<OwnFacts>;
  /** Its own policy, as it was written: within an account it may allow what the caller's don't, and what it denies is denied. */
  policy?: string;
};

/** A permission that a call needs. */
export type Ask = { action: string; resources: readonly (string | Resource)[]; facts?: OwnFacts };

/**
 * What IAM is asked before an operation (`access.ts`): which resources the call touches, from its input, and its condition keys. None of it is
 * asked of callers who may do all, so looking something up costs them nothing.
 */
export type AccessRow<In = any> = {
  /** IAM's name of the action where it isn't the operation's: `s3:ListBucket`. */
  action?: string;
  /** ARNs; ['*'] where AWS has no resource-level permission (`anything`). */
  resources(input: In, context: CallContext): readonly (string | Resource)[] | Promise<readonly (string | Resource)[]>;
  facts?(input: In, context: CallContext): OwnFacts | Promise<OwnFacts>;
  /** Further permissions that this call needs, as for tags that are set while something is made. */
  also?(input: In, context: CallContext): readonly Ask[] | Promise<readonly Ask[]>;
  /** Nobody needs permission for it, or `handle` itself asks for the one it needs. */
  open?: true;
};

/**
 * One operation of an API, one file each in front/<api>/. `In` and `Out` are the SDK's types (`RunTaskCommandInput`, ...): the gateway
 * decodes and checks the input by the SDK's schema before `handle`, and encodes the output by it.
 */
export type Handler<In = any, Out = any> = {
  name: string;
  /** The HTTP status of an answer, where it isn't the one that the schema says. REST in XML. */
  status?(output: Out): number | undefined;
  handle(input: In, context: CallContext): Promise<Out>;
};

/** `action`: IAM's, `ecs:RunTask`. A front door makes these out of its handlers and its access table (`guarded`). */
export type Operation<In = any, Out = any> = Handler<In, Out> & AccessRow<In> & { action: string };

/** How a service's bytes are read and told apart. */
export type ApiSpec = {
  /** Our name and the SigV4 signing name: `ecs`, `logs`, `sts`, `ec2`, `elasticfilesystem`. */
  service: string;
  protocol: 'json-1.1' | 'json-1.0' | 'query' | 'ec2-query' | 'rest-json' | 'rest-xml' | 'rpc-v2-cbor';
  /** `AmazonEC2ContainerServiceV20141113` for JSON and CBOR; the `Version` for Query and REST, where it only stands in texts. */
  target: string;
  /** CBOR: the members of answers whose numbers are integers, which schemas don't tell from doubles. */
  integers?: ReadonlySet<string>;
  /**
   * The SDK package that the shapes come from, `@aws-sdk/client-ecs`. It is read at first use by a short-lived process of its own, which
   * hands back only what `operations` reach: a package costs 20 to 90 MiB of memory for as long as a process holds it.
   */
  schemaPackage?: string;
  /** For an API that no SDK package describes: its schemas in the SDK's own form (`Name$`: [9, namespace, 'Name', 0, input, output]). */
  loadSchemas?(): Promise<Record<string, unknown>>;
  /** Code and HTTP status of each fault, and codes for what the gateway itself refuses. */
  errors: ApiErrors;
  operations: Operation[];
  /** REST in XML: how a request names its operation. */
  rest?: RestRouting;
};

/** What stands in the path, decoded, by the names of members: `{Bucket, Key}`. */
export type RestTarget = { operation: string; labels: Record<string, string> };

export type RestRouting = {
  /** Whether a request that nobody signed is meant for this API. */
  claims(request: SignedRequest): boolean;
  /** Throws a Fault for what the API doesn't serve, whoever asks for it. */
  assertServed(request: SignedRequest): void;
  /** The bucket that the host's name tells of. */
  hostBucket(host: string): string | undefined;
  /** Throws a Fault for a request that none of the API's operations is like. */
  locate(request: SignedRequest, bindings: ReadonlyMap<string, { method: string; uri: string }>): RestTarget;
};

/**
 * The body of an operation whose input has bytes for its payload, in REST in XML: read at most once, at the reader's pace. Reading it to its end throws
 * when it is not what the request says of it (length, hash, signatures of its chunks).
 */
export type StreamedBody = AsyncIterable<Buffer> & {
  /** Bytes; undefined where the request doesn't tell. */
  readonly length: number | undefined;
  /** Names, in lower case, of the headers that are to come behind the body. */
  readonly announced: string[];
  /** Headers that came behind the body, by lower-case name; there once it was read to its end. */
  trailers(): Record<string, string>;
};

/**
 * Details of a Fault that the gateway reads: `errorName` (the API's own name of the error) and `errorMembers` (further members of the
 * error's shape, as `resourceIds` of ECS's ConflictException).
 */
export type ApiErrors = {
  /**
   * Maps a Fault's code (and details.errorName, when the front door set one) to the API's error name. `queryCode` is the code that the error had when its API spoke Query: clients of a JSON protocol that came after it still go by that (Smithy 2.0,
   * "awsQueryCompatible").
   */
  name(faultCode: string, errorName: string | undefined): { name: string; status: number; queryCode?: string };
  /** The body of an error, where it isn't `message` alone. */
  body?(name: string, message: string): Record<string, Json>;
};

/** Whether this principal may; throws Fault('AccessDenied'). */
export type Authorize = (
  principal: Principal,
  action: string,
  resources: readonly (string | Resource)[],
  context: Omit<CallContext, 'assertAllowed'>,
  facts: OwnFacts,
) => Promise<void>;

/**
 * A path that is served as it is, outside of AWS's protocols: signed like every call (signing name `berth`; the payload may be
 * `UNSIGNED-PAYLOAD`, so that an upload streams), with bodies that are never gathered in memory. berth's own API uses it for uploads
 * and for live progress. Paths begin with `/_berth/`, which no AWS service uses.
 */
export type StreamRoute = {
  method: 'GET' | 'POST';
  /** Compared whole, without the query. */
  path: string;
  action: string;
  resources(query: URLSearchParams, context: Scope): string[];
  /** A Fault thrown before the first byte becomes an error answer (JSON `__type`, `message`); after it, the connection is cut. */
  handle(request: StreamRequest, context: CallContext): Promise<StreamAnswer>;
};
export type StreamRequest = {
  query: URLSearchParams;
  headers: Record<string, string | undefined>;
  body: AsyncIterable<Uint8Array>;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
};
export type StreamAnswer = { status: number; contentType: string; body: AsyncIterable<Uint8Array | string> };

/**
 * Paths below `prefix` where a connection becomes another protocol (RFC 9110, section 7.8). Nothing of the request is checked: the handler
 * has its own proof of who comes, and answers or ends the socket.
 */
export type UpgradeRoute = { prefix: string; handle(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> };

/**
 * Requests that are served as plain HTTP, with bodies that are never gathered in memory, in an API's own words also where they fail. The handler itself
 * finds out who calls: `call.lookup`, then `call.context` for the questions about what the caller may.
 */
export type HttpRoute = {
  /** Looked at before anything of AWS's protocols is. */
  matches(request: SignedRequest): boolean;
  /** Throws Faults. */
  handle(call: HttpCall): Promise<HttpAnswer>;
  /** The answer to what `handle` threw. */
  fail(fault: Fault, call: Pick<HttpCall, 'requestId' | 'request'>): HttpAnswer;
};
export type HttpCall = {
  requestId: string;
  /** The request line and headers (in lower case); `query` without its question mark. */
  request: SignedRequest;
  /** Content-Length; undefined for a chunked body, and for none at all. */
  length: number | undefined;
  /** Read at most once, and at the pace of the reader. */
  body: AsyncIterable<Buffer>;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
  lookup: KeyLookup['lookup'];
  /** What every operation of an API gets, for this caller. Makes what the account lacks in the region at its first use. */
  context(principal: Principal, region: string): Promise<CallContext>;
};
/** Sends one piece; once it resolves the piece is with the kernel, and its buffer free for the next. Throws when the client is gone. */
export type Send = (piece: Uint8Array) => Promise<void>;
/**
 * `body`: of a stream each piece goes out when the one before is taken; a function sends its pieces itself, out of buffers that it fills again. Without a
 * Content-Length either is sent chunked.
 */
export type HttpAnswer = {
  status: number;
  headers: Record<string, string>;
  body?: string | Uint8Array | AsyncIterable<Uint8Array> | ((send: Send) => Promise<void>);
};
