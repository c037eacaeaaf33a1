/** Operations on file systems. */
import type {
  CreateFileSystemRequest,
  DeleteFileSystemRequest,
  DescribeFileSystemsRequest,
  DescribeFileSystemsResponse,
  FileSystemDescription,
  UpdateFileSystemProtectionRequest,
  UpdateFileSystemRequest,
} from '@aws-sdk/client-efs';
import type { FileSystemRecord } from '#domain/file-system.ts';
import { efsIdOf } from '#domain/file-system.ts';
import type { Handler } from '#gateway/types.ts';
import { changeFileSystem, createFileSystem, deleteFileSystem, efsFault, fileSystemOf } from '#intent/index.ts';
import type { FileSystemWish, IntentDeps } from '#intent/index.ts';
import type { ReadTx } from '#store/types.ts';
import { readTags } from '#gateway/key-value-tags.ts';
import { oneOf, pageOf } from './input.ts';
import { efsOperation } from './operation.ts';
import { fileSystemView } from './views.ts';

const throughputModes = ['bursting', 'provisioned', 'elastic'] as const;

export function fileSystemOperations(deps: IntentDeps): Handler[] {
  const show = (system: FileSystemRecord) => deps.store.read(async (tx) => await view(tx, system));
  return [
    efsOperation<CreateFileSystemRequest, FileSystemDescription>('CreateFileSystem', async (input, context) =>
      show(await createFileSystem(deps, context, wishOf(input))),
    ),
    efsOperation<DescribeFileSystemsRequest, DescribeFileSystemsResponse>(
      'DescribeFileSystems',
      async (input, { account, region }) =>
        await deps.store.read(async (tx) => {
          const id = input.FileSystemId === undefined ? undefined : efsIdOf({ account, region }, input.FileSystemId);
          if (id !== undefined && input.CreationToken !== undefined) {
            throw efsFault('BadRequest', 'Specify either a file system id or a creation token, but not both.');
          }
          const all = id === undefined ? await tx.fileSystems.list({ account, region }) : [await fileSystemOf(tx, { account, region }, id)];
          const wanted = all.filter((one) => input.CreationToken === undefined || one.creationToken === input.CreationToken);
          const { page, next } = pageOf(wanted, input.Marker, input.MaxItems);
          const FileSystems = await Promise.all(page.map((system) => view(tx, system)));
          return { FileSystems, Marker: input.Marker, NextMarker: next };
        }),
    ),
    efsOperation<UpdateFileSystemRequest, FileSystemDescription>('UpdateFileSystem', async (input, context) =>
      show(await changeFileSystem(deps, context, input.FileSystemId ?? '', (present) => throughputOf(input, present))),
    ),
    efsOperation<UpdateFileSystemProtectionRequest, object>('UpdateFileSystemProtection', async (input, context) => {
      const wanted = input.ReplicationOverwriteProtection ?? 'ENABLED';
      const overwriteProtection = oneOf('replicationOverwriteProtection', wanted, ['ENABLED', 'DISABLED']);
      await changeFileSystem(deps, context, input.FileSystemId ?? '', () => ({ overwriteProtection }));
      return { ReplicationOverwriteProtection: overwriteProtection };
    }),
    efsOperation<DeleteFileSystemRequest, object>('DeleteFileSystem', async (input, context) => {
      await deleteFileSystem(deps, context, input.FileSystemId ?? '');
      return {};
    }),
  ];
}

async function view(tx: ReadTx, system: FileSystemRecord): Promise<FileSystemDescription> {
  const { account, region, id } = system.key;
  const targets = await tx.mountTargets.list({ account, region });
  const sizes = (await tx.hosts.list({})).flatMap((host) => host.usage.fileSystems ?? []).filter((size) => size.id === id);
  const newest = sizes.toSorted((a, b) => b.at - a.at)[0];
  return fileSystemView(system, targets.filter((one) => one.fileSystemId === id).length, newest);
}

function wishOf(input: CreateFileSystemRequest): FileSystemWish {
  const creationToken = input.CreationToken ?? '';
  if (creationToken.length < 1 || creationToken.length > 64) {
    throw efsFault('BadRequest', `A creation token has 1 to 64 characters; this one has ${creationToken.length}.`);
  }
  const performanceMode = oneOf('performanceMode', input.PerformanceMode ?? 'generalPurpose', ['generalPurpose', 'maxIO']);
  const throughput = throughputOf(input, { throughputMode: 'bursting', provisionedMibps: null });
  if (performanceMode === 'maxIO' && throughput.throughputMode === 'elastic') {
    throw efsFault('BadRequest', 'The elastic throughput mode is not supported with the maxIO performance mode.');
  }
  if (input.KmsKeyId !== undefined && input.Encrypted !== true) {
    throw efsFault('BadRequest', 'A KmsKeyId requires the file system to be encrypted: set Encrypted to true.');
  }
  return {
    creationToken,
    performanceMode,
    ...throughput,
    encrypted: input.Encrypted ?? false,
    kmsKeyId: input.KmsKeyId ?? null,
    zone: input.AvailabilityZoneName ?? null,
    backup: input.Backup ?? input.AvailabilityZoneName !== undefined,
    lifecycle: [],
    overwriteProtection: 'ENABLED',
    tags: readTags(input.Tags),
  };
}

type Throughput = Pick<FileSystemRecord, 'throughputMode' | 'provisionedMibps'>;

function throughputOf(input: UpdateFileSystemRequest | CreateFileSystemRequest, present: Throughput): Throughput {
  const throughputMode = oneOf('throughputMode', input.ThroughputMode ?? present.throughputMode, throughputModes);
  const provisionedMibps = input.ProvisionedThroughputInMibps ?? (throughputMode === 'provisioned' ? present.provisionedMibps : null);
  if (throughputMode === 'provisioned' && provisionedMibps === null) {
    throw efsFault('BadRequest', 'ProvisionedThroughputInMibps is required when the throughput mode is provisioned.');
  }
  if (throughputMode !== 'provisioned' && provisionedMibps !== null) {
    throw efsFault('BadRequest', `ProvisionedThroughputInMibps can't be set when the throughput mode is ${throughputMode}.`);
  }
  if (provisionedMibps !== null && !(provisionedMibps >= 1)) {
    throw efsFault('BadRequest', `ProvisionedThroughputInMibps must be at least 1; it is ${provisionedMibps}.`);
  }
  return { throughputMode, provisionedMibps };
}
