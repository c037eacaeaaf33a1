/** berth's own API, beside AWS's: images on hosts, the platform's state, a task's last lines. Signed like the rest, service `berth`. */
import type { ApiErrors, ApiSpec, StreamRoute } from '#gateway/types.ts';
import type { IntentDeps } from '#intent/index.ts';
import { describeCertificateAuthority } from './describe-certificate-authority.ts';
import { describeHosts } from './describe-hosts.ts';
import { describeLoadBalancerMetrics } from './describe-load-balancer-metrics.ts';
import { describePlatform } from './describe-platform.ts';
import { execRoute } from './exec-stream.ts';
import { getUsage } from './get-usage.ts';
import { importRoute, pullRoute } from './image-streams.ts';
import { listEvents } from './list-events.ts';
import { listImages, pruneImages, removeImage } from './images.ts';
import { listMasterKeys, rotateMasterKey } from './master-keys.ts';
import { pausePlacement } from './pause-placement.ts';
import { schemas } from './schemas.ts';
import { tailTask } from './tail-task.ts';
import { taskUsage } from './task-usage.ts';
import { listVolumes, pruneVolumes, removeVolume } from './volumes.ts';
import type { BerthApiDeps } from './types.ts';

export type { BerthApiDeps, HostAccess, PlatformFacts } from './types.ts';

export function createBerthApi(deps: BerthApiDeps, intent: IntentDeps): ApiSpec {
  return {
    service: 'berth',
    protocol: 'json-1.1',
    target: 'Berth_20261101',
    loadSchemas: async () => schemas,
    errors,
    operations: [
      describePlatform(deps, intent),
      describeCertificateAuthority(deps),
      describeHosts(deps),
      describeLoadBalancerMetrics(deps),
      listImages(deps),
      removeImage(deps),
      pruneImages(deps),
      tailTask(deps),
      taskUsage(deps),
      getUsage(deps),
      listEvents(deps),
      pausePlacement(deps),
      listMasterKeys(deps),
      rotateMasterKey(deps),
      listVolumes(deps),
      removeVolume(deps, intent),
      pruneVolumes(deps, intent),
    ],
  };
}

export function createBerthStreams(deps: BerthApiDeps): StreamRoute[] {
  return [pullRoute(deps), importRoute(deps), execRoute(deps)];
}

const statuses: Record<string, number> = { AccessDenied: 403, Internal: 500, ProtocolError: 500, Unavailable: 503, TimedOut: 503 };

/** Named after the Fault's own code. */
const errors: ApiErrors = {
  name: (faultCode, errorName) => ({ name: errorName ?? `${faultCode}Exception`, status: statuses[faultCode] ?? 400 }),
};
