/** A listener's protocol and port, and what HTTPS and TLS need: a certificate and a security policy. Throws ELBv2's errors. */
import { certificateArn } from '#domain/certificate.ts';
import { elbFault } from '#domain/elb-fault.ts';
import type { ListenerRecord, LoadBalancerType } from '#domain/load-balancer.ts';
import { clip } from '#domain/names.ts';
import type { Scope } from '#domain/scope.ts';
import { DEFAULT_SSL_POLICY, sslPolicyNamed } from '#domain/ssl-policies.ts';
import type { ReadTx } from '#store/types.ts';
import type { ListenerChange } from './listeners.ts';

type Desired = ListenerRecord['desired'];
type Security = Pick<Desired, 'sslPolicy' | 'certificateArns' | 'alpnPolicy'>;

const protocols: Record<LoadBalancerType, Desired['protocol'][]> = { application: ['HTTP', 'HTTPS'], network: ['TCP', 'TLS'] };
const alpnPolicies = ['HTTP1Only', 'HTTP2Only', 'HTTP2Optional', 'HTTP2Preferred', 'None'];

export function assertProtocol(type: LoadBalancerType, protocol: Desired['protocol']): void {
  if (protocols[type].includes(protocol)) return;
  throw elbFault('ValidationError', `Listener protocol '${protocol}' must be one of '${protocols[type].join(', ')}'`);
}

export function assertPort(port: number): void {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return;
  throw elbFault('ValidationError', `Listener port '${port}' must be between 1 and 65535`);
}

/** The security of a new listener, or (`before`) of one that changes. What it had falls away when it becomes HTTP or TCP. */
export function secured(protocol: Desired['protocol'], wish: ListenerChange, before?: Security): Security {
  const certificates = wish.certificateArns ?? [];
  if (protocol !== 'HTTPS' && protocol !== 'TLS') {
    if (certificates.length > 0) {
      throw elbFault('InvalidConfigurationRequest', `A certificate cannot be specified for ${protocol} listeners`);
    }
    if (wish.sslPolicy !== undefined) {
      throw elbFault('InvalidConfigurationRequest', `An SSL policy cannot be specified for ${protocol} listeners`);
    }
    if (wish.alpnPolicy !== undefined) {
      throw elbFault('InvalidConfigurationRequest', `An ALPN policy cannot be specified for ${protocol} listeners`);
    }
    return { sslPolicy: null, certificateArns: [], alpnPolicy: null };
  }
  if (certificates.length > 1) {
    throw elbFault('TooManyCertificates', 'Only one certificate can be specified: add others with AddListenerCertificates');
  }
  const kept = before?.certificateArns ?? [];
  const certificateArns = certificates.length === 0 ? kept : [...new Set([...certificates, ...kept.slice(1)])];
  if (certificateArns.length === 0) throw elbFault('ValidationError', `A certificate must be specified for ${protocol} listeners`);
  const sslPolicy = wish.sslPolicy ?? before?.sslPolicy ?? DEFAULT_SSL_POLICY;
  if (sslPolicyNamed(sslPolicy) === undefined) throw elbFault('SSLPolicyNotFound', `SSL policy '${clip(sslPolicy)}' not found`);
  return { sslPolicy, certificateArns, alpnPolicy: alpn(protocol, wish.alpnPolicy ?? before?.alpnPolicy ?? null) };
}

function alpn(protocol: Desired['protocol'], policy: string | null): string | null {
  if (policy === null) return null;
  if (protocol !== 'TLS') throw elbFault('InvalidConfigurationRequest', `An ALPN policy cannot be specified for ${protocol} listeners`);
  if (alpnPolicies.includes(policy)) return policy;
  throw elbFault('ALPNPolicyNotFound', `The ALPN policy '${clip(policy)}' must be one of ${alpnPolicies.join(', ')}`);
}

/** One of this account and region's that was issued. */
export async function assertCertificate(tx: ReadTx, scope: Scope, arn: string): Promise<void> {
  const id = /:certificate\/([^/]+)$/.exec(arn)?.[1];
  const certificate = id === undefined ? undefined : await tx.certificates.get({ ...scope, id });
  if (certificate === undefined || certificateArn(certificate.key) !== arn) {
    throw elbFault('CertificateNotFound', `Certificate '${clip(arn, 200)}' not found`);
  }
  if (certificate.observed.status !== 'ISSUED') {
    throw elbFault(
      'UnsupportedCertificate',
      `The certificate '${arn}' must have a fully-qualified domain name, a supported signature, and a supported key size.`,
    );
  }
}
