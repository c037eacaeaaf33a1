/** Wishes about certificates. Private keys are not seen here: the caller keeps them in files before the record is written. */
import { Fault } from '#base/fault.ts';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import type { Random } from '#base/random.ts';
import { certificateArn, parseCertificateArn } from '#domain/certificate.ts';
import type { CertificateRecord } from '#domain/certificate.ts';
import { loadBalancerArn } from '#domain/load-balancer.ts';
import type { Scope } from '#domain/scope.ts';
import type { Tag } from '#domain/task.ts';
import type { ReadTx, WriteTx } from '#store/types.ts';
import type { IntentDeps } from './types.ts';

type Desired = CertificateRecord['desired'];
export type CertificateTime = { random: Random; now: number };

export type CertificateRequest = {
  /** The first of `names`; all are checked (domain/domain-name.ts). */
  domain: string;
  names: string[];
  keyAlgorithm: string;
  validationMethod: NonNullable<Desired['validationMethod']>;
  options: Record<string, string>;
  tags: Tag[];
};

/**
 * Writes the wish for a certificate, inside a transaction of the caller's: PENDING_VALIDATION until control/certificates has issued it.
 * Throws LimitExceeded past ACM's quota for a region.
 */
export async function requestCertificate(
  tx: WriteTx,
  { random, now }: CertificateTime,
  scope: Scope,
  wish: CertificateRequest,
): Promise<CertificateRecord> {
  await assertRoom(tx, scope);
  const desired: Desired = {
    type: 'AMAZON_ISSUED',
    ...wish,
    createdAt: now,
    importedAt: null,
    certificate: null,
    chain: null,
    notBefore: null,
    notAfter: null,
    issuer: null,
    renewAskedAt: null,
  };
  return await tx.certificates.insert({ ...keyScope(scope), id: uuid(random) }, desired, notYet('PENDING_VALIDATION'));
}

/** The same as a call of its own; within an hour the same token with the same names stands for the same certificate. */
export async function requestCertificateOnce(
  deps: IntentDeps,
  scope: Scope,
  wish: CertificateRequest,
  token: string | undefined,
): Promise<CertificateRecord> {
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    if (token === undefined) return await requestCertificate(tx, { random: deps.random, now }, scope, wish);
    const paramsHash = JSON.stringify([wish.domain, [...wish.names].sort(), wish.keyAlgorithm]);
    const key = { ...keyScope(scope), cluster: '', operation: 'acm:RequestCertificate', token };
    const before = await tx.clientTokens.get(key);
    if (before !== undefined && before.expiresAt > now && before.paramsHash === paramsHash) {
      const present = await tx.certificates.get({ ...keyScope(scope), id: before.taskIds[0] ?? '' });
      if (present !== undefined) return present;
    }
    const record = await requestCertificate(tx, { random: deps.random, now }, scope, wish);
    const answer = { key, paramsHash, taskIds: [record.key.id], expiresAt: now + limits.certificateTokenMs };
    await tx.clientTokens.put(answer, before?.revision ?? 0);
    return record;
  });
}

export type CertificateImport = Pick<Desired, 'domain' | 'names' | 'keyAlgorithm'> & {
  certificate: string;
  chain: string | null;
  notBefore: number;
  notAfter: number;
};

/** A new certificate under `id`. Its key must have been kept before. */
export async function importCertificate(
  deps: IntentDeps,
  scope: Scope,
  id: string,
  parts: CertificateImport,
  tags: Tag[],
): Promise<CertificateRecord> {
  const now = deps.clock.now();
  return await deps.store.write(async (tx) => {
    await assertRoom(tx, scope);
    const desired: Desired = {
      type: 'IMPORTED',
      ...parts,
      createdAt: now,
      importedAt: now,
      issuer: null,
      validationMethod: null,
      options: {},
      renewAskedAt: null,
      tags,
    };
    return await tx.certificates.insert({ ...keyScope(scope), id }, desired, notYet('ISSUED'));
  });
}

/** Another certificate under the same ARN: for the same domain, with a key of the same algorithm, as ACM wants it. */
export async function reimportCertificate(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  parts: CertificateImport,
): Promise<CertificateRecord> {
  const now = deps.clock.now();
  return await change(deps, scope, arn, (record) => {
    const { desired } = record;
    if (desired.type !== 'IMPORTED') throw invalid('Only an imported certificate can be reimported.');
    if (desired.keyAlgorithm !== parts.keyAlgorithm) {
      throw invalid(`The key algorithm ${parts.keyAlgorithm} differs from that of the certificate to replace, ${desired.keyAlgorithm}.`);
    }
    if (desired.domain !== parts.domain) {
      throw invalid(`The certificate is for ${parts.domain}; the one to replace is for ${desired.domain}.`);
    }
    return { ...desired, ...parts, importedAt: now };
  });
}

