import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteBucketLifecycleCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketAclCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLocationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  GetPublicAccessBlockCommand,
  type Grant,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutBucketAclCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
  type LifecycleRule,
} from '@aws-sdk/client-s3';
import { realClock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { createLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { createGateway, openKeys, type Gateway } from '#gateway/index.ts';
import { openObjects, type Objects } from '#objects/index.ts';
import { createS3Api } from './index.ts';
import { hostBucket } from './route.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-s3-'));
let gateway: Gateway;
let objects: Objects;
let s3: S3Client;
let credentials: { accessKeyId: string; secretAccessKey: string };
let port = 0;
/** Actions and resources that were asked for, and those that are refused. */
let asked: string[] = [];
let denied: string[] = [];
/** What was told of each of the resources. */
let told: Record<string, unknown>[] = [];

before(async () => {
  const deps = { clock: realClock(), random: realRandom(), log: createLog(realClock(), () => {}, 'error') };
  objects = await openObjects(deps, { dir: join(folder, 'objects') });
  const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
  gateway = createGateway({
    ...deps,
    apis: [createS3Api({ objects, clock: deps.clock })],
    // Not root, who is asked nothing.
    keys: {
      lookup: (id) => {
        const key = keys.lookup(id);
        return key && { ...key, principal: { ...key.principal, actor: { kind: 'user', name: 'u', id: 'AIDA' } } };
      },
    },
    authorize: async (_principal, action, resources) => {
      for (const one of resources) {
        const resource = typeof one === 'string' ? one : one.arn;
        asked.push(`${action} ${resource}`);
        told.push(typeof one === 'string' ? {} : { ...(await one.about?.()), ...one.facts });
        if (denied.includes(`${action} ${resource}`)) throw new Fault('AccessDenied', `not ${action}`);
      }
    },
    version: '1',
  });
  port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  credentials = keys.root;
  s3 = new S3Client({ region: 'us-east-1', endpoint: `http://127.0.0.1:${port}`, credentials, maxAttempts: 1 });
  await s3.send(new CreateBucketCommand({ Bucket: 'one' }));
});
after(async () => {
  s3?.destroy();
  await gateway?.close();
  await objects?.close();
  rmSync(folder, { recursive: true, force: true });
});

const put = (Key: string, Body: string | Buffer, more: object = {}) => s3.send(new PutObjectCommand({ Bucket: 'one', Key, Body, ...more }));
const get = async (Key: string, more: object = {}) => {
  const answer = await s3.send(new GetObjectCommand({ Bucket: 'one', Key, ...more }));
  return { ...answer, text: (await answer.Body?.transformToString()) ?? '' };
};
const failure =
  (name: string, status: number, message = /./) =>
  (error: unknown) => {
    const { name: actual, message: said, $metadata } = error as { name: string; message: string; $metadata?: { httpStatusCode?: number } };
    assert.deepEqual([actual, $metadata?.httpStatusCode], [name, status]);
    assert.match(said, message);
    return true;
  };

