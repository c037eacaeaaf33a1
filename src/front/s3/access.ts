/**
 * What IAM is asked before each operation of S3, whose actions have names of their own. Source: Service Authorization Reference, "Actions, resources, and condition
 * keys for Amazon S3". What is true of any call (`s3:authType`, ...) comes from its signature (`route.ts`).
 */
import { anything, requestTags, type AccessTable, type AnyTags } from '#gateway/access.ts';
import type { AccessRow, Ask, OwnFacts, Resource } from '#gateway/types.ts';
import { bucketArn, objectArn, type S3Deps } from './operation.ts';

type Input = { Bucket?: string | undefined; Key?: string | undefined } & Record<string, unknown>;

/** Members of inputs by the condition keys that tell of them. */
const keysOf: Record<string, string> = {
  ACL: 's3:x-amz-acl',
  GrantFullControl: 's3:x-amz-grant-full-control',
  GrantRead: 's3:x-amz-grant-read',
  GrantReadACP: 's3:x-amz-grant-read-acp',
  GrantWrite: 's3:x-amz-grant-write',
  GrantWriteACP: 's3:x-amz-grant-write-acp',
  ObjectOwnership: 's3:x-amz-object-ownership',
  BucketNamespace: 's3:x-amz-bucket-namespace',
  IfMatch: 's3:if-match',
  IfNoneMatch: 's3:if-none-match',
  CopySource: 's3:x-amz-copy-source',
  MetadataDirective: 's3:x-amz-metadata-directive',
  ServerSideEncryption: 's3:x-amz-server-side-encryption',
  SSEKMSKeyId: 's3:x-amz-server-side-encryption-aws-kms-key-id',
  SSECustomerAlgorithm: 's3:x-amz-server-side-encryption-customer-algorithm',
  StorageClass: 's3:x-amz-storage-class',
  WebsiteRedirectLocation: 's3:x-amz-website-redirect-location',
  ObjectLockMode: 's3:object-lock-mode',
  ObjectLockLegalHoldStatus: 's3:object-lock-legal-hold',
};
const acls = ['ACL', 'GrantFullControl', 'GrantRead', 'GrantReadACP', 'GrantWriteACP'];
const writes = [...acls, 'IfMatch', 'IfNoneMatch', 'CopySource', 'MetadataDirective', 'ServerSideEncryption', 'SSEKMSKeyId', 'SSECustomerAlgorithm', 'StorageClass', 'WebsiteRedirectLocation', 'ObjectLockMode', 'ObjectLockLegalHoldStatus']; // prettier-ignore
const creates = [...acls, 'GrantWrite', 'ObjectOwnership', 'BucketNamespace'];

const told = (input: Input, members: string[]): OwnFacts =>
  Object.fromEntries(members.filter((name) => input[name] !== undefined).map((name) => [keysOf[name] ?? '', String(input[name])]));

const ofBucket = (action: string, more: Partial<AccessRow<Input>> = {}): AccessRow<Input> => ({
  action: `s3:${action}`,
  resources: ({ Bucket }) => [bucketArn(Bucket ?? '')],
  ...more,
});
const ofObject = (action: string, more: Partial<AccessRow<Input>> = {}): AccessRow<Input> => ({
  action: `s3:${action}`,
  resources: ({ Bucket, Key }) => [objectArn(Bucket ?? '', Key ?? '')],
  ...more,
});

/** Of the tags that a call gives an object. */
function objectTags(tags: [string, string][]): OwnFacts {
  const facts = Object.fromEntries(tags.map(([key, value]) => [`s3:RequestObjectTag/${key}`, value]));
  return tags.length === 0 ? facts : { ...facts, 's3:RequestObjectTagKeys': tags.map(([key]) => key) };
}
const headerTags = ({ Tagging }: Input): [string, string][] => [...new URLSearchParams(typeof Tagging === 'string' ? Tagging : '')];
const bodyTags = ({ Tagging }: Input): [string, string][] =>
  ((Tagging as { TagSet?: { Key: string; Value: string }[] } | undefined)?.TagSet ?? []).map(({ Key, Value }) => [Key, Value]);

