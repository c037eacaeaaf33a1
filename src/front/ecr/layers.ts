/** Layers over ECR's own API, part by part. */
import type {
  BatchCheckLayerAvailabilityRequest,
  BatchCheckLayerAvailabilityResponse,
  CompleteLayerUploadRequest,
  CompleteLayerUploadResponse,
  GetDownloadUrlForLayerRequest,
  GetDownloadUrlForLayerResponse,
  InitiateLayerUploadRequest,
  InitiateLayerUploadResponse,
  Layer,
  LayerFailure,
  UploadLayerPartRequest,
  UploadLayerPartResponse,
} from '@aws-sdk/client-ecr';
import { Fault, isFault } from '#base/fault.ts';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { DIGEST } from '#domain/ecr-manifest.ts';
import { clip } from '#domain/names.ts';
import type { CallContext, Operation } from '#gateway/types.ts';
import { ecrFault, inRegistry, invalidEcr, repositoryOf } from '#intent/index.ts';
import { layerNotFound, uploadOwner } from '#registry/index.ts';
import { GRANT } from '../oci/blobs.ts';
import type { EcrDeps } from './access.ts';
import { registryHost } from './input.ts';
import { ecrOperation } from './operation.ts';

export function layerOperations(deps: EcrDeps): Operation[] {
  return [
    ecrOperation<BatchCheckLayerAvailabilityRequest, BatchCheckLayerAvailabilityResponse>(
      deps,
      'BatchCheckLayerAvailability',
      (input, context) => check(deps, input, context),
    ),
    ecrOperation<GetDownloadUrlForLayerRequest, GetDownloadUrlForLayerResponse>(deps, 'GetDownloadUrlForLayer', (input, context) =>
      downloadUrl(deps, input, context),
    ),
    ecrOperation<InitiateLayerUploadRequest, InitiateLayerUploadResponse>(
      deps,
      'InitiateLayerUpload',
      async ({ repositoryName = '' }, context) => {
        await deps.store.read((tx) => repositoryOf(tx, context, repositoryName));
        const { id } = await deps.registry.files.uploads.begin(uuid(deps.random), uploadOwner(context, repositoryName));
        return { uploadId: id, partSize: limits.registryPartBytes };
      },
    ),
    ecrOperation<UploadLayerPartRequest, UploadLayerPartResponse>(deps, 'UploadLayerPart', (input, context) =>
      uploadPart(deps, input, context),
    ),
    ecrOperation<CompleteLayerUploadRequest, CompleteLayerUploadResponse>(deps, 'CompleteLayerUpload', (input, context) =>
      complete(deps, input, context),
    ),
  ];
}

async function check(
  deps: EcrDeps,
  input: BatchCheckLayerAvailabilityRequest,
  context: CallContext,
): Promise<BatchCheckLayerAvailabilityResponse> {
  const { repositoryName: repository = '', layerDigests = [] } = input;
  return await deps.store.read(async (tx) => {
    await repositoryOf(tx, context, repository);
    const layers: Layer[] = [];
    const failures: LayerFailure[] = [];
    for (const layerDigest of layerDigests) {
      if (!DIGEST.test(layerDigest)) {
        failures.push({ layerDigest, failureCode: 'InvalidLayerDigest', failureReason: 'Invalid layer digest' });
        continue;
      }
      const found = await tx.ecrLayers.get({ account: context.account, region: context.region, repository, digest: layerDigest });
      layers.push({ layerDigest, layerAvailability: found === undefined ? 'UNAVAILABLE' : 'AVAILABLE', layerSize: found?.sizeBytes });
    }
    return { layers, failures };
  });
}