/** Throws ResourceNotFound; InvalidParameter for text that is no certificate's ARN. */
export async function findCertificate(tx: ReadTx, scope: Scope, arn: string): Promise<CertificateRecord> {
  const key = parseCertificateArn(arn);
  if (key === undefined) {
    throw new Fault('InvalidParameter', `Invalid certificate ARN: ${arn.slice(0, 200)}`, { details: { errorName: 'InvalidArnException' } });
  }
  const own = key.account === scope.account && key.region === scope.region;
  const record = own ? await tx.certificates.get(key) : undefined;
  if (record === undefined) throw new Fault('ResourceNotFound', `Could not find certificate ${arn}.`);
  return record;
}

/** ARNs of the load balancers whose listeners name a certificate, by the certificate's ARN. */
export async function certificateUsers(tx: ReadTx, scope: Scope): Promise<Map<string, string[]>> {
  const users = new Map<string, string[]>();
  for (const { key, desired } of await tx.listeners.list(keyScope(scope))) {
    const balancer = { type: desired.loadBalancerType, id: desired.loadBalancerId };
    const arn = loadBalancerArn({ key: { ...keyScope(key), name: key.loadBalancer }, desired: balancer } as Parameters<
      typeof loadBalancerArn
    >[0]);
    for (const used of desired.certificateArns) {
      const present = users.get(used) ?? [];
      if (!present.includes(arn)) users.set(used, [...present, arn]);
    }
  }
  return users;
}

/** Throws Conflict while a listener names it. */
export async function deleteCertificate(deps: IntentDeps, scope: Scope, arn: string): Promise<void> {
  await deps.store.write(async (tx) => {
    const record = await findCertificate(tx, scope, arn);
    const users = (await certificateUsers(tx, scope)).get(certificateArn(record.key)) ?? [];
    if (users.length > 0) {
      throw new Fault('Conflict', `Certificate ${arn} in account ${scope.account} is in use.`, { details: { users } });
    }
    await tx.certificates.delete(record.key);
  });
}

export async function setCertificateTags(deps: IntentDeps, scope: Scope, arn: string, tags: (present: Tag[]) => Tag[]): Promise<void> {
  await change(deps, scope, arn, ({ desired }) => ({ ...desired, tags: tags(desired.tags) }));
}

export async function setCertificateOptions(deps: IntentDeps, scope: Scope, arn: string, options: Record<string, string>): Promise<void> {
  await change(deps, scope, arn, ({ desired }) => {
    if (desired.type !== 'AMAZON_ISSUED') throw invalid('The options of an imported certificate cannot be changed.');
    return { ...desired, options: { ...desired.options, ...options } };
  });
}

/** Asks for a renewal of an issued certificate before its time. */
export async function renewCertificate(deps: IntentDeps, scope: Scope, arn: string): Promise<void> {
  const now = deps.clock.now();
  await change(deps, scope, arn, ({ desired, observed }) => {
    if (desired.type !== 'AMAZON_ISSUED') throw invalid('An imported certificate cannot be renewed: import a new one under its ARN.');
    if (observed.status === 'PENDING_VALIDATION') {
      throw new Fault('Conflict', 'The certificate has not been issued yet.', { details: { errorName: 'RequestInProgressException' } });
    }
    return { ...desired, renewAskedAt: now };
  });
}

async function change(
  deps: IntentDeps,
  scope: Scope,
  arn: string,
  next: (record: CertificateRecord) => Desired,
): Promise<CertificateRecord> {
  return await deps.store.write(async (tx) => {
    const record = await findCertificate(tx, scope, arn);
    return await tx.certificates.setDesired(record.key, next(record), record.revision);
  });
}

async function assertRoom(tx: ReadTx, scope: Scope): Promise<void> {
  const present = await tx.certificates.list(keyScope(scope));
  if (present.length < limits.certificatesPerRegion) return;
  throw new Fault(
    'LimitExceeded',
    `Error: you have reached your limit of ${limits.certificatesPerRegion} certificates in this region. Delete some that are not in use.`,
  );
}

const invalid = (message: string) => new Fault('InvalidParameter', message, { details: { errorName: 'ValidationException' } });
/** A call's context has more members than a key may have. */
const keyScope = ({ account, region }: Scope): Scope => ({ account, region });
const notYet = (status: CertificateRecord['observed']['status']): CertificateRecord['observed'] => ({
  status,
  reason: null,
  renewedAt: null,
  issued: null,
  bundle: null,
});
