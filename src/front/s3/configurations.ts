/**
 * What a bucket is set to, as Terraform's aws_s3_bucket and what belongs to it read it: each is AWS's answer of a bucket where nothing was set. What can be set
 * is what makes no difference here: nothing is public, and objects are their bucket's owner's.
 */
import type {
  AccessControlPolicy,
  DeletePublicAccessBlockCommandInput,
  GetBucketAclCommandInput,
  GetPublicAccessBlockCommandInput,
  Grant,
  PutBucketAclCommandInput,
  PutBucketOwnershipControlsCommandInput,
  PutObjectAclCommandInput,
  PutPublicAccessBlockCommandInput,
} from '@aws-sdk/client-s3';
import type { Handler } from '#gateway/types.ts';
import { s3Fault } from '#objects/index.ts';
import { aclsOff } from './buckets.ts';
import { s3Operation, hidden, notHere, ownBucket, ownerOf, type S3Deps } from './operation.ts';

type Input = { Bucket: string | undefined; ExpectedBucketOwner?: string | undefined };

/** Operation, error and text of what no bucket has. */
const absent: [name: string, error: string, text: string][] = [
  ['GetBucketPolicy', 'NoSuchBucketPolicy', 'The bucket policy does not exist'],
  ['GetBucketPolicyStatus', 'NoSuchBucketPolicy', 'The bucket policy does not exist'],
  ['GetBucketCors', 'NoSuchCORSConfiguration', 'The CORS configuration does not exist'],
  ['GetBucketWebsite', 'NoSuchWebsiteConfiguration', 'The specified bucket does not have a website configuration'],
  ['GetBucketEncryption', 'ServerSideEncryptionConfigurationNotFoundError', 'The server side encryption configuration was not found'],
  ['GetBucketReplication', 'ReplicationConfigurationNotFoundError', 'The replication configuration was not found'],
  ['GetObjectLockConfiguration', 'ObjectLockConfigurationNotFoundError', 'Object Lock configuration does not exist for this bucket'],
];

/** Operation and answer of what is at its default. */
const defaults: [name: string, answer: object][] = [
  ['GetBucketVersioning', {}],
  ['GetBucketAccelerateConfiguration', {}],
  ['GetBucketLogging', {}],
  ['GetBucketNotificationConfiguration', {}],
  ['GetBucketRequestPayment', { Payer: 'BucketOwner' }],
];

/** Taking away what no bucket has: no error in AWS either. */
const removals: string[] = [
  'DeleteBucketPolicy',
  'DeleteBucketCors',
  'DeleteBucketWebsite',
  'DeleteBucketEncryption',
  'DeleteBucketReplication',
];

export function configurationOperations(deps: S3Deps): Handler[] {
  return [
    ...absent.map(([name, error, text]) =>
      s3Operation(name, async (input: Input, context) => {
        throw s3Fault(error, text, { BucketName: ownBucket(deps, context, input).name });
      }),
    ),
    ...defaults.map(([name, answer]) =>
      s3Operation(name, async (input: Input, context) => {
        ownBucket(deps, context, input);
        return answer;
      }),
    ),
    ...removals.map((name) =>
      s3Operation(name, async (input: Input, context) => {
        ownBucket(deps, context, input);
        return {};
      }),
    ),
    ...aclOperations(deps),
    ...accessBlockOperations(deps),
    ...ownershipOperations(deps),
  ];
}

function aclOperations(deps: S3Deps): Handler[] {
  const acl = (account: string): AccessControlPolicy => ({
    Owner: ownerOf(account),
    Grants: [{ Grantee: { Type: 'CanonicalUser', ...ownerOf(account) }, Permission: 'FULL_CONTROL' }],
  });
  return [
    s3Operation('GetBucketAcl', async (input: GetBucketAclCommandInput, context) => acl(ownBucket(deps, context, input).account)),
    s3Operation('GetObjectAcl', async (input: Input & { Key: string | undefined }, context) => {
      const { account, name } = ownBucket(deps, context, input);
      await hidden(context, name, () => deps.objects.head(name, input.Key ?? ''));
      return acl(account);
    }),
    s3Operation('PutBucketAcl', async (input: PutBucketAclCommandInput, context) => {
      assertOwners(input, ownBucket(deps, context, input).account);
      return {};
    }),
    s3Operation('PutObjectAcl', async (input: PutObjectAclCommandInput, context) => {
      const { account, name } = ownBucket(deps, context, input);
      await hidden(context, name, () => deps.objects.head(name, input.Key ?? ''));
      assertOwners(input, account);
      return {};
    }),
  ];
}

