/** Which revision a service is at, as its callers see it. Pure. */
import type { ServiceRecord } from '#domain/service.ts';

/**
 * The wish's, until control has taken up its deployment; then the one that it brings the service to, which after a rollback is an earlier
 * one. null for a service whose task sets say what runs.
 */
export function effectiveRevisionId(service: ServiceRecord): string | null {
  const { desired, observed } = service;
  return observed.deploymentId === desired.deploymentId ? (observed.targetRevisionId ?? desired.revisionId) : desired.revisionId;
}
