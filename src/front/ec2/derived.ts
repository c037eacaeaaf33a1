/** Resources that berth does not keep rows of, since they follow from a VPC: its main route table, internet gateway, DHCP options. */
import { createHash } from 'node:crypto';

/** `rtb-` and the like, the same for a VPC at every time. */
export function derivedId(prefix: string, vpcId: string): string {
  return `${prefix}-0${createHash('sha256').update(`${prefix}/${vpcId}`).digest('hex').slice(0, 16)}`;
}
