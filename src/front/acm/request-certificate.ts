import type { RequestCertificateRequest, RequestCertificateResponse } from '@aws-sdk/client-acm';
import { Fault } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import { requestableAlgorithms } from '#certificates/index.ts';
import { certificateArn } from '#domain/certificate.ts';
import { DOMAIN_NAME_CHARS, DOMAIN_NAME_PATTERN, isDomainName } from '#domain/domain-name.ts';
import { clip, constraintText } from '#domain/names.ts';
import type { Handler } from '#gateway/types.ts';
import { requestCertificateOnce } from '#intent/index.ts';
import type { CertificateRequest } from '#intent/index.ts';
import { certificateOptions } from './options.ts';
import { readTags } from './tags.ts';
import type { AcmDeps } from './types.ts';

const DOMAIN_CHARS = 64;
const methods = ['DNS', 'EMAIL', 'HTTP'] as const;

export function requestCertificateOperation(deps: AcmDeps): Handler<RequestCertificateRequest, RequestCertificateResponse> {
  return {
    name: 'RequestCertificate',
    async handle(input, context) {
      const wish = { ...readNames(input), ...readKind(input), options: certificateOptions(input.Options), tags: readTags(input.Tags) };
      const record = await requestCertificateOnce(deps, context, wish, readToken(input.IdempotencyToken));
      return { CertificateArn: certificateArn(record.key) };
    },
  };
}

function readNames(input: RequestCertificateRequest): Pick<CertificateRequest, 'domain' | 'names'> {
  const domain = readName('domainName', input.DomainName ?? '');
  if (domain.length > DOMAIN_CHARS) {
    throw new Fault(
      'InvalidParameter',
      `The first domain name can have at most ${DOMAIN_CHARS} octets; '${clip(domain)}' has ${domain.length}.`,
    );
  }
  const others = (input.SubjectAlternativeNames ?? []).map((name, i) => readName(`subjectAlternativeNames.${i + 1}.member`, name));
  const names = [...new Set([domain, ...others])];
  if (names.length > limits.certificateNames) {
    throw new Fault(
      'LimitExceeded',
      `A certificate can have at most ${limits.certificateNames} domain names; ${names.length} were asked for.`,
    );
  }
  for (const { DomainName, ValidationDomain } of input.DomainValidationOptions ?? []) {
    const under = `.${DomainName ?? ''}`.endsWith(`.${ValidationDomain ?? ''}`);
    if (names.includes(DomainName ?? '') && under) continue;
    throw new Fault(
      'InvalidParameter',
      `The validation domain '${clip(ValidationDomain ?? '')}' must be one of the requested names or a domain above it; it was given for '${clip(DomainName ?? '')}'.`,
      { details: { errorName: 'InvalidDomainValidationOptionsException' } },
    );
  }
  return { domain, names };
}

function readName(path: string, text: string): string {
  const name = text.toLowerCase();
  if (isDomainName(name)) return name;
  const constraint =
    name.length > DOMAIN_NAME_CHARS || name === ''
      ? `Member must have length between 1 and ${DOMAIN_NAME_CHARS}`
      : `Member must satisfy regular expression pattern: ${DOMAIN_NAME_PATTERN}`;
  throw new Fault(
    'InvalidParameter',
    `1 validation error detected: Value '${clip(text)}' at '${path}' failed to satisfy constraint: ${constraint}`,
  );
}

function readKind(input: RequestCertificateRequest): Pick<CertificateRequest, 'keyAlgorithm' | 'validationMethod'> {
  if (input.CertificateAuthorityArn !== undefined) {
    throw new Fault(
      'Unsupported',
      'berth has no AWS Private CA: leave CertificateAuthorityArn out, and its own authority issues the certificate.',
    );
  }
  const keyAlgorithm = oneOf('keyAlgorithm', input.KeyAlgorithm ?? 'RSA_2048', requestableAlgorithms);
  const validationMethod = oneOf('validationMethod', input.ValidationMethod ?? 'EMAIL', methods);
  return { keyAlgorithm, validationMethod };
}

function oneOf<T extends string>(path: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw new Fault('InvalidParameter', constraintText(value, path, `satisfy enum value set: [${allowed.join(', ')}]`));
}

function readToken(token: string | undefined): string | undefined {
  if (token === undefined || /^\w{1,32}$/.test(token)) return token;
  throw new Fault(
    'InvalidParameter',
    constraintText(token, 'idempotencyToken', 'satisfy regular expression pattern: \\w+ and have at most 32 characters'),
  );
}
