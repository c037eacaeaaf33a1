/** Which version of the protocol two peers speak: the highest that both have. Each release speaks its own and the one before. */
import { Fault } from '#base/fault.ts';

export type VersionRange = { min: number; max: number };

/** Throws Fault Unsupported, with what to do, when there is none. */
export function negotiateVersion(control: VersionRange, host: VersionRange): number {
  const version = Math.min(control.max, host.max);
  if (version >= Math.max(control.min, host.min)) return version;
  const older = control.max < host.max ? 'the control plane' : 'the host';
  throw new Fault(
    'Unsupported',
    `the host speaks versions ${host.min} to ${host.max} of the link and the control plane ${control.min} to ${control.max}: update ${older}`,
    { details: { control, host } },
  );
}
