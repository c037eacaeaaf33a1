/** Security policies (Elastic Load Balancing user guides, "Security policies") as the versions of TLS that they take. */
import type { ListenerRecord } from '#domain/load-balancer.ts';
import type { ListenerTls, TlsVersion } from './types.ts';

export function tlsOf(listener: ListenerRecord['desired'], certificates: string[], attributes: Record<string, string>): ListenerTls {
  const http2 = listener.protocol === 'HTTPS' && attributes['routing.http2.enabled'] !== 'false';
  const alpn = listener.protocol === 'HTTPS' ? [...(http2 ? ['h2'] : []), 'http/1.1'] : alpnOf(listener.alpnPolicy);
  return { certificates, ...versionsOf(listener.sslPolicy), alpn };
}

/** `ELBSecurityPolicy-TLS13-1-2-2021-06`: TLS 1.3 down to 1.2. Policies of before TLS 1.3 end with 1.2, and begin with 1.0 unless they say more. */
export function versionsOf(policy: string | null): { minVersion: TlsVersion; maxVersion: TlsVersion } {
  const name = policy ?? '';
  const modern = /TLS13-1-([0-3])/.exec(name)?.[1];
  if (modern !== undefined) return { minVersion: `TLSv1.${modern}` as TlsVersion, maxVersion: 'TLSv1.3' };
  if (name === '') return { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' };
  const older = /(?:TLS|FS|FS-Res|PFS)-1-([12])/.exec(name)?.[1] ?? '0';
  return { minVersion: `TLSv1.${older}` as TlsVersion, maxVersion: 'TLSv1.2' };
}

function alpnOf(policy: string | null): string[] {
  switch (policy) {
    case 'HTTP1Only':
      return ['http/1.1'];
    case 'HTTP2Only':
      return ['h2'];
    case 'HTTP2Optional':
      return ['http/1.1', 'h2'];
    case 'HTTP2Preferred':
      return ['h2', 'http/1.1'];
    default:
      return [];
  }
}
