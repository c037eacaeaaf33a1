/** A load balancer's subnets, in either form of the API. */
import type { SubnetMapping } from '@aws-sdk/client-elastic-load-balancing-v2';
import { elbFault, notInBerth } from '#domain/elb-fault.ts';

/** Throws ValidationError; addresses of a caller's own choice are refused by name. */
export function subnetsOf(input: { Subnets?: string[] | undefined; SubnetMappings?: SubnetMapping[] | undefined }): string[] {
  const mappings = input.SubnetMappings ?? [];
  if (mappings.length > 0 && (input.Subnets ?? []).length > 0) {
    throw elbFault('ValidationError', 'You can specify either subnets or subnet mappings, but not both');
  }
  for (const mapping of mappings) {
    const { AllocationId, PrivateIPv4Address, IPv6Address, SourceNatIpv6Prefix } = mapping;
    if ([AllocationId, PrivateIPv4Address, IPv6Address, SourceNatIpv6Prefix].some((value) => value !== undefined)) {
      throw notInBerth('subnet mappings with an address of their own: the address is chosen out of the subnet');
    }
  }
  return mappings.length > 0 ? mappings.map((mapping) => mapping.SubnetId ?? '') : (input.Subnets ?? []);
}
