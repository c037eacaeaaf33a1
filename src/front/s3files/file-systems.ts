/** Operations on file systems, and on how they are kept in step with their buckets. */
import type {
  CreateFileSystemRequest,
  DeleteFileSystemRequest,
  GetFileSystemPolicyRequest,
  GetFileSystemRequest,
  GetFileSystemResponse,
  GetSynchronizationConfigurationRequest,
  GetSynchronizationConfigurationResponse,
  ImportDataRule,
  ListFileSystemsRequest,
  ListFileSystemsResponse,
  PutSynchronizationConfigurationRequest,
} from '@aws-sdk/client-s3files';
import { Fault } from '#base/fault.ts';
import { uuid } from '#base/ids.ts';
import { clip } from '#domain/names.ts';
import { S3FILES_SERVICE, type Synchronization } from '#domain/s3-files.ts';
import type { CallContext, Handler } from '#gateway/types.ts';
import { bucketSystemOf, createBucketSystem, deleteBucketSystem, efsFault, setSynchronization } from '#intent/index.ts';
import type { BucketSystemWish } from '#intent/index.ts';
import type { S3FilesDeps } from './index.ts';
import { integerOf, pageOf, refuse, systemIdOf, tagsOf } from './input.ts';
import { s3FilesOperation } from './operation.ts';
import { bucketArn, systemSummary, systemView } from './views.ts';

const PAGE_MAX = 100;
const PREFIX_BYTES = 1024;
const SIZE_MAX = 52_673_613_135_872;
const RULES_MAX = 10;

export function fileSystemOperations(deps: S3FilesDeps): Handler[] {
  const { store } = deps;
  return [
    s3FilesOperation<CreateFileSystemRequest, GetFileSystemResponse>('CreateFileSystem', async (input, context) =>
      systemView(await createBucketSystem(deps, context, await wishOf(deps, context, input))),
    ),
    s3FilesOperation<GetFileSystemRequest, GetFileSystemResponse>('GetFileSystem', async (input, context) =>
      systemView(await store.read((tx) => bucketSystemOf(tx, context, systemIdOf(context, input.fileSystemId)))),
    ),
    s3FilesOperation<ListFileSystemsRequest, ListFileSystemsResponse>('ListFileSystems', async (input, { account, region }) => {
      const all = await store.read((tx) => tx.bucketSystems.list({ account, region }));
      const wanted = all.filter(({ desired }) => input.bucket === undefined || bucketArn(desired.bucket) === input.bucket);
      const { page, next } = pageOf(wanted, input.nextToken, input.maxResults, PAGE_MAX);
      return { fileSystems: page.map(systemSummary), nextToken: next };
    }),
    s3FilesOperation<DeleteFileSystemRequest, object>('DeleteFileSystem', async (input, context) => {
      await deleteBucketSystem(deps, context, systemIdOf(context, input.fileSystemId), input.forceDelete ?? false);
      return {};
    }),
    s3FilesOperation<GetFileSystemPolicyRequest, object>('GetFileSystemPolicy', async (input, context) => {
      const { key } = await store.read((tx) => bucketSystemOf(tx, context, systemIdOf(context, input.fileSystemId)));
      throw efsFault('PolicyNotFound', `The file system policy for '${key.id}' was not found.`, 'ResourceNotFound');
    }),
    ...synchronizationOperations(deps),
  ];
}

function synchronizationOperations(deps: S3FilesDeps): Handler[] {
  return [
    s3FilesOperation<GetSynchronizationConfigurationRequest, GetSynchronizationConfigurationResponse>(
      'GetSynchronizationConfiguration',
      async (input, context) => {
        const { desired } = await deps.store.read((tx) => bucketSystemOf(tx, context, systemIdOf(context, input.fileSystemId)));
        const { version, imports, expirationDays } = desired.synchronization;
        return {
          latestVersionNumber: version,
          importDataRules: imports,
          expirationDataRules: [{ daysAfterLastAccess: expirationDays }],
        };
      },
    ),
    s3FilesOperation<PutSynchronizationConfigurationRequest, object>('PutSynchronizationConfiguration', async (input, context) => {
      const id = systemIdOf(context, input.fileSystemId);
      await setSynchronization(deps, context, id, synchronizationOf(input), input.latestVersionNumber);
      return {};
    }),
  ];
}