describe('buckets', () => {
  it('are made, found, listed and deleted', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'two' }));
    await s3.send(new CreateBucketCommand({ Bucket: 'two' }));
    assert.equal((await s3.send(new HeadBucketCommand({ Bucket: 'two' }))).BucketRegion, 'us-east-1');
    assert.equal((await s3.send(new GetBucketLocationCommand({ Bucket: 'two' }))).LocationConstraint, undefined);
    const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
    assert.deepEqual(
      Buckets.map(({ Name }) => Name),
      ['one', 'two'],
    );
    await s3.send(new DeleteBucketCommand({ Bucket: 'two' }));
    await assert.rejects(s3.send(new HeadBucketCommand({ Bucket: 'two' })), failure('NotFound', 404));
    await assert.rejects(s3.send(new DeleteBucketCommand({ Bucket: 'two' })), failure('NoSuchBucket', 404));
    await assert.rejects(s3.send(new CreateBucketCommand({ Bucket: 'Not_A_Name' })), failure('InvalidBucketName', 400));
    const elsewhere = new CreateBucketCommand({ Bucket: 'west', CreateBucketConfiguration: { LocationConstraint: 'us-west-2' } });
    await assert.rejects(s3.send(elsewhere), failure('IllegalLocationConstraintException', 400));
  });

  it('answer as those of AWS where nothing was set, and refuse by name what is not here', async () => {
    const Bucket = 'one';
    assert.equal((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status, undefined);
    assert.equal((await s3.send(new GetBucketAclCommand({ Bucket }))).Grants?.[0]?.Grantee?.Type, 'CanonicalUser');
    const owners = (await s3.send(new GetBucketOwnershipControlsCommand({ Bucket }))).OwnershipControls;
    assert.deepEqual(owners?.Rules, [{ ObjectOwnership: 'BucketOwnerEnforced' }]);
    assert.equal((await s3.send(new GetPublicAccessBlockCommand({ Bucket }))).PublicAccessBlockConfiguration?.BlockPublicAcls, true);
    await assert.rejects(s3.send(new GetBucketPolicyCommand({ Bucket })), failure('NoSuchBucketPolicy', 404));
    await assert.rejects(s3.send(new PutBucketPolicyCommand({ Bucket, Policy: '{}' })), failure('NotImplemented', 501, /PutBucketPolicy/));
    await assert.rejects(s3.send(new GetBucketTaggingCommand({ Bucket })), failure('NoSuchTagSet', 404));
    await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: [{ Key: 'a', Value: 'b + c@d' }] } }));
    assert.deepEqual((await s3.send(new GetBucketTaggingCommand({ Bucket }))).TagSet, [{ Key: 'a', Value: 'b + c@d' }]);
    await assert.rejects(put('acl', 'x', { ACL: 'public-read' }), failure('AccessControlListNotSupported', 400));
    const aclsOff = failure('AccessControlListNotSupported', 400, /^The bucket does not allow ACLs$/);
    await assert.rejects(s3.send(new PutBucketAclCommand({ Bucket, ACL: 'public-read' })), aclsOff);
    await assert.rejects(s3.send(new PutObjectAclCommand({ Bucket, Key: 'none', ACL: 'private' })), failure('NoSuchKey', 404));
    await put('acl', 'x');
    await assert.rejects(s3.send(new PutObjectAclCommand({ Bucket, Key: 'acl', ACL: 'public-read' })), aclsOff);
    await assert.rejects(s3.send(new PutObjectAclCommand({ Bucket, Key: 'acl', GrantRead: 'id=a' })), aclsOff);
    // The list that is there, as s3cmd gives it to a copy.
    const { Owner, Grants = [] } = await s3.send(new GetBucketAclCommand({ Bucket }));
    const withGrants = (...more: Grant[]) =>
      s3.send(new PutObjectAclCommand({ Bucket, Key: 'acl', AccessControlPolicy: { Owner, Grants: [...Grants, ...more] } }));
    await withGrants();
    await assert.rejects(withGrants({ Grantee: { Type: 'Group', URI: 'http://acs.amazonaws.com/groups/global/AllUsers' }, Permission: 'READ' }), aclsOff); // prettier-ignore
    await s3.send(new PutBucketAclCommand({ Bucket, ACL: 'private' }));
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'acl' }));
    await assert.rejects(put('sse', 'x', { ServerSideEncryption: 'aws:kms' }), failure('NotImplemented', 501, /aws:kms/));
  });

  it('have lifecycle rules, told again as they were given', async () => {
    const at = { Bucket: 'one' };
    const set = (Rules: object[]) =>
      s3.send(new PutBucketLifecycleConfigurationCommand({ ...at, LifecycleConfiguration: { Rules: Rules as LifecycleRule[] } }));
    const told = () => s3.send(new GetBucketLifecycleConfigurationCommand(at));
    const rules = [
      { ID: 'a', Status: 'Enabled', Filter: { Prefix: 'logs/' }, Expiration: { Days: 30 }, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } },
      { ID: 'b', Status: 'Disabled', Filter: { And: { Prefix: '', Tags: [{ Key: 'k', Value: 'v' }], ObjectSizeGreaterThan: 5 } }, Expiration: { Date: new Date('2030-01-01') } },
      { ID: 'c', Status: 'Enabled', Prefix: 'old/', Expiration: { ExpiredObjectDeleteMarker: true }, NoncurrentVersionExpiration: { NoncurrentDays: 3, NewerNoncurrentVersions: 2 } },
      { ID: 'd', Status: 'Enabled', Filter: { Tag: { Key: 'k', Value: '' } }, Expiration: { Days: 1 } },
      { ID: 'e', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 1 } },
      { ID: 'f', Status: 'Enabled', Filter: {}, Expiration: { Days: 1 } },
      { ID: 'g', Status: 'Enabled', Prefix: '', Expiration: { Days: 1 } },
    ]; // prettier-ignore
    await set(rules);
    const { Rules, TransitionDefaultMinimumObjectSize: size } = await told();
    assert.deepEqual([Rules, size], [rules, 'all_storage_classes_128K']);
    const [first] = rules;
    const filtered = (Filter: object) => [{ ...first, Filter }];
    const wrong: [object[], string, RegExp, number?][] = [
      [[], 'MalformedXML', /well-formed/],
      [[{ ...first, Status: 'On' }], 'MalformedXML', /./],
      [[{ ...first, Prefix: 'x' }], 'MalformedXML', /./],
      [[first ?? {}, { ...first, Status: 'Disabled' }], 'InvalidArgument', /Rule ID must be unique/],
      [[{ ...first, Expiration: { Days: 0 } }], 'InvalidArgument', /'Days' for Expiration action must be a positive integer/],
      [[{ ...first, Expiration: { Days: 1, Date: new Date('2030-01-01') } }], 'MalformedXML', /./],
      [[{ ...first, Expiration: { Date: new Date('2030-01-01T01:00:00Z') } }], 'InvalidArgument', /'Date' must be at midnight GMT/],
      [[{ ID: 'a', Status: 'Enabled', Filter: { Prefix: '' } }], 'InvalidRequest', /At least one action/],
      [filtered({ Tag: { Key: 'k', Value: 'v' } }), 'InvalidRequest', /AbortIncompleteMultipartUpload cannot be specified with Tags/],
      [filtered({ ObjectSizeLessThan: 9 }), 'InvalidRequest', /AbortIncompleteMultipartUpload cannot be specified with Object Size/],
      [filtered({ And: { Prefix: 'x' } }), 'MalformedXML', /./],
      [[{ ...first, Transitions: [{ Days: 1, StorageClass: 'GLACIER' }] }], 'NotImplemented', /transitions to other storage classes/, 501],
    ];
    for (const [given, name, message, status = 400] of wrong) await assert.rejects(set(given), failure(name, status, message));
    assert.deepEqual((await told()).Rules, rules);
    await s3.send(new DeleteBucketLifecycleCommand(at));
    await assert.rejects(told(), failure('NoSuchLifecycleConfiguration', 404));
  });

  it('are named by the host, too', () => {
    const hosts = { 'b.localhost:4566': 'b', 'a.b.localhost': 'a.b', 'b.s3.localhost': 'b', 'b.s3.eu-west-1.amazonaws.com': 'b', 'b.s3-eu-west-1.amazonaws.com': 'b', 'b.s3.berth.internal': 'b' }; // prettier-ignore
    for (const [host, bucket] of Object.entries(hosts)) assert.equal(hostBucket(host), bucket, host);
    for (const host of ['localhost:1', '127.0.0.1:80', 's3.localhost', 's3.us-east-1.amazonaws.com', 'berth.example.com', ''])
      assert.equal(hostBucket(host), undefined, host);
  });
});

