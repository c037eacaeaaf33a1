import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { SignatureV4 } from '@smithy/signature-v4';
import * as fc from 'fast-check';
import { isFault } from '#base/fault.ts';
import { assertKey, createSignatureVerifier, payloadHashOf, readCredential, type SignedRequest } from './sigv4.ts';
import { rootPrincipal, type AccessKey, type KeyLookup } from './keys.ts';

const NOW = Date.UTC(2026, 10, 23, 10, 15, 0);
const ID = 'AKIAABCDEFGHIJKLMNOP';
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';

class Sha256 {
  #hash;
  constructor(secret?: any) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  }
  update(data: any) {
    this.#hash.update(data);
  }
  async digest() {
    return new Uint8Array(this.#hash.digest());
  }
  reset() {}
}

type Wire = { method: string; path: string; query: Record<string, string | string[]>; headers: Record<string, string>; body: string };

function signer(options: { id?: string; secret?: string; token?: string; region?: string; service?: string } = {}) {
  return new SignatureV4({
    service: options.service ?? 'ecs',
    region: options.region ?? 'eu-west-1',
    sha256: Sha256 as any,
    applyChecksum: false,
    credentials: {
      accessKeyId: options.id ?? ID,
      secretAccessKey: options.secret ?? SECRET,
      ...(options.token === undefined ? {} : { sessionToken: options.token }),
    },
  });
}

const plain: Wire = {
  method: 'POST',
  path: '/',
  query: {},
  headers: { host: 'localhost:4566', 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'T.Op' },
  body: '{"cluster":"a"}',
};

function encode(query: Wire['query']): string {
  const pairs = Object.entries(query).flatMap(([k, v]) =>
    (Array.isArray(v) ? v : [v]).map((one) => `${encodeURIComponent(k)}=${encodeURIComponent(one)}`),
  );
  return pairs.join('&');
}

function received(wire: any): SignedRequest & { body: string } {
  const headers = Object.fromEntries(Object.entries(wire.headers as Record<string, string>).map(([k, v]) => [k.toLowerCase(), [v]]));
  return { method: wire.method, path: wire.path, query: encode(wire.query ?? {}), headers, body: wire.body };
}

function keysOf(token?: string): KeyLookup {
  const key: AccessKey = {
    secret: SECRET,
    principal: rootPrincipal('123456789012', ID),
    ...(token === undefined ? {} : { sessionToken: token }),
  };
  return { lookup: (id) => (id === ID ? key : undefined) };
}

function check(request: SignedRequest & { body: string }, options: { now?: number; keys?: KeyLookup } = {}) {
  const credential = readCredential(request);
  const known = (options.keys ?? keysOf()).lookup(credential.accessKeyId) as AccessKey | undefined;
  const key = assertKey(credential, known, options.now ?? NOW);
  createSignatureVerifier()(request, credential, key, payloadHashOf(request, Buffer.from(request.body)));
  return credential;
}

const refused = (refusal: string, text?: RegExp) => (error: unknown) => {
  assert.ok(isFault(error), String(error));
  assert.equal(error.details['refusal'], refusal, error.message);
  if (text !== undefined) assert.match(error.message, text);
  return true;
};

const sign = async (wire: Wire, options: Parameters<typeof signer>[0] = {}, at = NOW) =>
  received(await signer(options).sign(wire as any, { signingDate: new Date(at) }));
const presign = async (wire: Wire, expiresIn = 900, at = NOW) =>
  received(await signer({ service: 'sts' }).presign(wire as any, { signingDate: new Date(at), expiresIn, hoistableHeaders: new Set() }));

