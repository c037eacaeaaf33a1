/** The host agent: runs as root, takes assignments over the link and carries them out. Started by the keeper, it starts the kernel worker. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { realClock } from '#base/clock.ts';
import { createLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { createHostAgent } from '#host/agent.ts';
import { createApiForward } from '#host/api-forward.ts';
import { createBucketDoors } from '#host/bucket-door.ts';
import { createFileJournal } from '#host/file-journal.ts';
import { createMetadataServer } from '#host/metadata/server.ts';
import { readFreeDisk, readHostInfo, readHostUsage } from '#host/info.ts';
import { mountMemory } from '#host/secret-files.ts';
import { createOwnRegistry } from '#host/own-registry.ts';
import { createUplink } from '#host/uplink.ts';
import { probeTaskDisks } from '#host/task-disks.ts';
import { createImages } from '#image/images.ts';
import { unixDialer } from '#link/unix.ts';
import { openRangeClaims } from '#network/claims.ts';
import { readMtu, readOccupiedRanges } from '#network/machine.ts';
import { keepHosts } from '#network/hosts-file.ts';
import { createNetwork } from '#network/network.ts';
import { createResolver } from '#network/resolver.ts';
import { createWorkerClient } from '#supervisor/worker-client.ts';
import { createHostVolumes } from '#volume/kinds.ts';
import { createOneUser } from '#volume/one-user.ts';
import { createFileSystemSizes } from '#volume/sizes.ts';
import { readConfig } from './config.ts';
import type { InstanceConfig } from './config.ts';
import { reachable } from './machine/reachable.ts';
import { instancePaths } from './paths.ts';
import { createSandboxes } from './sandboxes.ts';
import { LOAD_ONLY, required, runService } from './service.ts';
import { startWorker } from './worker.ts';

// All modules are loaded by now, which is all that setting up wants (machine/modules.ts).
if (process.argv[2] === LOAD_ONLY) process.exit(0);

const paths = instancePaths(required(process.env, 'BERTH_STATE'));
const supervisor = required(process.env, 'BERTH_SUPERVISOR');
const config = readConfig(paths.config);

/** On each uplink's own address; high, so that what listens on all addresses of the machine is hardly ever in the way. */
const SERVICE_PORTS = { dns: 47_053, metadata: 47_070, api: 47_080 };

const clock = realClock();
const random = realRandom();
const log = createLog(clock, (line) => void process.stdout.write(line), 'info', { process: 'host' });

await runService(log, clock, async () => {
  if (config === undefined) throw new Error(`${paths.config} is missing: start with 'berth up'`);
  return start(config);
});

async function start(settings: InstanceConfig): Promise<() => Promise<void>> {
  for (const dir of [paths.host, paths.tasks, paths.images, join(paths.host, 'uploads')]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  await mountMemory(clock, paths.secrets);
  const workerProcess = startWorker({ supervisor, socket: paths.workerSocket }, clock, log);
  const worker = createWorkerClient({ path: paths.workerSocket, clock });
  await worker.ping();
  const uplink = createUplink();
  const own = createOwnRegistry({ uplink, clock }, { dir: paths.registry, account: settings.account, apiPort: settings.apiPort });
  const images = createImages({
    own,
    dir: paths.images,
    unpacker: worker,
    diskBuilder: worker,
    clock,
    log,
    platform: { os: 'linux', arch: process.arch === 'arm64' ? 'arm64' : 'amd64' },
    dockerConfigPath: join(process.env['DOCKER_CONFIG'] ?? '/root/.docker', 'config.json'),
    proxyEnv: process.env,
  });
  const claims = openRangeClaims(clock, paths.ranges, paths.state);
  const network = createNetwork(
    { worker, log, occupied: () => readOccupiedRanges(paths.instance), claims },
    { instance: paths.instance, runDir: paths.run, ports: SERVICE_PORTS, mtu: readMtu() },
  );
  const forward = createApiForward(
    { log },
    { port: SERVICE_PORTS.api, target: { host: reachable(settings.listen), port: settings.apiPort } },
  );
  const hostsFile = settings.dns ? keepHosts({ clock, log }, settings.hostsFile, paths.instance) : undefined;
  const resolver = createResolver({ clock, random, log }, { port: SERVICE_PORTS.dns });
  const metadata = createMetadataServer({ clock, log, handle: (request) => agent.answer(request) }, { port: SERVICE_PORTS.metadata });
  const disks = await probeTaskDisks(worker, paths.host, paths.diskModels, settings.diskLimit);
  if (!disks.info.limited) log.warn('tasks.disk-unlimited', { reason: disks.info.reason });
  writeFileSync(paths.taskDisks, `${JSON.stringify(disks.info)}\n`, { mode: 0o644 });
  const sandboxes = await createSandboxes({ worker, images, clock, random, log, paths, settings, supervisor, models: disks.models });
  const sizes = createFileSystemSizes({ clock, log }, paths.host);
  const agent = createHostAgent(
    {
      uplink,
      dialer: unixDialer(paths.linkSocket, clock),
      drivers: sandboxes.drivers,
      images,
      network,
      volumes: createHostVolumes(
        { clock, oneUser: createOneUser(worker, paths.instance), buckets: { doors: createBucketDoors({ uplink }), random, log } },
        paths.host,
        sandboxes.vmUser,
      ),
      journal: createFileJournal(paths.host),
      clock,
      random,
      log,
      async info(isolation) {
        sandboxes.found(isolation);
        writeFileSync(paths.isolation, `${JSON.stringify(isolation, null, 2)}\n`, { mode: 0o644 });
        const info = await readHostInfo({
          isolation,
          taskDisks: disks.info,
          dir: paths.host,
          strictCapacity: settings.strictCapacity,
          zone: settings.zone,
          occupiedCidrs: [...readOccupiedRanges(paths.instance), ...(await claims.others())],
          instance: paths.instance,
        });
        return { ...info, cidrSeed: settings.cidrSeed };
      },
      usage: async () => ({ ...(await readHostUsage(paths.host)), fileSystems: sizes.look() }),
      freeDiskBytes: () => readFreeDisk(paths.host),
      async serveVpc(vpc) {
        await Promise.all([resolver.listen(vpc.hostIp), forward.listen(vpc.hostIp), metadata.listen(vpc.vpcId, vpc.hostIp)]);
      },
      setNames(_revision, names) {
        resolver.setNames(names);
        hostsFile?.setNames(names);
      },
    },
    { hostId: `host-${paths.instance}`, dir: paths.host, secretsDir: paths.secrets, auto: settings.isolation },
  );
  await agent.start();
  return async () => {
    await agent.stop();
    hostsFile?.close();
    await Promise.all([sandboxes.close(), forward.close(), metadata.close(), resolver.close(), images.close()]);
    worker.close();
    await workerProcess.stop();
  };
}