async function wishOf(deps: S3FilesDeps, context: CallContext, input: CreateFileSystemRequest): Promise<BucketSystemWish> {
  const bucket = /^arn:aws[a-zA-Z0-9-]*:s3:::([^/]+)$/.exec(input.bucket ?? '')?.[1];
  if (bucket === undefined)
    throw refuse('bucket', input.bucket, 'Member must satisfy regular expression pattern: (arn:aws[a-zA-Z0-9-]*:s3:::.+)');
  const prefix = input.prefix ?? '';
  if (prefix !== '' && !prefix.endsWith('/')) throw refuse('prefix', prefix, 'Member must satisfy regular expression pattern: (|.*/)');
  if (Buffer.byteLength(prefix) > PREFIX_BYTES)
    throw refuse('prefix', prefix, `Member must have length less than or equal to ${PREFIX_BYTES}`);
  const role = input.roleArn ?? '';
  if (!/^arn:aws[a-zA-Z-]*:iam::\d{12}:role\/?[\w+=,.@\-/]+$/.test(role))
    throw refuse(
      'roleArn',
      role,
      'Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+',
    );
  // Who makes it acts on the bucket as this role from then on.
  await context.assertAllowed('iam:PassRole', [role], { 'iam:PassedToService': S3FILES_SERVICE });
  if (deps.objects.ownerOf(bucket) !== context.account) {
    throw efsFault('BucketNotFound', `The bucket '${clip(bucket)}' does not exist.`, 'ResourceNotFound');
  }
  const { region } = deps.objects.bucket(bucket);
  if (region !== context.region) {
    throw new Fault(
      'InvalidParameter',
      `The bucket '${bucket}' is in ${region}; it must be in the region of the file system, ${context.region}.`,
    );
  }
  const clientToken = input.clientToken ?? uuid(deps.random);
  if (clientToken.length < 1 || clientToken.length > 64) throw refuse('clientToken', clientToken, 'Member must have length from 1 to 64');
  return { clientToken, bucket, prefix, role, kmsKeyId: input.kmsKeyId ?? null, tags: tagsOf(input.tags) };
}

function synchronizationOf(input: PutSynchronizationConfigurationRequest): Omit<Synchronization, 'version'> {
  const rules = input.importDataRules ?? [];
  if (rules.length < 1 || rules.length > RULES_MAX)
    throw refuse('importDataRules', `${rules.length} rules`, `Member must have length from 1 to ${RULES_MAX}`);
  const expirations = input.expirationDataRules ?? [];
  if (expirations.length !== 1) throw refuse('expirationDataRules', `${expirations.length} rules`, 'Member must have length equal to 1');
  return {
    imports: rules.map(importOf),
    expirationDays: integerOf('expirationDataRules.1.member.daysAfterLastAccess', expirations[0]?.daysAfterLastAccess, 1, 365),
  };
}

function importOf(rule: ImportDataRule, index: number): Synchronization['imports'][number] {
  const at = (member: string) => `importDataRules.${index + 1}.member.${member}`;
  const { prefix = '', trigger } = rule;
  if (prefix !== '' && !prefix.endsWith('/')) throw refuse(at('prefix'), prefix, 'Member must satisfy regular expression pattern: (|.*/)');
  if (trigger !== 'ON_DIRECTORY_FIRST_ACCESS' && trigger !== 'ON_FILE_ACCESS') {
    throw refuse(at('trigger'), trigger, 'Member must satisfy enum value set: [ON_DIRECTORY_FIRST_ACCESS, ON_FILE_ACCESS]');
  }
  return { prefix, trigger, sizeLessThan: integerOf(at('sizeLessThan'), rule.sizeLessThan, 0, SIZE_MAX) };
}
