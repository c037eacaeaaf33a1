/** Names of Express gateway services. */

/** Every Express service of a region has its name under this; berth's resolver answers it in tasks. */
export const expressWildcard = (region: string): string => `*.ecs.${region}.berth.internal`;

/** `NAME.ecs.REGION.berth.internal`; outside of the cluster `default` its name follows. A DNS label is 63 characters at most. */
export function expressHost(region: string, cluster: string, name: string): string {
  const plain = (cluster === 'default' ? name : `${name}-${cluster}`).toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-');
  const label = plain.slice(0, 63).replaceAll(/^-+|-+$/g, '');
  return `${label === '' ? 'service' : label}.ecs.${region}.berth.internal`;
}

/** Tags of an Express service that say what the API has no member for; see the README. */
export const expressTags = {
  /** Codes of a health check's answer that are well: `200-499`. AWS: 200. */
  healthCodes: 'berth:health-codes',
  /** ROLLING or CANARY. AWS: CANARY. */
  deployment: 'berth:deployment',
  /** `on`: its tasks have enableExecuteCommand. */
  exec: 'berth:exec',
} as const;
