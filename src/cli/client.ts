/**
 * A small client of the gateway: JSON over HTTP, signed with SigV4. No SDK is loaded, since a command's start-up time is felt every time.
 */
import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Clock } from '#base/clock.ts';
import { asFault, Fault, isFault } from '#base/fault.ts';
import type { FaultCode, Json } from '#base/fault.ts';
import { http } from '#base/http.ts';
import { limits } from '#base/limits.ts';

export type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

export type ClientOptions = {
  /** `http://127.0.0.1:4566`. */
  endpoint: string;
  region: string;
  credentials: Credentials;
  /** Aborts every call. */
  signal?: AbortSignal;
};

export type Service = 'ecs' | 'logs' | 'berth';

/** An answer's fields; each command knows the shapes of the calls that it makes. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Answer = any;

export type Client = {
  region: string;
  endpoint: string;
  /** One JSON call. Throws Fault with details.errorName (the API's own name of the error) and details.status. */
  call(service: Service, operation: string, input: Record<string, unknown>): Promise<Answer>;
  /** A streaming path of berth's own API: sends `body` when there is one, yields the answer's NDJSON lines. */
  stream(method: 'GET' | 'POST', path: string, query: Record<string, string>, body?: Readable): AsyncGenerator<Answer>;
  /** A path of berth's own API that takes and gives bytes at the same time: resolves with the answer's once it was accepted. */
  duplex(path: string, query: Record<string, string>, body: Readable): Promise<IncomingMessage>;
};

const targets: Record<Service, { prefix: string; version: string }> = {
  ecs: { prefix: 'AmazonEC2ContainerServiceV20141113', version: '1.1' },
  logs: { prefix: 'Logs_20140328', version: '1.1' },
  berth: { prefix: 'Berth_20261101', version: '1.1' },
};

type Unsigned = {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  body: string | Readable | undefined;
};

export function createClient(options: ClientOptions, clock: Clock): Client {
  const url = new URL(options.endpoint);
  const send = async (service: Service, plain: Unsigned): Promise<IncomingMessage> => {
    const signer = new SignatureV4({ service, region: options.region, credentials: options.credentials, sha256: Sha256 });
    const unsigned = { protocol: url.protocol, hostname: url.hostname, port: Number(url.port || 80), ...plain };
    const signed = await signer.sign(
      { ...unsigned, headers: { host: url.host, ...plain.headers } },
      { signingDate: new Date(clock.now()) },
    );
    return exchange(url, { ...plain, headers: signed.headers }, options.signal);
  };
  return {
    region: options.region,
    endpoint: options.endpoint,
    async call(service, operation, input) {
      const { prefix, version } = targets[service];
      const headers = { 'content-type': `application/x-amz-json-${version}`, 'x-amz-target': `${prefix}.${operation}` };
      const answer = await send(service, { method: 'POST', path: '/', query: {}, headers, body: JSON.stringify(input) });
      return await readAnswer(answer, operation).catch((error: unknown) => {
        throw isFault(error) ? error : connectionFault(error as NodeJS.ErrnoException, url, options.signal);
      });
    },
    async *stream(method, path, query, body) {
      const headers = { 'content-type': 'application/octet-stream', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
      const answer = await send('berth', { method, path, query, headers, body });
      if (answer.statusCode !== 200) await readAnswer(answer, path);
      yield* ndjson(answer);
    },
    async duplex(path, query, body) {
      const headers = { 'content-type': 'application/octet-stream', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
      const answer = await send('berth', { method: 'POST', path, query, headers, body });
      if (answer.statusCode !== 200) await readAnswer(answer, path);
      return answer;
    },
  };
}

function exchange(url: URL, signed: Unsigned, signal: AbortSignal | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const query = new URLSearchParams(signed.query).toString().replaceAll('+', '%20');
    const request = http.request(
      {
        host: url.hostname,
        port: url.port || 80,
        method: signed.method,
        path: query === '' ? signed.path : `${signed.path}?${query}`,
        headers: signed.headers,
        ...(signal === undefined ? {} : { signal }),
      },
      resolve,
    );
    const fail = (error: NodeJS.ErrnoException) => reject(connectionFault(error, url, signal));
    request.on('error', fail);
    if (signed.body === undefined || typeof signed.body === 'string') request.end(signed.body);
    else {
      // The other side may have to answer before there is anything to send.
      request.flushHeaders();
      void pipeline(signed.body, request).catch(fail);
    }
  });
}