/** PutObject and its like: tags that come along need a permission of their own. */
const writing: Partial<AccessRow<Input>> = {
  facts: (input) => ({ ...told(input, writes), ...objectTags(headerTags(input)), ...creation(true) }),
  also(input): Ask[] {
    const tags = headerTags(input);
    if (tags.length === 0) return [];
    return [{ action: 's3:PutObjectTagging', resources: [objectArn(input.Bucket ?? '', input.Key ?? '')], facts: objectTags(tags) }];
  },
};
/** Whether the call makes an object, so that a policy that wants `s3:if-none-match` lets uploads of parts through. */
const creation = (makes: boolean): OwnFacts => ({ 's3:ObjectCreationOperation': String(makes) });
const ofPart: Partial<AccessRow<Input>> = { facts: (input) => ({ ...told(input, writes), ...creation(false) }) };
const listing: Partial<AccessRow<Input>> = {
  facts: ({ Prefix, Delimiter, MaxKeys }) => ({
    's3:prefix': String(Prefix ?? ''),
    ...(Delimiter === undefined ? {} : { 's3:delimiter': String(Delimiter) }),
    ...(MaxKeys === undefined ? {} : { 's3:max-keys': String(MaxKeys) }),
  }),
};
const creating: Partial<AccessRow<Input>> = {
  facts: (input, { region }) => {
    const given = input['CreateBucketConfiguration'] as { Tags?: AnyTags; LocationConstraint?: string } | undefined;
    return { ...told(input, creates), ...requestTags(given?.Tags), 's3:locationconstraint': given?.LocationConstraint ?? region };
  },
};

export function s3Access({ objects }: S3Deps): AccessTable {
  return {
    vendor: 's3',
    about: (arn) => aboutArn(objects, arn),
    rows: {
      ListBuckets: { action: 's3:ListAllMyBuckets', resources: anything },
      CreateBucket: ofBucket('CreateBucket', creating),
      HeadBucket: ofBucket('ListBucket'),
      DeleteBucket: ofBucket('DeleteBucket'),
      GetBucketLocation: ofBucket('GetBucketLocation'),
      ListObjects: ofBucket('ListBucket', listing),
      ListObjectsV2: ofBucket('ListBucket', listing),
      ListObjectVersions: ofBucket('ListBucketVersions', listing),
      ListMultipartUploads: ofBucket('ListBucketMultipartUploads'),
      ...configurationRows,
      GetObject: ofObject('GetObject'),
      HeadObject: ofObject('GetObject'),
      GetObjectAttributes: ofObject('GetObject'),
      GetObjectAcl: ofObject('GetObjectAcl'),
      PutObjectAcl: ofObject('PutObjectAcl', { facts: (input) => told(input, acls) }),
      PutObject: ofObject('PutObject', writing),
      CopyObject: ofObject('PutObject', writing),
      CreateMultipartUpload: ofObject('PutObject', { ...writing, facts: (input) => ({ ...told(input, writes), ...objectTags(headerTags(input)), ...creation(false) }) }), // prettier-ignore
      UploadPart: ofObject('PutObject', ofPart),
      UploadPartCopy: ofObject('PutObject', ofPart),
      CompleteMultipartUpload: ofObject('PutObject', { facts: (input) => ({ ...told(input, writes), ...creation(true) }) }),
      AbortMultipartUpload: ofObject('AbortMultipartUpload'),
      ListParts: ofObject('ListMultipartUploadParts'),
      DeleteObject: ofObject('DeleteObject', { facts: (input) => told(input, ['IfMatch']) }),
      // Each name is asked for by itself: those that may not be deleted are told of in the answer.
      DeleteObjects: { action: 's3:DeleteObject', resources: anything, open: true },
      GetObjectTagging: ofObject('GetObjectTagging'),
      PutObjectTagging: ofObject('PutObjectTagging', { facts: (input) => objectTags(bodyTags(input)) }),
      DeleteObjectTagging: ofObject('DeleteObjectTagging'),
    },
  };
}

