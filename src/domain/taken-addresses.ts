/** Addresses of subnets that others than tasks have, in the form of tasks' places. Pure. */
import type { LoadBalancerRecord } from './load-balancer.ts';

export const balancerAddresses = (loadBalancers: readonly LoadBalancerRecord[]): { subnetId: string; ip: string }[] =>
  loadBalancers.flatMap(({ observed }) =>
    observed.ip === null || observed.subnetId === null ? [] : [{ subnetId: observed.subnetId, ip: observed.ip }],
  );