function connectionFault(error: NodeJS.ErrnoException, url: URL, signal: AbortSignal | undefined): Fault {
  if (isFault(error)) return error;
  if (signal?.aborted === true) return new Fault('Cancelled', 'interrupted');
  const refused = error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET';
  const message = refused
    ? `berth doesn't answer at ${url.origin}: start it with 'sudo berth up', or look at 'berth status'`
    : `the call to ${url.origin} failed: ${error.message}`;
  return new Fault('Unavailable', message, { details: { notRunning: refused }, cause: error });
}

async function readAnswer(answer: IncomingMessage, what: string): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limits.answerBytes) throw new Fault('ProtocolError', `the answer to ${what} is over ${limits.answerBytes} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  const status = answer.statusCode ?? 0;
  const body = parse(text, what, status);
  if (status >= 200 && status < 300) return body;
  throw apiFault(body, what, status);
}

function parse(text: string, what: string, status: number): Answer {
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    const beginning = text.slice(0, 200);
    throw new Fault('ProtocolError', `the answer to ${what} (HTTP ${status}) is not JSON but begins with: ${beginning}`, { cause: error });
  }
}

/** An API's error as a Fault: `__type` may carry a namespace before '#'. */
export function apiFault(body: Answer, what: string, status: number): Fault {
  const errorName = String(body?.__type ?? body?.code ?? 'UnknownError').replace(/^.*#/, '');
  const message = String(body?.message ?? body?.Message ?? `${what} failed with HTTP ${status}`);
  const details: Record<string, Json> = { errorName, status };
  return new Fault(faultCodes[errorName] ?? codeOfStatus(status), message, { details });
}

function codeOfStatus(status: number): FaultCode {
  if (status === 403) return 'AccessDenied';
  if (status === 503) return 'Unavailable';
  return status >= 500 ? 'Internal' : 'ClientError';
}

const faultCodes: Record<string, FaultCode> = {
  ClusterNotFoundException: 'ClusterNotFound',
  ResourceNotFoundException: 'ResourceNotFound',
  AccessDeniedException: 'AccessDenied',
  ServiceUnavailableException: 'Unavailable',
  ConflictException: 'Conflict',
};

/** Lines of JSON; a line that says `error` ends the stream with it. */
async function* ndjson(answer: IncomingMessage): AsyncGenerator<Answer> {
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      rest += decoder.decode(chunk, { stream: true });
      if (rest.length > limits.requestBodyBytes) throw new Fault('ProtocolError', 'a line of the answer is too long');
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') yield checked(JSON.parse(line));
    }
  } catch (error) {
    throw asFault(error, 'Unavailable');
  }
}

function checked(line: Answer): Answer {
  if (line.error === undefined) return line;
  throw new Fault(line.error.code ?? 'Internal', line.error.message ?? 'the request failed', { details: line.error.details ?? {} });
}

type Data = string | ArrayBuffer | ArrayBufferView;
const bytes = (data: Data): string | Uint8Array => {
  if (typeof data === 'string') return data;
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
};

/** What the signer needs of a hash, by Node's own crypto. */
class Sha256 {
  readonly #hash;
  constructor(secret?: Data) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytes(secret));
  }
  update(data: Data): void {
    this.#hash.update(bytes(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {
    throw new Fault('Internal', 'a digest is used once');
  }
}
