/** Every front door, made of the parts that stand behind it. */
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { Certificates } from '#certificates/index.ts';
import { createAcmApi } from '#front/acm/index.ts';
import { createBerthApi, type BerthApiDeps } from '#front/berth/index.ts';
import { createCloudWatchApis } from '#front/cloudwatch/index.ts';
import { createEc2Api } from '#front/ec2/index.ts';
import { createEcrApi, type EcrDeps } from '#front/ecr/index.ts';
import { createEcsApi } from '#front/ecs/index.ts';
import { createEfsApi } from '#front/efs/index.ts';
import { createElbv2Api } from '#front/elbv2/index.ts';
import { createEventsApi } from '#front/events/index.ts';
import { createIamApi } from '#front/iam/index.ts';
import { createLogsApi } from '#front/logs/index.ts';
import { createS3Api } from '#front/s3/index.ts';
import { createS3FilesApi } from '#front/s3files/index.ts';
import { createSchedulerApi } from '#front/scheduler/index.ts';
import { createSecretsManagerApi } from '#front/secretsmanager/index.ts';
import { createSsmApi } from '#front/ssm/index.ts';
import { createStsApi } from '#front/sts/index.ts';
import type { ApiSpec } from '#gateway/types.ts';
import type { Identity } from '#identity/index.ts';
import type { Logs } from '#logs/types.ts';
import type { Metrics } from '#metrics/types.ts';
import type { Objects } from '#objects/index.ts';
import type { Sessions } from '#session/sessions.ts';
import type { Store } from '#store/types.ts';
import type { Vault } from '#vault/index.ts';
import { mayAssume } from './event-role.ts';

export type ApiParts = {
  intent: { store: Store; clock: Clock; random: Random };
  vault: Vault;
  identity: Identity;
  sessions: Sessions;
  logs: Logs;
  metrics: Metrics;
  objects: Objects;
  certificateKeys: Certificates['keys'];
  berth: BerthApiDeps;
  ecr: EcrDeps;
};

export function createApis({
  intent,
  vault,
  identity,
  sessions,
  logs,
  metrics,
  objects,
  certificateKeys,
  berth,
  ecr,
}: ApiParts): ApiSpec[] {
  const sealed = { ...intent, vault };
  return [
    createEcsApi(intent, { sessions }),
    createSsmApi({ ...sealed, sessions }),
    createSecretsManagerApi(sealed),
    createLogsApi({ logs, random: intent.random }),
    ...createCloudWatchApis({ metrics, clock: intent.clock, intent }),
    createIamApi({ ...intent, identity }),
    createStsApi({ ...intent, identity }),
    createEc2Api(intent),
    createElbv2Api(intent),
    createEfsApi(intent),
    createS3Api({ objects, clock: intent.clock }),
    createS3FilesApi({ ...intent, objects }),
    createEventsApi(sealed),
    createEcrApi(ecr),
    createSchedulerApi({ ...intent, mayAssume: mayAssume({ store: intent.store, identity }) }),
    createAcmApi({ ...intent, keys: certificateKeys }),
    createBerthApi(berth, intent),
  ];
}