describe('SigV4 in the Authorization header', () => {
  it('takes a true signature and reads region and service from its scope', async () => {
    const credential = check(await sign(plain));
    assert.equal(credential.region, 'eu-west-1');
    assert.equal(credential.service, 'ecs');
    assert.equal(check(await sign(plain, { region: 'ap-south-2' })).region, 'ap-south-2');
  });

  it('refuses strangers, wrong secrets and what was changed on the way', async () => {
    const good = await sign(plain);
    const bad = refused('badSignature', /^The request signature we calculated does not match the signature you provided\./);
    assert.throws(() => check({ ...good, body: '' }), bad);
    assert.throws(() => check({ ...good, method: 'GET' }), bad);
    assert.throws(() => check({ ...good, path: '/x' }), bad);
    assert.throws(() => check({ ...good, query: 'a=b' }), bad);
    assert.throws(() => check({ ...good, headers: { ...good.headers, 'x-amz-target': ['T.Other'] } }), bad);
    const wrong = await sign(plain, { secret: 'other' });
    assert.throws(() => check(wrong), bad);
    const stranger = await sign(plain, { id: 'AKIAOTHER' });
    assert.throws(() => check(stranger), refused('unknownKey', /^The security token included in the request is invalid\.$/));
    const other = good.headers['authorization']?.[0]?.replace('eu-west-1', 'us-east-1') ?? '';
    assert.throws(() => check({ ...good, headers: { ...good.headers, authorization: [other] } }), bad);
  });

  it('refuses a header that decides and is not signed', async () => {
    const { 'x-amz-target': _target, ...rest } = plain.headers;
    const good = await sign({ ...plain, headers: rest });
    assert.doesNotThrow(() => check(good));
    assert.throws(
      () => check({ ...good, headers: { ...good.headers, 'x-amz-target': ['T.Op'] } }),
      refused('badSignature', /'x-amz-target' must be/),
    );
  });

  it('holds requests to 5 minutes around now', async () => {
    for (const minutes of [-4.9, 4.9]) assert.doesNotThrow(await sign(plain, {}, NOW + minutes * 60_000).then((r) => () => check(r)));
    const old = await sign(plain, {}, NOW - 301_000);
    assert.throws(
      () => check(old),
      refused('expired', /^Signature expired: 20261123T100959Z is now earlier than 20261123T101000Z \(20261123T101500Z - 5 min\.\)$/),
    );
    const early = await sign(plain, {}, NOW + 301_000);
    assert.throws(
      () => check(early),
      refused('expired', /^Signature not yet current: 20261123T102001Z is still later than 20261123T102000Z/),
    );
  });

  it('wants the session token of a temporary key, and none with a lasting one', async () => {
    const withToken = await sign(plain, { token: 'tok' });
    assert.doesNotThrow(() => check(withToken, { keys: keysOf('tok') }));
    assert.throws(() => check(withToken, { keys: keysOf('other') }), refused('unknownKey'));
    assert.throws(() => check(withToken), refused('unknownKey'));
    const without = await sign(plain);
    assert.throws(() => check(without, { keys: keysOf('tok') }), refused('unknownKey'));
    const over: KeyLookup = { lookup: (id) => ({ ...(keysOf('tok').lookup(id) as AccessKey), expiresAt: NOW }) };
    assert.throws(
      () => check(withToken, { keys: over }),
      refused('expiredToken', /^The security token included in the request is expired$/),
    );
  });

  it('checks a claimed hash of the body', async () => {
    const hash = createHash('sha256').update(plain.body).digest('hex');
    assert.doesNotThrow(await sign({ ...plain, headers: { ...plain.headers, 'x-amz-content-sha256': hash } }).then((r) => () => check(r)));
    const lie = await sign({ ...plain, headers: { ...plain.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } });
    assert.throws(() => check(lie), refused('badSignature', /x-amz-content-sha256/));
  });

  it('names what is missing or malformed', async () => {
    const good = await sign(plain);
    const withHeader = (authorization: string | undefined) => ({
      ...good,
      headers: { ...good.headers, authorization: authorization === undefined ? undefined : [authorization] },
    });
    assert.throws(() => check(withHeader(undefined)), refused('missingToken'));
    assert.throws(() => check(withHeader('Basic abc')), refused('incompleteSignature', /Unsupported AWS 'algorithm'/));
    assert.throws(
      () => check(withHeader('AWS4-HMAC-SHA256 Credential=a')),
      refused('incompleteSignature', /requires 'Signature' parameter\. Authorization header requires 'SignedHeaders' parameter\./),
    );
    assert.throws(
      () => check(withHeader('AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0')),
      refused('incompleteSignature', /exactly 5 slash-delimited elements/),
    );
  });

  it('never throws anything but a refusal', () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('AWS4-HMAC-SHA256 Credential=a/20261123/r/ecs/aws4_request, SignedHeaders=host, Signature=ff'),
    );
    fc.assert(
      fc.property(text, fc.string(), fc.string(), (authorization, query, date) => {
        const headers = { authorization: [authorization], host: ['h'], 'x-amz-date': [date] };
        assert.throws(
          () => check({ method: 'POST', path: '/', query, headers, body: '' }),
          (e) => isFault(e),
        );
      }),
    );
  });
});

describe('SigV4 in the query', () => {
  const get: Wire = {
    method: 'GET',
    path: '/',
    query: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
    headers: { host: 'localhost' },
    body: '',
  };

  it('takes a presigned URL for as long as it says', async () => {
    const url = await presign(get);
    assert.equal(check(url).service, 'sts');
    assert.doesNotThrow(() => check(url, { now: NOW + 899_000 }));
    assert.throws(() => check(url, { now: NOW + 901_000 }), refused('presignExpired'));
    assert.throws(() => check({ ...url, query: url.query.replace('GetCallerIdentity', 'GetSessionToken') }), refused('badSignature'));
    assert.throws(() => check({ ...url, query: url.query.replace('Expires=900', 'Expires=9000') }), refused('badSignature'));
    assert.throws(() => check({ ...url, query: url.query.replace('Expires=900', 'Expires=604801') }), refused('presignTooLong'));
    assert.throws(() => check({ ...url, query: url.query.replace(/X-Amz-Date=[^&]*/, '') }), refused('incompleteSignature', /X-Amz-Date/));
  });
});

describe('the canonical request', () => {
  it('is the one that the SDK signs, for any path, query and header', async () => {
    const name = fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme-ascii' });
    const value = fc.string({ maxLength: 12, unit: 'grapheme' });
    const segment = fc.stringMatching(/^[a-zA-Z0-9._~!'()*%20-]{0,6}$/).map((s) => encodeURIComponent(s));
    await fc.assert(
      fc.asyncProperty(
        fc.array(segment, { maxLength: 4 }),
        fc.dictionary(name, fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 3 })), { maxKeys: 4 }),
        fc.stringMatching(/^[ -~]{0,20}$/),
        value,
        async (segments, query, header, body) => {
          const wire = { ...plain, path: `/${segments.join('/')}`, query, headers: { ...plain.headers, 'x-thing': header }, body };
          check(await sign(wire));
        },
      ),
      { numRuns: 200 },
    );
  });
});
