/** The images that berth builds itself, from Debian's real packages; nginx is really run, in namespaces of its own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { realClock } from '#base/clock.ts';
import { failure, makeStore, once, platform } from '../../test/image/fixtures.ts';
import { freePort } from '#base/testing.ts';
import { buildBusyboxImage, buildNginxImage } from './debian-images.ts';
import { registryReachable } from './reachable.ts';

const run = promisify(execFile);
const clock = realClock();
let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-debian-'));
});
after(() => rm(dir, { recursive: true, force: true }));

/** Runs a command in the root directory `root`, with nothing of the machine but /dev and a loopback of its own. */
async function runInside(root: string, outside: string, command: string[]): Promise<{ stdout: string; stderr: string }> {
  const [merged, upper, work] = [join(dir, 'merged'), join(dir, 'upper'), join(dir, 'work')];
  // As pipes, which nginx can open by /dev/stdout; the last of what is in them has arrived once both readers have ended.
  const [out, err] = [join(dir, 'out'), join(dir, 'err')];
  await Promise.all([merged, upper, work].map((path) => mkdir(path, { recursive: true })));
  const script = `set -e
mount -t overlay overlay -o lowerdir=${root},upperdir=${upper},workdir=${work} ${merged}
mkdir -p ${merged}/dev ${merged}/proc
mount --bind /dev ${merged}/dev
mount -t proc proc ${merged}/proc
ip link set lo up
hostname berth-test
mkfifo ${out} ${err}
cat ${out} &
cat ${err} >&2 &
chroot ${merged} "$@" > ${out} 2> ${err} &
pid=$!
${outside} || failed=1
kill -QUIT $pid 2>/dev/null || true
wait
exit \${failed:-0}`;
  return run('unshare', ['-m', '-n', '-p', '-u', '-f', '--kill-child', 'bash', '-c', script, 'bash', ...command], { timeout: 30_000 });
}

describe('images from Debian packages', () => {
  it('nginx serves its page and names the task, logs to its output, and costs nothing the second time', async () => {
    const options = { clock, platform, cacheDir: join(dir, 'cache') };
    const steps: string[] = [];
    const built = await buildNginxImage({ ...options, onStep: (step) => steps.push(step) });
    assert.equal(built.cached, false);
    assert.ok(steps.length > 3 && built.packages.some((p) => p.name === 'nginx'));
    assert.deepEqual(await readdir(options.cacheDir), [built.path.slice(options.cacheDir.length + 1)]);
    assert.equal((await buildNginxImage(options)).cached, true);
    const { images } = await makeStore(dir);
    try {
      await images.importArchive(built.path, built.ref);
      const image = await images.prepare(built.ref, once);
      assert.deepEqual([image.config.exposedPorts, image.config.stopSignal], [['80/tcp'], 'SIGQUIT']);
      const curl = 'curl -fsS --retry 10 --retry-delay 1 --retry-all-errors http://127.0.0.1/ http://127.0.0.1/health';
      const { stdout, stderr } = await runInside(image.layers[0] ?? '', curl, [...image.config.entrypoint, ...image.config.cmd]);
      assert.match(stdout, /<dd id="task">berth-test<\/dd>/);
      assert.match(stdout, /127\.0\.0\.1:80<\/dd>/);
      assert.match(stdout, /^ok$/m);
      assert.match(stdout, /"GET \/ HTTP\/1\.1" 200/, 'the access log goes to stdout');
      assert.match(stderr, /notice.*nginx\//, 'the error log goes to stderr');
    } finally {
      await images.close();
    }
  });

  it('busybox is a shell with its tools', async () => {
    const built = await buildBusyboxImage({ clock, platform, cacheDir: join(dir, 'cache') });
    const { images } = await makeStore(dir);
    try {
      await images.importArchive(built.path, built.ref);
      const root = (await images.prepare(built.ref, once)).layers[0] ?? '';
      assert.equal((await stat(join(root, 'tmp'))).mode & 0o7777, 0o1777);
      const { stdout } = await run('chroot', [root, '/bin/sh', '-c', 'echo hello | tr a-z A-Z; id -un']);
      assert.equal(stdout, 'HELLO\nroot\n');
    } finally {
      await images.close();
    }
  });

  it('say clearly why they could not be built, and leave nothing', async () => {
    const bin = join(dir, 'bin');
    const cacheDir = join(dir, 'cache-2');
    await mkdir(bin);
    const path = process.env['PATH'];
    try {
      process.env['PATH'] = `${bin}:${path}`;
      for (const tool of ['apt-get', 'apt-cache']) {
        await writeFile(join(bin, tool), '#!/bin/sh\necho "E: Temporary failure resolving" >&2\nexit 100\n');
        await chmod(join(bin, tool), 0o755);
      }
      const fault = await failure(buildNginxImage({ clock, platform, cacheDir }));
      assert.equal(fault.code, 'Unavailable');
      assert.match(fault.message, /apt-get -q update: E: Temporary failure resolving/);
      assert.deepEqual(await readdir(cacheDir), []);
    } finally {
      process.env['PATH'] = path;
    }
  });
});

it('whether a registry can be reached is known quickly, with the reason', async () => {
  const port = await freePort();
  const answer = await registryReachable(clock, `127.0.0.1:${port}`, { timeoutMs: 2000 });
  assert.equal(answer.reachable, false);
  assert.match(answer.reason, /connection refused/);
  assert.ok(answer.elapsedMs < 2100);
});