describe('objects', () => {
  it('come back with what came with them', async () => {
    const sent = {
      ContentType: 'text/plain',
      CacheControl: 'no-cache',
      ContentEncoding: 'gzip',
      Metadata: { who: 'me' },
      Tagging: 'a=1&b=2',
    };
    const { ETag } = await put('dir/a b+ö&.txt', 'hello', sent);
    assert.equal(ETag, `"${createHash('md5').update('hello').digest('hex')}"`);
    const got = await get('dir/a b+ö&.txt', { ChecksumMode: 'ENABLED' });
    assert.deepEqual([got.text, got.ContentType, got.CacheControl, got.ContentEncoding, got.Metadata, got.TagCount, got.ETag], ['hello', 'text/plain', 'no-cache', 'gzip', { who: 'me' }, 2, ETag]); // prettier-ignore
    assert.equal(got.ChecksumCRC32, 'NhCmhg==');
    const head = await s3.send(new HeadObjectCommand({ Bucket: 'one', Key: 'dir/a b+ö&.txt' }));
    assert.deepEqual([head.ContentLength, head.ETag, head.Metadata], [5, ETag, { who: 'me' }]);
    assert.equal((await get('dir/a b+ö&.txt', { ResponseContentType: 'x/y' })).ContentType, 'x/y');
    assert.equal((await get('dir/a b+ö&.txt', { Range: 'bytes=1-2' })).text, 'el');
    const end = await get('dir/a b+ö&.txt', { Range: 'bytes=-2' });
    assert.deepEqual([end.text, end.ContentRange, end.$metadata.httpStatusCode], ['lo', 'bytes 3-4/5', 206]);
    await assert.rejects(get('dir/a b+ö&.txt', { Range: 'bytes=9-' }), failure('InvalidRange', 416));
    await assert.rejects(get('none'), failure('NoSuchKey', 404, /specified key does not exist/));
    await put('empty', '');
    assert.equal((await get('empty')).text, '');
  });

  it('have names that are no paths', async () => {
    for (const key of ['a//b', 'a/../b', './x', '%2F', 'a?b#c', '~(!*)\'"', 'ü', ' ', 'x'.repeat(1024)]) {
      await put(key, key);
      assert.equal((await get(key)).text, key);
      await s3.send(new DeleteObjectCommand({ Bucket: 'one', Key: key }));
    }
    await assert.rejects(put('x'.repeat(1025), ''), failure('KeyTooLongError', 400));
  });

  it('are written and read under conditions', async () => {
    const { ETag } = await put('once', '1', { IfNoneMatch: '*' });
    await assert.rejects(put('once', '2', { IfNoneMatch: '*' }), failure('PreconditionFailed', 412));
    await assert.rejects(put('once', '2', { IfMatch: '"x"' }), failure('PreconditionFailed', 412));
    await put('once', '2', { IfMatch: ETag });
    assert.equal((await get('once')).text, '2');
    await assert.rejects(get('once', { IfMatch: ETag }), failure('PreconditionFailed', 412));
    const now = (await get('once')).ETag;
    await assert.rejects(get('once', { IfNoneMatch: now }), (error: any) => error.$metadata.httpStatusCode === 304);
  });

  it('are verified by each checksum, given before or behind the body', async () => {
    for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
      await put(`sum/${ChecksumAlgorithm}`, 'some bytes', { ChecksumAlgorithm });
      const stream = Readable.from([Buffer.from('some '), Buffer.from('bytes')]);
      const streamed = new PutObjectCommand({ Bucket: 'one', Key: 'sum/stream', Body: stream, ContentLength: 10, ChecksumAlgorithm });
      const member = `Checksum${ChecksumAlgorithm}` as const;
      const value = (await s3.send(streamed))[member];
      assert.equal((await get(`sum/${ChecksumAlgorithm}`, { ChecksumMode: 'ENABLED' }))[member], value);
    }
    await assert.rejects(
      put('sum/bad', 'x', { ChecksumSHA256: createHash('sha256').update('y').digest('base64') }),
      failure('BadDigest', 400),
    );
    await assert.rejects(put('sum/bad', 'x', { ContentMD5: createHash('md5').update('y').digest('base64') }), failure('BadDigest', 400));
    await assert.rejects(get('sum/bad'), failure('NoSuchKey', 404));
  });

  it('are copied, with their headers and tags or others', async () => {
    await put('from ä', 'copy me', { Metadata: { a: '1' }, ContentType: 'a/b', Tagging: 't=1' });
    const CopySource = encodeURI('one/from ä');
    const to = { Bucket: 'one', Key: 'to', CopySource };
    assert.ok((await s3.send(new CopyObjectCommand(to))).CopyObjectResult?.ETag);
    const copied = await get('to');
    assert.deepEqual([copied.text, copied.Metadata, copied.ContentType, copied.TagCount], ['copy me', { a: '1' }, 'a/b', 1]);
    await s3.send(new CopyObjectCommand({ ...to, MetadataDirective: 'REPLACE', Metadata: { b: '2' } }));
    assert.deepEqual((await get('to')).Metadata, { b: '2' });
    // As Terraform writes it.
    await s3.send(new CopyObjectCommand({ ...to, CopySource: encodeURIComponent('one/from ä').replaceAll('%20', '+') }));
    const self = new CopyObjectCommand({ Bucket: 'one', Key: 'from ä', CopySource });
    await assert.rejects(s3.send(self), failure('InvalidRequest', 400, /copy an object to itself/));
    await s3.send(new PutObjectTaggingCommand({ Bucket: 'one', Key: 'to', Tagging: { TagSet: [{ Key: 'x', Value: '' }] } }));
    assert.deepEqual((await s3.send(new GetObjectTaggingCommand({ Bucket: 'one', Key: 'to' }))).TagSet, [{ Key: 'x', Value: '' }]);
  });

  it('are listed in all three ways, and deleted together', async () => {
    for (const key of ['list/a', 'list/b/1', 'list/b/2', 'list/c\u0001', 'list/d e']) await put(key, key);
    const at = { Bucket: 'one', Prefix: 'list/' };
    const names: string[] = [];
    for (let token: string | undefined; ;) {
      const page: any = await s3.send(new ListObjectsV2Command({ ...at, Delimiter: '/', MaxKeys: 2, ContinuationToken: token, EncodingType: 'url' })); // prettier-ignore
      names.push(...(page.Contents ?? []).map((o: any) => o.Key), ...(page.CommonPrefixes ?? []).map((o: any) => o.Prefix));
      token = page.NextContinuationToken;
      if (page.IsTruncated !== true) break;
    }
    assert.deepEqual(names, ['list/a', 'list/b/', 'list/c%01', 'list/d%20e']);
    const old = await s3.send(new ListObjectsCommand({ ...at, Delimiter: '/', MaxKeys: 2, EncodingType: 'url' }));
    assert.deepEqual([old.NextMarker, old.IsTruncated], ['list/b/', true]);
    const rest = await s3.send(new ListObjectsCommand({ ...at, Delimiter: '/', Marker: old.NextMarker, EncodingType: 'url' }));
    assert.equal(rest.Contents?.length, 2);
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ ...at, EncodingType: 'url' }));
    assert.deepEqual([Versions.length, Versions[0]?.VersionId, Versions[0]?.IsLatest], [5, 'null', true]);
    denied = ['s3:DeleteObject arn:aws:s3:::one/list/a'];
    const Objects = ['list/a', 'list/d e', 'list/b/1', 'list/b/2', 'list/c', 'none'].map((Key) => ({ Key }));
    const { Deleted = [], Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket: 'one', Delete: { Objects } }));
    denied = [];
    assert.deepEqual([Deleted.length, Errors.map(({ Key, Code }) => [Key, Code])], [5, [['list/a', 'AccessDenied']]]);
  });

  it('of several parts', async () => {
    const Key = 'parts';
    const whole = Buffer.concat([Buffer.alloc(5 * 1024 * 1024, 'p'), Buffer.from('tail of it')]);
    await put('parts/source', whole.subarray(0, 5 * 1024 * 1024 + 4));
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: 'one', Key, ChecksumAlgorithm: 'SHA256', Metadata: { m: '1' } })); // prettier-ignore
    const at = { Bucket: 'one', Key, UploadId };
    const copied = await s3.send(new UploadPartCopyCommand({ ...at, PartNumber: 1, CopySource: 'one/parts/source', CopySourceRange: 'bytes=0-5242879' })); // prettier-ignore
    const second = await s3.send(new UploadPartCommand({ ...at, PartNumber: 7, Body: 'tail of it', ChecksumAlgorithm: 'SHA256' }));
    assert.equal((await s3.send(new ListMultipartUploadsCommand({ Bucket: 'one', Prefix: Key }))).Uploads?.[0]?.UploadId, UploadId);
    const { Parts: listed = [] } = await s3.send(new ListPartsCommand(at));
    assert.deepEqual(listed.map(({ PartNumber, Size }) => [PartNumber, Size]), [[1, 5242880], [7, 10]]); // prettier-ignore
    const part = (PartNumber: number, from: { ETag?: string | undefined; ChecksumSHA256?: string | undefined } | undefined) => ({ PartNumber, ETag: from?.ETag, ChecksumSHA256: from?.ChecksumSHA256 }); // prettier-ignore
    const Parts = [part(1, copied.CopyPartResult), part(7, second)];
    const done = await s3.send(new CompleteMultipartUploadCommand({ ...at, MultipartUpload: { Parts } }));
    assert.match(done.ChecksumSHA256 ?? '', /-2$/);
    assert.match(done.ETag ?? '', /^"[0-9a-f]{32}-2"$/);
    const got = await s3.send(new GetObjectCommand({ Bucket: 'one', Key, Range: 'bytes=5242870-5242885' }));
    assert.equal(await got.Body?.transformToString(), 'pppppppppptail o');
    const tail = await get(Key, { PartNumber: 2 });
    assert.deepEqual([tail.text, tail.PartsCount, tail.Metadata], ['tail of it', 2, { m: '1' }]);
    const told = await s3.send(new GetObjectAttributesCommand({ Bucket: 'one', Key, ObjectAttributes: ['ObjectParts', 'ObjectSize'] }));
    assert.deepEqual([told.ObjectSize, told.ObjectParts?.TotalPartsCount, told.ObjectParts?.Parts?.[1]?.Size], [whole.length, 2, 10]);
    await assert.rejects(s3.send(new ListPartsCommand(at)), failure('NoSuchUpload', 404));
  });
});

