/** What IAM is asked before each operation of ACM. Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Certificate Manager". */
import type { CertificateOptions, RequestCertificateRequest } from '@aws-sdk/client-acm';
import { anything, ifThere, requestTags, resourceTags, type AccessTable } from '#gateway/access.ts';
import type { AccessRow, OwnFacts } from '#gateway/types.ts';
import { findCertificate, type IntentDeps } from '#intent/index.ts';

export function acmAccess({ store }: IntentDeps): AccessTable {
  const ofOne: AccessRow<{ CertificateArn?: string | undefined }> = { resources: ({ CertificateArn: arn = '' }) => [arn] };
  return {
    vendor: 'acm',
    about: async (arn, scope) => {
      const found = arn === '*' ? undefined : await ifThere(() => store.read((tx) => findCertificate(tx, scope, arn)));
      return resourceTags(found?.desired.tags);
    },
    rows: {
      AddTagsToCertificate: { ...ofOne, facts: ({ Tags }) => requestTags(Tags) } satisfies AccessRow,
      DeleteCertificate: ofOne,
      DescribeCertificate: ofOne,
      GetCertificate: ofOne,
      ImportCertificate: {
        resources: ({ CertificateArn: arn }, { account, region }) => [arn ?? `arn:aws:acm:${region}:${account}:certificate/*`],
        facts: ({ Tags }) => requestTags(Tags),
      },
      ListCertificates: { resources: anything },
      ListTagsForCertificate: ofOne,
      RemoveTagsFromCertificate: { ...ofOne, facts: ({ Tags }) => requestTags(Tags) } satisfies AccessRow,
      RenewCertificate: ofOne,
      RequestCertificate: { resources: anything, facts: requestFacts },
      UpdateCertificateOptions: ofOne,
    },
  };
}

function requestFacts(input: RequestCertificateRequest): OwnFacts {
  const names = [input.DomainName ?? '', ...(input.SubjectAlternativeNames ?? [])].map((name) => name.toLowerCase());
  return {
    ...requestTags(input.Tags),
    ...optionFacts(input.Options),
    'acm:DomainNames': names,
    'acm:KeyAlgorithm': input.KeyAlgorithm ?? 'RSA_2048',
    ...(input.ValidationMethod === undefined ? {} : { 'acm:ValidationMethod': input.ValidationMethod }),
    ...(input.CertificateAuthorityArn === undefined ? {} : { 'acm:CertificateAuthority': input.CertificateAuthorityArn }),
  };
}

function optionFacts(options: CertificateOptions | undefined): OwnFacts {
  const { CertificateTransparencyLoggingPreference: logging, Export: exported } = options ?? {};
  return {
    ...(logging === undefined ? {} : { 'acm:CertificateTransparencyLogging': logging }),
    ...(exported === undefined ? {} : { 'acm:Export': exported }),
  };
}
