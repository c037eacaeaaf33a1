/** Security policies of HTTPS and TLS listeners ("Security policies for your Application Load Balancer"). FIPS and post-quantum ones are not offered. */
export type SslPolicy = { name: string; protocols: string[]; ciphers: string[] };

/** What the API gives a listener that names none. */
export const DEFAULT_SSL_POLICY = 'ELBSecurityPolicy-2016-08';

const tls13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];
const forwardGcm = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
];
const forwardSha2 = ['ECDHE-ECDSA-AES128-SHA256', 'ECDHE-RSA-AES128-SHA256', 'ECDHE-ECDSA-AES256-SHA384', 'ECDHE-RSA-AES256-SHA384'];
const forwardSha1 = ['ECDHE-ECDSA-AES128-SHA', 'ECDHE-RSA-AES128-SHA', 'ECDHE-RSA-AES256-SHA', 'ECDHE-ECDSA-AES256-SHA'];
const rsaSha2 = ['AES128-GCM-SHA256', 'AES128-SHA256', 'AES256-GCM-SHA384', 'AES256-SHA256'];
const rsaSha1 = ['AES128-SHA', 'AES256-SHA'];
const forwardStrong = [...forwardGcm, ...forwardSha2];
const forward = [...forwardStrong, ...forwardSha1];
const strong = [...forwardStrong, ...rsaSha2];
const all = [...forward, ...rsaSha2, ...rsaSha1];

const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
const policy = (name: string, from: string, to: string, ciphers: string[]): SslPolicy => ({
  name: `ELBSecurityPolicy-${name}`,
  protocols: versions.slice(versions.indexOf(from), versions.indexOf(to) + 1),
  ciphers,
});

export const sslPolicies: readonly SslPolicy[] = [
  policy('2016-08', 'TLSv1', 'TLSv1.2', all),
  policy('2015-05', 'TLSv1', 'TLSv1.2', all),
  policy('TLS-1-0-2015-04', 'TLSv1', 'TLSv1.2', [...all, 'DES-CBC3-SHA']),
  policy('TLS-1-1-2017-01', 'TLSv1.1', 'TLSv1.2', all),
  policy('TLS-1-2-2017-01', 'TLSv1.2', 'TLSv1.2', strong),
  policy('TLS-1-2-Ext-2018-06', 'TLSv1.2', 'TLSv1.2', all),
  policy('FS-2018-06', 'TLSv1', 'TLSv1.2', forward),
  policy('FS-1-1-2019-08', 'TLSv1.1', 'TLSv1.2', forward),
  policy('FS-1-2-2019-08', 'TLSv1.2', 'TLSv1.2', forward),
  policy('FS-1-2-Res-2019-08', 'TLSv1.2', 'TLSv1.2', forwardStrong),
  policy('FS-1-2-Res-2020-10', 'TLSv1.2', 'TLSv1.2', forwardGcm),
  policy('TLS13-1-0-2021-06', 'TLSv1', 'TLSv1.3', [...tls13, ...all]),
  policy('TLS13-1-1-2021-06', 'TLSv1.1', 'TLSv1.3', [...tls13, ...all]),
  policy('TLS13-1-2-2021-06', 'TLSv1.2', 'TLSv1.3', [...tls13, ...forwardStrong]),
  policy('TLS13-1-2-Res-2021-06', 'TLSv1.2', 'TLSv1.3', [...tls13, ...forwardGcm]),
  policy('TLS13-1-2-Ext1-2021-06', 'TLSv1.2', 'TLSv1.3', [...tls13, ...strong]),
  policy('TLS13-1-2-Ext2-2021-06', 'TLSv1.2', 'TLSv1.3', [...tls13, ...all]),
  policy('TLS13-1-3-2021-06', 'TLSv1.3', 'TLSv1.3', tls13),
];

export function sslPolicyNamed(name: string): SslPolicy | undefined {
  return sslPolicies.find((one) => one.name === name);
}
