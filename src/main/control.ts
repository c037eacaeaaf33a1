/** The control plane: gateway, front doors, store, loops, logs, balancer in one unprivileged process. Started by the keeper. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAccessLog } from '#balancer/access-log.ts';
import { createActivator } from '#balancer/activator.ts';
import { createBalancer } from '#balancer/balancer.ts';
import type { Balancer } from '#balancer/types.ts';
import { realClock } from '#base/clock.ts';
import { asFault } from '#base/fault.ts';
import { uuid } from '#base/ids.ts';
import { limits } from '#base/limits.ts';
import { createLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { createAcmeIssuer, createChallenges, LETS_ENCRYPT, openCertificates } from '#certificates/index.ts';
import type { Challenges } from '#certificates/index.ts';
import { claimRange, startControl } from '#control/index.ts';
import { createBerthStreams } from '#front/berth/index.ts';
import type { PlatformFacts } from '#front/berth/index.ts';
import { createOciRoute } from '#front/oci/index.ts';
import { createPrometheusRoute } from '#front/prometheus/index.ts';
import { createGateway, openKeys } from '#gateway/index.ts';
import type { Gateway } from '#gateway/index.ts';
import { createIdentity } from '#identity/index.ts';
import { ensureRegion } from '#intent/index.ts';
import { listenUnix } from '#link/unix.ts';
import { createLogs } from '#logs/index.ts';
import type { Logs } from '#logs/types.ts';
import { openMetrics } from '#metrics/index.ts';
import { openObjects, type Objects } from '#objects/index.ts';
import type { Metrics } from '#metrics/types.ts';
import { createSessions } from '#session/sessions.ts';
import { createSqliteStore } from '#store/index.ts';
import { openVault } from '#vault/index.ts';
import { createAccessLogSink } from './access-logs.ts';
import { createApis } from './apis.ts';
import { createBucketCalls } from './bucket-doors.ts';
import { readConfig } from './config.ts';
import type { InstanceConfig } from './config.ts';
import { createEventSources, runTaskOf } from './event-targets.ts';
import { createFilterSink } from './filter-metrics.ts';
import { gatewayIdentity } from './gateway-identity.ts';
import { haproxyAddresses } from './haproxy-addresses.ts';
import { ownMeters } from './own-meters.ts';
import { reachable } from './machine/reachable.ts';
import { openRemoteObjects } from './machine/s3-option.ts';
import { home, instancePaths } from './paths.ts';
import { LOAD_ONLY, required, runService } from './service.ts';
import { openRegistry } from './open-registry.ts';
import { registryPulls } from './registry-pulls.ts';
import { createSessionRecord } from './session-record.ts';
import { taskRoles } from './task-roles.ts';
import { createTaskOutput } from './task-output.ts';
import { webhookRules } from './webhook-addresses.ts';
import { protectTask } from './task-protection.ts';

// All modules are loaded by now, which is all that setting up wants (machine/modules.ts).
if (process.argv[2] === LOAD_ONLY) process.exit(0);

const paths = instancePaths(required(process.env, 'BERTH_STATE'));
const config = readConfig(paths.config);

const HOUR_MS = 3_600_000;
const clock = realClock();
const random = realRandom();
const log = createLog(clock, (line) => void process.stdout.write(line), 'info', { process: 'control' });
const machine = { clock, random, log };

await runService(log, clock, async () => {
  if (config === undefined) throw new Error(`${paths.config} is missing: start with 'berth up'`);
  return start(config);
});

/** Builds the parts, from the store outwards; the door to the outside opens last. */
async function start(settings: InstanceConfig): Promise<() => Promise<void>> {
  const linkServer = await listenUnix(paths.linkSocket, clock, { mode: 0o600 });
  const { meters, watch, watchCommit, watchLoop } = ownMeters();
  const store = await createSqliteStore({ path: paths.database, now: () => clock.now(), watch: watchCommit });
  const metrics = openMetrics({ clock }, { path: paths.metrics });
  const objects = await openObjects({ clock, random, log }, { dir: paths.objects });
  const logs = createLogs({ clock, log, dir: paths.logs, metricSink: createFilterSink(metrics) });
  const keys = openKeys({ clock, random }, { path: paths.keys, account: settings.account });
  const ranges = { claim: (cidr: string) => claimRange(control.hosts, cidr) };
  const intent = { store, clock, random, ranges };
  const vault = openVault(intent, { path: paths.vaultKeys });
  const identity = createIdentity({ ...intent, vault });
  const own = await openRegistry({ ...intent, vault, log }, paths.registry);
  const ecr = { ...intent, registry: own.registry, identity };
  const { certificates, challenges } = await openCertificateSources(settings);
  const balancer = await startBalancer(settings, challenges, logs);
  const control = await startControl(
    {
      store,
      linkServer,
      ...machine,
      balancer,
      metrics,
      vault,
      watchLoop,
      certificates,
      certificatesDir: paths.haproxyCertificates,
      ...taskRoles({ ...intent, identity, vault, objects, remote: openRemoteObjects(clock, settings, paths) }, createTaskOutput(logs, log)),
      registry: registryPulls({ ...ecr, identity }, { account: settings.account, region: 'us-east-1' }),
      buckets: createBucketCalls({ store, objects, identity, clock }),
      protectTask: (task, call) => protectTask(intent, task, call),
      events: createEventSources({ ...intent, identity, logs, vault, runTask: runTaskOf(intent), ...eventSettings(settings) }),
    },
    // Whoever listens on the instance's socket is its only control plane.
    { holder: uuid(random), soleOwner: true },
  );
  const sessions = createSessions(
    { clock, random, log, hosts: control.hosts, record: createSessionRecord(clock, logs) },
    { idleMs: settings.execIdleSeconds * 1000 },
  );
  const berth = {
    store,
    clock,
    hosts: control.hosts,
    facts: facts(settings),
    authority: certificates.authority,
    traffic: () => balancer.metrics(),
    pausePlacement: control.pausePlacement,
    masterKeys: { keys: vault.keys, rotate: vault.rotate, rewrap: control.rewrap },
  };
  const gateway = createGateway({
    apis: createApis({ intent, vault, identity, sessions, logs, metrics, objects, certificateKeys: certificates.keys, berth, ecr }),
    streamRoutes: createBerthStreams(berth),
    httpRoutes: [
      createPrometheusRoute({ ...berth, meters, metrics, traffic: () => balancer.metrics(), version: berth.facts.version }),
      createOciRoute(ecr),
    ],
    watch,
    upgrades: [sessions.upgrade],
    ...gatewayIdentity(keys, identity, clock),
    ...machine,
    version: facts(settings).version,
    beforeCall: (context) => ensureRegion(intent, { account: context.account, region: context.region }),
  });
  await gateway.listen({ host: settings.listen, port: settings.apiPort });
  log.info('ready', { listen: settings.listen, port: settings.apiPort });
  void warm(gateway);
  const stopSweeping = sweepAll(logs, metrics, objects);
  return async () => {
    stopSweeping();
    await own.close();
    await gateway.close();
    await control.stop();
    await linkServer.close();
    await balancer.close();
    for (const part of [logs, metrics, objects, store]) await part.close();
  };
}

