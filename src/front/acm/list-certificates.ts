import type { CertificateSummary, ListCertificatesRequest, ListCertificatesResponse } from '@aws-sdk/client-acm';
import { Fault } from '#base/fault.ts';
import { certificateArn } from '#domain/certificate.ts';
import type { CertificateRecord } from '#domain/certificate.ts';
import { constraintText } from '#domain/names.ts';
import { cutPage } from '#gateway/page.ts';
import type { Handler } from '#gateway/types.ts';
import { certificateUsers } from '#intent/index.ts';
import type { AcmDeps } from './types.ts';
import { statusOf, summaryView } from './view.ts';

const PAGE = 1000;
/** What is listed when no key type is asked for. */
const defaultKeyTypes = ['RSA_1024', 'RSA_2048'];

export function listCertificatesOperation(deps: AcmDeps): Handler<ListCertificatesRequest, ListCertificatesResponse> {
  return {
    name: 'ListCertificates',
    async handle(input, context) {
      const size = pageSize(input.MaxItems);
      assertOrder(input);
      const { records, users } = await deps.store.read(async (tx) => ({
        records: await tx.certificates.list({ account: context.account, region: context.region }),
        users: await certificateUsers(tx, context),
      }));
      const wanted = records.filter((record) => matches(record, input));
      if (input.SortBy === 'CREATED_AT') {
        const sign = input.SortOrder === 'ASCENDING' ? 1 : -1;
        wanted.sort((a, b) => sign * (a.desired.createdAt - b.desired.createdAt) || (a.key.id < b.key.id ? -1 : 1));
      }
      const views = await Promise.all(wanted.map((record) => summaryView(record, users.has(certificateArn(record.key)))));
      const found = views.filter((view) => hasUsages(view, input.Includes));
      const { page, next } = cutPage(found, ({ CertificateArn: arn }) => arn ?? '', { size, token: input.NextToken }, badToken);
      return { CertificateSummaryList: page, ...(next === undefined ? {} : { NextToken: next }) };
    },
  };
}

function matches(
  record: CertificateRecord,
  { CertificateStatuses, CertificateKeyPairOrigins, Includes }: ListCertificatesRequest,
): boolean {
  const { desired } = record;
  const origin = desired.type === 'IMPORTED' ? 'CUSTOMER_PROVIDED' : 'AWS_MANAGED';
  return (
    (CertificateStatuses ?? []).concat(CertificateStatuses?.length ? [] : [statusOf(record)]).includes(statusOf(record)) &&
    (CertificateKeyPairOrigins === undefined || CertificateKeyPairOrigins.length === 0 || CertificateKeyPairOrigins.includes(origin)) &&
    (Includes?.keyTypes?.length ? Includes.keyTypes : defaultKeyTypes).includes(desired.keyAlgorithm) &&
    (Includes?.exportOption === undefined || Includes.exportOption === (desired.options['Export'] ?? 'DISABLED')) &&
    Includes?.managedBy === undefined
  );
}

function hasUsages(view: CertificateSummary, includes: ListCertificatesRequest['Includes']): boolean {
  const some = (wanted: readonly string[] | undefined, there: readonly string[] | undefined) =>
    wanted === undefined || wanted.length === 0 || wanted.some((one) => there?.includes(one));
  return some(includes?.keyUsage, view.KeyUsages) && some(includes?.extendedKeyUsage, view.ExtendedKeyUsages);
}

function pageSize(wanted: number | undefined): number {
  const size = wanted ?? PAGE;
  if (Number.isInteger(size) && size >= 1 && size <= PAGE) return size;
  throw new Fault('InvalidParameter', constraintText(String(size), 'maxItems', `have value between 1 and ${PAGE}`));
}

const badToken = () => new Fault('InvalidParameter', 'The NextToken is not one that ListCertificates returned.');

function assertOrder({ SortBy, SortOrder }: ListCertificatesRequest): void {
  if ((SortBy === undefined) === (SortOrder === undefined)) return;
  throw new Fault('InvalidParameter', 'SortBy and SortOrder must be given together.');
}
