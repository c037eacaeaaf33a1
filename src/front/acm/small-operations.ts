/** Operations of one line each: deletion, tags, options, renewal. */
import type {
  AddTagsToCertificateRequest,
  DeleteCertificateRequest,
  ListTagsForCertificateRequest,
  ListTagsForCertificateResponse,
  RemoveTagsFromCertificateRequest,
  RenewCertificateRequest,
  UpdateCertificateOptionsRequest,
} from '@aws-sdk/client-acm';
import type { CallContext, Handler } from '#gateway/types.ts';
import { deleteCertificate, findCertificate, renewCertificate, setCertificateOptions, setCertificateTags } from '#intent/index.ts';
import { certificateOptions } from './options.ts';
import { addTags, readTags, removeTags, tagView } from './tags.ts';
import type { AcmDeps } from './types.ts';

type OfOne = { CertificateArn: string | undefined };

function onCertificate<In extends OfOne, Out>(
  name: string,
  handle: (input: In, context: CallContext, arn: string) => Promise<Out>,
): Handler<In, Out> {
  return {
    name,
    handle: (input, context) => handle(input, context, input.CertificateArn ?? ''),
  };
}

export function smallOperations(deps: AcmDeps): Handler[] {
  return [
    onCertificate<DeleteCertificateRequest, object>('DeleteCertificate', async (_input, context, arn) => {
      await deleteCertificate(deps, context, arn);
      return {};
    }),
    onCertificate<AddTagsToCertificateRequest, object>('AddTagsToCertificate', async (input, context, arn) => {
      const tags = readTags(input.Tags);
      await setCertificateTags(deps, context, arn, (present) => addTags(present, tags));
      return {};
    }),
    onCertificate<RemoveTagsFromCertificateRequest, object>('RemoveTagsFromCertificate', async (input, context, arn) => {
      await setCertificateTags(deps, context, arn, (present) => removeTags(present, input.Tags ?? []));
      return {};
    }),
    onCertificate<ListTagsForCertificateRequest, ListTagsForCertificateResponse>('ListTagsForCertificate', async (_input, context, arn) => {
      const { desired } = await deps.store.read((tx) => findCertificate(tx, context, arn));
      return { Tags: tagView(desired.tags) };
    }),
    onCertificate<RenewCertificateRequest, object>('RenewCertificate', async (_input, context, arn) => {
      await renewCertificate(deps, context, arn);
      return {};
    }),
    onCertificate<UpdateCertificateOptionsRequest, object>('UpdateCertificateOptions', async (input, context, arn) => {
      await setCertificateOptions(deps, context, arn, certificateOptions(input.Options));
      return {};
    }),
  ];
}