function eventSettings(settings: InstanceConfig) {
  return { keepMs: settings.eventHours * HOUR_MS, webhooks: webhookRules(settings) };
}

/** The shapes of what nearly every user calls, one after the other, so that the first call needn't wait for them. */
async function warm(gateway: Gateway): Promise<void> {
  for (const service of ['ecs', 'logs']) {
    // What fails here fails again in the first call, which tells its caller.
    await gateway.warm(service).catch((error: unknown) => log.warn('shapes', { service, reason: asFault(error).message }));
  }
}

function sweepAll(logs: Logs, metrics: Metrics, objects: Objects): () => void {
  const stops = [
    sweepNowAndAgain('logs.sweep', limits.logSweepMs, () => logs.sweep()),
    sweepNowAndAgain('metrics.tidy', limits.metricTidyMs, () => metrics.tidy()),
    sweepNowAndAgain('objects.lifecycles', limits.lifecycleMs, () => objects.applyLifecycles()),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Does this now and again: what fails is said, and tried at the next time. Returns the way to stop. */
function sweepNowAndAgain(name: string, everyMs: number, sweep: () => Promise<void>): () => void {
  let stopped = false;
  const run = async (): Promise<void> => {
    await sweep().catch((error: unknown) => log.warn(name, { reason: asFault(error).message }));
    if (!stopped) timer = clock.after(everyMs, () => void run());
  };
  let timer = clock.after(everyMs, () => void run());
  return () => {
    stopped = true;
    timer.cancel();
  };
}

/** berth's own authority, and where a real domain is set ACME for the names under it. */
async function openCertificateSources(settings: InstanceConfig) {
  const options = { dir: paths.certificates, bundleDir: paths.haproxyCertificates, instance: paths.instance };
  const opened = await openCertificates({ clock, random }, options);
  const challenges = createChallenges();
  const { domain, acmeEmail, acmeDirectory } = settings;
  const by = { dir: paths.certificates, directory: acmeDirectory ?? LETS_ENCRYPT, email: acmeEmail, challenges };
  const acme = domain === null ? null : { domain, issuer: createAcmeIssuer(clock, by) };
  return { certificates: { ...opened, acme }, challenges };
}

async function startBalancer(settings: InstanceConfig, challenges: Challenges, logs: Logs): Promise<Balancer & { close(): Promise<void> }> {
  const addresses = haproxyAddresses(paths, settings);
  const activator = createActivator({ challenge: (path) => challenges.answer(path) });
  await activator.listen(addresses.activatorSocket);
  const options = { ...addresses, configPath: paths.haproxyConfig, holderSocket: join(paths.haproxyRun, 'holder.sock') };
  const balancer = createBalancer({ clock, log }, options);
  const accessLog = createAccessLog({ clock, log }, options.accessSocket, createAccessLogSink(logs));
  return {
    ...balancer,
    async apply(traffic) {
      activator.show(traffic.endpoints);
      await accessLog.show(traffic.listeners);
      return await balancer.apply(traffic);
    },
    metrics: () => accessLog.withLatencies(balancer.metrics()),
    takeAnswerTimes: () => accessLog.takeAnswerTimes(),
    close: () => accessLog.close(),
  };
}

function facts(settings: InstanceConfig): PlatformFacts {
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string };
  return {
    version,
    instance: paths.instance,
    endpointUrl: `http://${reachable(settings.listen)}:${settings.apiPort}`,
    endpoint: { listen: settings.listen, port: settings.endpointPort },
    strictCapacity: settings.strictCapacity,
    isolation: settings.isolation,
  };
}