describe('whoever calls', () => {
  it('is asked for the action and the resource that AWS names', async () => {
    await put('may', 'x');
    asked = [];
    await s3.send(new HeadObjectCommand({ Bucket: 'one', Key: 'may' }));
    await s3.send(new ListObjectsV2Command({ Bucket: 'one' }));
    await s3.send(new CopyObjectCommand({ Bucket: 'one', Key: 'copy', CopySource: 'one/may' }));
    assert.deepEqual(asked, [
      's3:GetObject arn:aws:s3:::one/may',
      's3:ListBucket arn:aws:s3:::one',
      's3:PutObject arn:aws:s3:::one/copy',
      's3:GetObject arn:aws:s3:::one/may',
    ]);
    denied = ['s3:ListBucket arn:aws:s3:::one'];
    await assert.rejects(get('none'), failure('AccessDenied', 403));
    denied = ['s3:PutObject arn:aws:s3:::one/no'];
    await assert.rejects(put('no', Buffer.alloc(3_000_000)), failure('AccessDenied', 403));
    denied = [];
  });

  it('is asked with the tags of each object that is read, copied, tagged or deleted', async () => {
    const at = { Bucket: 'one', Key: 'marked' };
    const tagged = { 's3:ResourceAccount': '123456789012', 's3:ExistingObjectTag/keep': 'yes' };
    const calls: [() => Promise<unknown>, string[]][] = [
      [() => get('marked'), ['s3:GetObject']],
      [() => s3.send(new CopyObjectCommand({ Bucket: 'one', Key: 'copied', CopySource: 'one/marked' })), ['s3:GetObject']],
      [() => put('marked', 'y', { Tagging: 'keep=yes' }), ['s3:PutObject', 's3:PutObjectTagging']],
      [() => s3.send(new DeleteObjectsCommand({ Bucket: 'one', Delete: { Objects: [{ Key: 'marked' }] } })), ['s3:DeleteObject']],
    ];
    await put('marked', 'x', { Tagging: 'keep=yes' });
    for (const [call, actions] of calls) {
      [asked, told] = [[], []];
      await call();
      for (const action of actions) assert.deepEqual(told[asked.indexOf(`${action} arn:aws:s3:::${at.Bucket}/${at.Key}`)], tagged, action);
    }
  });

  it('is told in S3’s words that a signature is not theirs, not of this time, or good for too long', async () => {
    const refusal = async (more: object) => {
      const client = new S3Client({ region: 'us-east-1', endpoint: `http://127.0.0.1:${port}`, credentials, maxAttempts: 1, ...more });
      const asked = client.send(new GetBucketLocationCommand({ Bucket: 'one' }));
      return await asked.then(() => 'taken', ({ name, message }: Error) => `${name}: ${message}`).finally(() => client.destroy()); // prettier-ignore
    };
    const minutes = (many: number) => ({ systemClockOffset: many * 60_000 });
    const skewed = 'RequestTimeTooSkewed: The difference between the request time and the current time is too large.';
    for (const many of [-14, 14]) assert.equal(await refusal(minutes(many)), 'taken', `${many}`);
    for (const many of [-16, 16]) assert.equal(await refusal(minutes(many)), skewed, `${many}`);
    assert.equal(
      await refusal({ credentials: { ...credentials, secretAccessKey: 'x' } }),
      'SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    );
    const week = 'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=0&X-Amz-Expires=604801'; // prettier-ignore
    const long = await fetch(`http://127.0.0.1:${port}/one/may?${week}`);
    assert.match(await long.text(), /<Code>AuthorizationQueryParametersError<\/Code><Message>X-Amz-Expires must be less than a week/);
  });

  it('sends a form is told that they aren’t here', async () => {
    const form = new FormData();
    form.set('key', 'x');
    form.set('file', new Blob(['x']));
    const answer = await fetch(`http://127.0.0.1:${port}/one`, { method: 'POST', body: form });
    assert.equal(answer.status, 501);
    assert.match(await answer.text(), /<Code>NotImplemented<\/Code><Message>berth does not implement s3:PostObject/);
  });

  it('is nobody without a signature', async () => {
    const bare = await fetch(`http://127.0.0.1:${port}/one/may`);
    assert.equal(bare.status, 403);
    assert.match(await bare.text(), /<Code>AccessDenied<\/Code>/);
  });

  it('and goes away in the middle leaves nothing', async () => {
    const incoming = () => readdirSync(join(folder, 'objects', 'incoming')).length;
    const body = new Readable({ read() {} });
    body.push(Buffer.alloc(100_000));
    const gone = new AbortController();
    const command = new PutObjectCommand({ Bucket: 'one', Key: 'half', Body: body, ContentLength: 200_000 });
    const sending = assert.rejects(s3.send(command, { abortSignal: gone.signal }));
    while (incoming() === 0) await setImmediate();
    gone.abort();
    await sending;
    while (incoming() > 0) await setImmediate();
    await assert.rejects(get('half'), failure('NoSuchKey', 404));
  });

  it('asks first (Expect: 100-continue) and is refused sends no body', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('PUT /one/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n');
    const answer = await text(socket);
    assert.match(answer, /^HTTP\/1\.1 403 Forbidden/);
  });
});