type Grants = Pick<PutObjectAclCommandInput, 'ACL' | 'AccessControlPolicy' | 'GrantFullControl' | 'GrantRead' | 'GrantReadACP' | 'GrantWrite' | 'GrantWriteACP'>; // prettier-ignore

/** What leaves all to the owner, in a word or as a list, changes nothing: clients copy an object's list along with it. */
function assertOwners(input: Grants, account: string): void {
  const { GrantFullControl, GrantRead, GrantReadACP, GrantWrite, GrantWriteACP, AccessControlPolicy: policy, ACL: word } = input;
  const isOwners = ({ Grantee, Permission }: Grant) => Grantee?.ID === ownerOf(account).ID && Permission === 'FULL_CONTROL';
  const named = [GrantFullControl, GrantRead, GrantReadACP, GrantWrite, GrantWriteACP].some((one) => one !== undefined);
  const owners = word === undefined ? policy?.Grants?.every(isOwners) === true : word === 'private' || word === 'bucket-owner-full-control';
  if (named || !owners) throw aclsOff();
}

function accessBlockOperations(deps: S3Deps): Handler[] {
  return [
    s3Operation('GetPublicAccessBlock', async (input: GetPublicAccessBlockCommandInput, context) => {
      const { accessBlock, name } = ownBucket(deps, context, input);
      if (accessBlock === null) {
        throw s3Fault('NoSuchPublicAccessBlockConfiguration', 'The public access block configuration was not found', { BucketName: name });
      }
      const { acls, ignoreAcls, policy, restrict } = accessBlock;
      return { PublicAccessBlockConfiguration: { BlockPublicAcls: acls, IgnorePublicAcls: ignoreAcls, BlockPublicPolicy: policy, RestrictPublicBuckets: restrict } }; // prettier-ignore
    }),
    s3Operation('PutPublicAccessBlock', async (input: PutPublicAccessBlockCommandInput, context) => {
      const { name } = ownBucket(deps, context, input);
      const given = input.PublicAccessBlockConfiguration;
      const accessBlock = {
        acls: given?.BlockPublicAcls ?? false,
        ignoreAcls: given?.IgnorePublicAcls ?? false,
        policy: given?.BlockPublicPolicy ?? false,
        restrict: given?.RestrictPublicBuckets ?? false,
      };
      deps.objects.changeBucket(name, { accessBlock });
      return {};
    }),
    s3Operation('DeletePublicAccessBlock', async (input: DeletePublicAccessBlockCommandInput, context) => {
      deps.objects.changeBucket(ownBucket(deps, context, input).name, { accessBlock: null });
      return {};
    }),
  ];
}

function ownershipOperations(deps: S3Deps): Handler[] {
  return [
    s3Operation('GetBucketOwnershipControls', async (input: Input, context) => {
      const { ownershipShown, name } = ownBucket(deps, context, input);
      if (!ownershipShown)
        throw s3Fault('OwnershipControlsNotFoundError', 'The bucket ownership controls were not found', { BucketName: name });
      return { OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] } };
    }),
    s3Operation('PutBucketOwnershipControls', async (input: PutBucketOwnershipControlsCommandInput, context) => {
      const { name } = ownBucket(deps, context, input);
      const other = input.OwnershipControls?.Rules?.find(({ ObjectOwnership }) => ObjectOwnership !== 'BucketOwnerEnforced');
      if (other !== undefined) throw notHere(`object ownership '${String(other.ObjectOwnership)}' (ACLs)`);
      deps.objects.changeBucket(name, { ownershipShown: true });
      return {};
    }),
    s3Operation('DeleteBucketOwnershipControls', async (input: Input, context) => {
      deps.objects.changeBucket(ownBucket(deps, context, input).name, { ownershipShown: false });
      return {};
    }),
  ];
}
