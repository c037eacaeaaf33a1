/** CertificateOptions of a request and of an update. */
import type { CertificateOptions } from '@aws-sdk/client-acm';
import { Fault } from '#base/fault.ts';
import { constraintText } from '#domain/names.ts';

const known = ['CertificateTransparencyLoggingPreference', 'Export'] as const;

/** Those that were set, checked. */
export function certificateOptions(options: CertificateOptions | undefined): Record<string, string> {
  const set: Record<string, string> = {};
  for (const name of known) {
    const value = options?.[name];
    if (value === undefined) continue;
    if (value !== 'ENABLED' && value !== 'DISABLED') {
      throw new Fault('InvalidParameter', constraintText(value, `options.${name}`, 'satisfy enum value set: [ENABLED, DISABLED]'));
    }
    if (name === 'Export' && value === 'ENABLED') {
      throw new Fault(
        'Unsupported',
        'berth does not export certificates with their private keys: leave Export out, or set it to DISABLED.',
      );
    }
    set[name] = value;
  }
  return set;
}
