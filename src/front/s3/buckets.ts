/** Buckets themselves. */
import type {
  CreateBucketCommandInput,
  CreateBucketCommandOutput,
  DeleteBucketCommandInput,
  GetBucketLocationCommandInput,
  HeadBucketCommandInput,
  ListBucketsCommandInput,
} from '@aws-sdk/client-s3';
import { clip } from '#domain/names.ts';
import { isIP } from 'node:net';
import { limits } from '#base/limits.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { s3Fault } from '#objects/index.ts';
import { bounded, bucketArn, s3Operation, notHere, ownBucket, ownerOf, type S3Deps } from './operation.ts';
import { readTags } from './tags.ts';

/** The region whose buckets have no location constraint. */
const FIRST_REGION = 'us-east-1';

export function bucketOperations(deps: S3Deps): Handler[] {
  return [
    s3Operation('CreateBucket', (input: CreateBucketCommandInput, context) => create(deps, input, context)),
    s3Operation('HeadBucket', async (input: HeadBucketCommandInput, context) => {
      const { region } = ownBucket(deps, context, input);
      return { BucketRegion: region, AccessPointAlias: false, BucketArn: bucketArn(input.Bucket ?? '') };
    }),
    s3Operation('DeleteBucket', async (input: DeleteBucketCommandInput, context) => {
      ownBucket(deps, context, input);
      await deps.objects.deleteBucket(input.Bucket ?? '');
      return {};
    }),
    s3Operation('GetBucketLocation', async (input: GetBucketLocationCommandInput, context) => {
      const { region } = ownBucket(deps, context, input);
      return region === FIRST_REGION ? {} : { LocationConstraint: region };
    }),
    s3Operation('ListBuckets', (input: ListBucketsCommandInput, context) => list(deps, input, context)),
  ];
}

async function create(
  deps: S3Deps,
  input: CreateBucketCommandInput,
  { account, region }: CallContext,
): Promise<Omit<CreateBucketCommandOutput, '$metadata'>> {
  const name = input.Bucket ?? '';
  assertBucketName(name);
  if (input.ACL !== undefined && input.ACL !== 'private') throw aclsOff();
  if (input.ObjectLockEnabledForBucket === true) throw notHere('object lock');
  if (input.ObjectOwnership !== undefined && input.ObjectOwnership !== 'BucketOwnerEnforced') throw notHere(`object ownership '${input.ObjectOwnership}' (ACLs)`); // prettier-ignore
  const { LocationConstraint: wish, Location: location, Tags: tags } = input.CreateBucketConfiguration ?? {};
  if (location !== undefined) throw notHere('directory buckets');
  const place = wish === undefined || (wish as string) === '' ? FIRST_REGION : wish === 'EU' ? 'eu-west-1' : wish;
  if (place !== region) {
    const which = wish === undefined ? 'unspecified' : String(wish);
    throw s3Fault('IllegalLocationConstraintException', `The ${clip(which)} location constraint is incompatible for the region specific endpoint this request was sent to.`); // prettier-ignore
  }
  const answer = { Location: `/${name}`, BucketArn: bucketArn(name) };
  const former = deps.objects.buckets(account).find((bucket) => bucket.name === name);
  // In this region alone it is no error (S3 API reference, CreateBucket).
  if (former?.region === FIRST_REGION && region === FIRST_REGION) return answer;
  deps.objects.createBucket({ name, account, region, tags: readTags(tags, limits.bucketTags) });
  return answer;
}

async function list(deps: S3Deps, input: ListBucketsCommandInput, { account }: CallContext) {
  const { Prefix: prefix, BucketRegion: region, ContinuationToken: token } = input;
  const max = bounded('max-buckets', input.MaxBuckets, limits.buckets, limits.buckets);
  const all = deps.objects
    .buckets(account)
    .filter((bucket) => bucket.name.startsWith(prefix ?? '') && (region === undefined || bucket.region === region))
    .filter(({ name }) => token === undefined || name > Buffer.from(token, 'base64url').toString());
  const page = all.slice(0, max);
  const last = page.at(-1);
  return {
    Owner: ownerOf(account),
    Buckets: page.map(({ name, createdAt, region: at }) => ({ Name: name, CreationDate: new Date(createdAt), BucketRegion: at, BucketArn: bucketArn(name) })), // prettier-ignore
    ...(prefix === undefined ? {} : { Prefix: prefix }),
    ...(all.length > page.length && last !== undefined ? { ContinuationToken: Buffer.from(last.name).toString('base64url') } : {}),
  };
}

/** Source: S3 user guide, "General purpose bucket naming rules". */
function assertBucketName(name: string): void {
  const isName = /^[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/.test(name) && !/\.\.|\.-|-\./.test(name) && isIP(name) === 0;
  const isTaken = /^(?:xn--|sthree-|amzn-s3-demo-)|(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(name);
  if (isName && !isTaken) return;
  throw s3Fault('InvalidBucketName', 'The specified bucket is not valid.', { BucketName: name.slice(0, 200) });
}

/** AWS's words for a bucket whose objects are its owner's, as new buckets are. */
export function aclsOff() {
  return s3Fault('AccessControlListNotSupported', 'The bucket does not allow ACLs');
}
