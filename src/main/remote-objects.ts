/** Objects of an S3 endpoint that the user names (`berth up --s3-endpoint`): AWS's own, or whatever else speaks S3. Read only, path style. */
import type { IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Clock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { http, https } from '#base/http.ts';
import { limits } from '#base/limits.ts';
import { canonicalRequest, hmac, signingKey, stringToSign } from '#gateway/sigv4-canonical.ts';

export type RemoteObjects = {
  /** Throws Faults whose `errorName` is the endpoint's own code, and Unavailable when it can't be reached. */
  get(bucket: string, key: string, maxBytes: number): Promise<Buffer>;
};

export type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

export type RemoteOptions = {
  /** `https://s3.eu-west-1.amazonaws.com` */
  endpoint: string;
  region: string;
  /** null: requests aren't signed, which public objects allow. */
  credentials: Credentials | null;
};

export function createRemoteObjects(clock: Clock, { endpoint, region, credentials }: RemoteOptions): RemoteObjects {
  const base = new URL(endpoint);
  return {
    async get(bucket, key, maxBytes) {
      const path = `${base.pathname.replace(/\/$/, '')}/${[bucket, ...key.split('/')].map(escaped).join('/')}`;
      const headers = credentials === null ? { host: base.host } : signed(base.host, path, region, credentials, clock.now());
      const response = await send(base, path, headers);
      if (response.statusCode === 200) return await bounded(response, maxBytes, `${bucket}/${key}`);
      throw await refusal(response);
    },
  };
}

/** Signature Version 4 in headers, as in the gateway's own tests against the SDK. */
function signed(host: string, path: string, region: string, credentials: Credentials, now: number): Record<string, string> {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const amzDate = new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const payloadHash = 'UNSIGNED-PAYLOAD';
  const token = sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken };
  const headers = { host, 'x-amz-content-sha256': payloadHash, 'x-amz-date': amzDate, ...token };
  const signedHeaders = Object.keys(headers);
  const values = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  const canonical = canonicalRequest({ method: 'GET', path, query: '', signedHeaders, headers: values, payloadHash, plainPath: true });
  const date = amzDate.slice(0, 8);
  const scope = `${date}/${region}/s3/aws4_request`;
  const signature = hmac(signingKey(secretAccessKey, date, region, 's3'), stringToSign(amzDate, scope, canonical)).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`;
  return { ...headers, authorization };
}

function send(base: URL, path: string, headers: Record<string, string>): Promise<IncomingMessage> {
  const client = base.protocol === 'https:' ? https() : http;
  return new Promise((resolve, reject) => {
    const unreachable = (why: string) => reject(new Fault('Unavailable', `${base.origin} can't be reached: ${why}`, { details: { kind: 'remote' } })); // prettier-ignore
    const request = client.request(base, { method: 'GET', path, headers, timeout: limits.remoteObjectMs }, resolve);
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', (error) => unreachable(error.message));
    request.end();
  });
}

async function bounded(response: IncomingMessage, maxBytes: number, name: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > maxBytes)
      throw new Fault('LimitExceeded', `${name} has more than ${maxBytes} bytes`, { details: { errorName: 'EntityTooLarge' } });
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** What the endpoint says, as far as it speaks S3. */
async function refusal(response: IncomingMessage): Promise<Fault> {
  const text = (await buffer(response).catch(() => Buffer.alloc(0))).subarray(0, 4096).toString();
  const part = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  const said = `${part('Message') ?? response.statusMessage ?? ''} status code: ${response.statusCode}`;
  return new Fault('ResourceNotFound', said, { details: { errorName: part('Code') ?? `HTTP${response.statusCode}` } });
}

const escaped = (text: string) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
