/** The X.509 library, loaded when a certificate is made or taken apart for the first time: 15 MiB that most control planes never need. */
import { webcrypto } from 'node:crypto';

let loading: Promise<typeof import('@peculiar/x509')> | undefined;

export function loadX509(): Promise<typeof import('@peculiar/x509')> {
  loading ??= (async () => {
    // The library's own dependency wants it there first.
    await import('reflect-metadata');
    const x509 = await import('@peculiar/x509');
    x509.cryptoProvider.set(webcrypto as unknown as Crypto);
    return x509;
  })();
  return loading;
}
