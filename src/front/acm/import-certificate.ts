import type { ImportCertificateRequest, ImportCertificateResponse } from '@aws-sdk/client-acm';
import { Fault } from '#base/fault.ts';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { checkImport } from '#certificates/index.ts';
import { certificateArn, parseCertificateArn } from '#domain/certificate.ts';
import type { Handler } from '#gateway/types.ts';
import { findCertificate, importCertificate, reimportCertificate } from '#intent/index.ts';
import { readTags } from './tags.ts';
import type { AcmDeps } from './types.ts';

export function importCertificateOperation(deps: AcmDeps): Handler<ImportCertificateRequest, ImportCertificateResponse> {
  return {
    name: 'ImportCertificate',
    async handle(input, context) {
      const tags = readTags(input.Tags);
      const arn = input.CertificateArn;
      if (arn !== undefined && tags.length > 0) {
        throw new Fault('InvalidParameter', 'You cannot apply tags when reimporting a certificate.');
      }
      if (arn !== undefined) await deps.store.read((tx) => findCertificate(tx, context, arn));
      const { facts, ...parts } = checkImport(readParts(input), deps.clock.now());
      const { fingerprint: _, ...told } = facts;
      const id = arn === undefined ? uuid(deps.random) : (parseCertificateArn(arn)?.id ?? '');
      // A key file without its record is swept later; a record without its key could not serve.
      await deps.keys.save(id, parts.privateKey);
      const wish = { ...told, certificate: parts.certificate, chain: parts.chain };
      const record =
        arn === undefined ? await importCertificate(deps, context, id, wish, tags) : await reimportCertificate(deps, context, arn, wish);
      return { CertificateArn: certificateArn(record.key) };
    },
  };
}

function readParts(input: ImportCertificateRequest) {
  return {
    certificate: text('certificate', input.Certificate, limits.certificateBytes),
    privateKey: text('privateKey', input.PrivateKey, limits.certificateKeyBytes),
    chain: input.CertificateChain === undefined ? null : text('certificateChain', input.CertificateChain, limits.certificateChainBytes),
  };
}

function text(name: string, bytes: Uint8Array | undefined, most: number): string {
  const length = bytes?.length ?? 0;
  if (length < 1 || length > most) {
    throw new Fault(
      'InvalidParameter',
      `1 validation error detected: Value at '${name}' failed to satisfy constraint: Member must have length between 1 and ${most}; it has ${length}.`,
    );
  }
  return Buffer.from(bytes ?? []).toString('latin1');
}