/** The address itself is what lets its holder in, for an hour. */
async function downloadUrl(
  deps: EcrDeps,
  input: GetDownloadUrlForLayerRequest,
  context: CallContext,
): Promise<GetDownloadUrlForLayerResponse> {
  const { repositoryName: repository = '', layerDigest = '' } = input;
  const signal = new AbortController().signal;
  const layer = DIGEST.test(layerDigest) ? await deps.registry.layer(context, repository, layerDigest, signal) : null;
  if (layer === null) throw layerNotFound(context, repository, clip(layerDigest, 140));
  const { account, region } = context;
  const grant = { repository, digest: layerDigest, account, region, expiresAt: deps.clock.now() + limits.registryUrlMs };
  const token = deps.identity.registryTokens.mintGrant(grant);
  const downloadUrl = `${context.isTls === true ? 'https' : 'http'}://${registryHost(context)}/v2/${repository}/blobs/${layerDigest}?${GRANT}=${encodeURIComponent(token)}`;
  return { downloadUrl, layerDigest };
}

async function uploadPart(deps: EcrDeps, input: UploadLayerPartRequest, context: CallContext): Promise<UploadLayerPartResponse> {
  const { repositoryName = '', uploadId = '', partFirstByte = 0, partLastByte = 0, layerPartBlob = new Uint8Array() } = input;
  const owner = uploadOwner(context, repositoryName);
  const { uploads } = deps.registry.files;
  const named = { registryId: context.account, repositoryName, uploadId };
  try {
    const { bytes } = await uploads.info(uploadId, owner);
    if (partFirstByte !== bytes || partLastByte - partFirstByte + 1 !== layerPartBlob.length) {
      const text = `Layer part of ${layerPartBlob.length} bytes was said to be bytes ${partFirstByte} to ${partLastByte}; the next one begins at byte ${bytes}`;
      throw new Fault('InvalidParameter', text, {
        details: { errorName: 'InvalidLayerPartException', errorMembers: { ...named, lastValidByteReceived: bytes - 1 } },
      });
    }
    await uploads.append(uploadId, owner, partFirstByte, once(layerPartBlob));
  } catch (error) {
    throw uploadFault(error, context, repositoryName, uploadId);
  }
  return { ...named, lastByteReceived: partLastByte };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function complete(deps: EcrDeps, input: CompleteLayerUploadRequest, context: CallContext): Promise<CompleteLayerUploadResponse> {
  const { repositoryName = '', uploadId = '', layerDigests = [] } = input;
  const [digest = ''] = layerDigests;
  if (layerDigests.length !== 1 || !DIGEST.test(digest))
    throw invalidEcr("Invalid parameter at 'layerDigests' failed to satisfy constraint: 'must be one digest'");
  const owner = uploadOwner(context, repositoryName);
  const { uploads } = deps.registry.files;
  try {
    const { bytes } = await uploads.info(uploadId, owner);
    if (bytes === 0) throw ecrFault('EmptyUploadException', `The upload with id '${uploadId}' has no layer parts`);
    const key = { account: context.account, region: context.region, repository: repositoryName, digest };
    if ((await deps.store.read((tx) => tx.ecrLayers.get(key))) !== undefined) {
      await uploads.cancel(uploadId, owner);
      throw ecrFault(
        'LayerAlreadyExistsException',
        `Layer with digest '${digest}' already exists in ${inRegistry(repositoryName, context)}`,
        'AlreadyExists',
      );
    }
    await deps.registry.finishUpload(context, repositoryName, uploadId, digest);
  } catch (error) {
    throw uploadFault(error, context, repositoryName, uploadId);
  }
  return { registryId: context.account, repositoryName, uploadId, layerDigest: digest };
}

function uploadFault(error: unknown, context: CallContext, repository: string, id: string): unknown {
  if (!isFault(error)) return error;
  const { kind } = error.details;
  if (kind === 'upload')
    return ecrFault(
      'UploadNotFoundException',
      `The upload with id '${clip(id)}' does not exist in ${inRegistry(repository, context)}`,
      'ResourceNotFound',
    );
  if (kind === 'digest') return ecrFault('InvalidLayerException', `The layer digest does not match: ${error.message}`);
  if (kind === 'range' || kind === 'busy') return ecrFault('InvalidLayerPartException', error.message);
  return error;
}