const configurationRows: Record<string, AccessRow> = {
  GetBucketPolicy: ofBucket('GetBucketPolicy'),
  GetBucketPolicyStatus: ofBucket('GetBucketPolicyStatus'),
  GetBucketCors: ofBucket('GetBucketCORS'),
  GetBucketWebsite: ofBucket('GetBucketWebsite'),
  GetBucketEncryption: ofBucket('GetEncryptionConfiguration'),
  GetBucketLifecycleConfiguration: ofBucket('GetLifecycleConfiguration'),
  GetBucketReplication: ofBucket('GetReplicationConfiguration'),
  GetObjectLockConfiguration: ofBucket('GetBucketObjectLockConfiguration'),
  GetBucketVersioning: ofBucket('GetBucketVersioning'),
  GetBucketAccelerateConfiguration: ofBucket('GetAccelerateConfiguration'),
  GetBucketLogging: ofBucket('GetBucketLogging'),
  GetBucketNotificationConfiguration: ofBucket('GetBucketNotification'),
  GetBucketRequestPayment: ofBucket('GetBucketRequestPayment'),
  DeleteBucketPolicy: ofBucket('DeleteBucketPolicy'),
  DeleteBucketCors: ofBucket('PutBucketCORS'),
  DeleteBucketWebsite: ofBucket('DeleteBucketWebsite'),
  DeleteBucketEncryption: ofBucket('PutEncryptionConfiguration'),
  PutBucketLifecycleConfiguration: ofBucket('PutLifecycleConfiguration'),
  DeleteBucketLifecycle: ofBucket('PutLifecycleConfiguration'),
  DeleteBucketReplication: ofBucket('PutReplicationConfiguration'),
  GetBucketAcl: ofBucket('GetBucketAcl'),
  PutBucketAcl: ofBucket('PutBucketAcl', { facts: (input) => told(input, acls) }),
  GetPublicAccessBlock: ofBucket('GetBucketPublicAccessBlock'),
  PutPublicAccessBlock: ofBucket('PutBucketPublicAccessBlock'),
  DeletePublicAccessBlock: ofBucket('PutBucketPublicAccessBlock'),
  GetBucketOwnershipControls: ofBucket('GetBucketOwnershipControls'),
  PutBucketOwnershipControls: ofBucket('PutBucketOwnershipControls'),
  DeleteBucketOwnershipControls: ofBucket('PutBucketOwnershipControls'),
  GetBucketTagging: ofBucket('GetBucketTagging'),
  PutBucketTagging: ofBucket('PutBucketTagging'),
  DeleteBucketTagging: ofBucket('PutBucketTagging'),
};

/** A bucket or an object that is asked about beside the operation's own resources, told of as those are. */
export const s3Resource = ({ objects }: Pick<S3Deps, 'objects'>, arn: string): Resource => ({
  arn,
  about: async () => aboutArn(objects, arn),
});

/** Whose bucket it is, and the tags that the object has. */
function aboutArn(objects: S3Deps['objects'], arn: string): OwnFacts {
  const [, bucket, key] = /^arn:aws:s3:::([^/]+)(?:\/(.+))?$/s.exec(arn) ?? [];
  const owner = bucket === undefined ? undefined : objects.ownerOf(bucket);
  if (bucket === undefined || owner === undefined) return {};
  const tags = key === undefined ? [] : objects.tagsOf(bucket, key);
  return { 's3:ResourceAccount': owner, ...Object.fromEntries(tags.map((tag) => [`s3:ExistingObjectTag/${tag.key}`, tag.value])) };
}
