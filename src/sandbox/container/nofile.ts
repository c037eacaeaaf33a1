/** How many files a container may open by default. */

/** Fargate's (KernelCapabilities and ulimits, SDK ContainerDefinition.ulimits). */
const FARGATE_NOFILE = 65_535;
/** capabilities(7): the right to raise a hard limit. */
const CAP_SYS_RESOURCE = 24n;

/**
 * Fargate's default, or this machine's hard limit where that is lower and we may not raise it (a host that is a container itself).
 * Takes /proc/self/limits and /proc/self/status.
 */
export function nofileOf(limitsText: string, statusText: string): number {
  const capabilities = /^CapEff:\s+([0-9a-f]+)$/m.exec(statusText)?.[1] ?? '0';
  if ((BigInt(`0x${capabilities}`) >> CAP_SYS_RESOURCE) & 1n) return FARGATE_NOFILE;
  const hard = /^Max open files\s+\d+\s+(\d+)/m.exec(limitsText)?.[1];
  return hard === undefined ? FARGATE_NOFILE : Math.min(FARGATE_NOFILE, Number(hard));
}
