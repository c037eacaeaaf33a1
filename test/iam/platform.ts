/** A front door with IAM behind it, in one process, for tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realClock, type Clock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { createEcsApi } from '#front/ecs/index.ts';
import { createElbv2Api } from '#front/elbv2/index.ts';
import { createEfsApi } from '#front/efs/index.ts';
import { createEc2Api } from '#front/ec2/index.ts';
import { createEventsApi } from '#front/events/index.ts';
import { createLogsApi } from '#front/logs/index.ts';
import { createSchedulerApi } from '#front/scheduler/index.ts';
import { mayAssume } from '#main/event-role.ts';
import { createSecretsManagerApi } from '#front/secretsmanager/index.ts';
import { createSsmApi } from '#front/ssm/index.ts';
import { createStsApi } from '#front/sts/index.ts';
import { createGateway, openKeys } from '#gateway/index.ts';
import { createIdentity } from '#identity/index.ts';
import { ensureRegion } from '#intent/index.ts';
import { createLogs } from '#logs/index.ts';
import { createSqliteStore } from '#store/index.ts';
import { openVault } from '#vault/index.ts';
import { createIamApi } from '#front/iam/index.ts';

export const account = '123456789012';

/** `clock`: of everything but the clients. */
export async function openIamPlatform(options: { clock?: Clock } = {}) {
  await using ending = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'berth-iam-'));
  ending.defer(() => rmSync(folder, { recursive: true, force: true }));
  const deps = { clock: options.clock ?? realClock(), random: realRandom(), log: silentLog };
  const store = await createSqliteStore({ path: join(folder, 'berth.db') });
  ending.defer(() => store.close());
  const logs = createLogs({ ...deps, dir: join(folder, 'logs') });
  ending.defer(() => logs.close());
  const keys = openKeys(deps, { path: join(folder, 'keys.json'), account });
  const intent = { ...deps, store };
  /** As after a restart: nothing but what is on disk. */
  const open = async () => {
    const vault = openVault(deps, { path: join(folder, 'master.json') });
    const identity = createIdentity({ ...intent, vault });
    const all = { ...intent, identity, vault };
    const gateway = createGateway({
      ...deps,
      apis: [createIamApi(all), createStsApi(all), createEcsApi(intent), createEc2Api(intent), createElbv2Api(intent), createEfsApi(intent), createEventsApi(all), createSchedulerApi({ ...intent, mayAssume: mayAssume(all) }), createLogsApi({ ...deps, logs }), createSecretsManagerApi(all), createSsmApi({ ...all, sessions: { terminate: () => false } })], // prettier-ignore
      keys: { lookup: (id, token) => keys.lookup(id) ?? identity.lookup(id, token) },
      authorize: (principal, action, resources, { region, sourceIp, userAgent }, facts) =>
        identity.assertAllowed(principal, action, resources, { now: deps.clock.now, region, sourceIp, userAgent, secure: false }, facts),
      version: 'test',
      beforeCall: (context) => ensureRegion(intent, { account: context.account, region: context.region }),
    });
    const endpoint = `http://127.0.0.1:${await gateway.listen({ host: '127.0.0.1', port: 0 })}`;
    return { identity, gateway, endpoint, vault };
  };
  const first = await open();
  ending.defer(() => first.gateway.close());
  // From here on it is the caller's to close.
  const built = ending.move();
  return {
    ...deps,
    store,
    logs,
    folder,
    root: keys.root,
    ...first,
    open,
    close: () => built.disposeAsync(),
  };
}
