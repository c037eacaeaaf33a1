/** Volumes on shared file systems in microVMs: by NFS from a server of the task's own. What the host does here stands for a task in a container. Needs root. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import type { PosixUser } from '#domain/file-system.ts';
import type { SharedVolume } from '#domain/shared-volume.ts';
import type { Sandbox, SandboxPlan } from '#sandbox/driver.ts';
import { createMicrovmHost, MICROVM_PATIENCE_MS } from './microvm-host.ts';
import type { MicrovmHost } from './microvm-host.ts';
import { scripted } from './real-host.ts';
import { witness } from './witness.ts';
import type { Witness } from './witness.ts';

type Started = { sandbox: Sandbox; w: Witness; plan: SandboxPlan };

/** `lock flock|fcntl try|wait FILE [COMMAND ARG...]`: holds an exclusive lock while the command runs; 1 when it is somebody else's. */
const LOCK = `
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int n, char **a) {
  int fd = open(a[3], O_RDWR | O_CREAT, 0666), waits = a[2][0] == 'w';
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int no = a[1][1] == 'l' ? flock(fd, waits ? LOCK_EX : LOCK_EX | LOCK_NB) : fcntl(fd, waits ? F_SETLKW : F_SETLK, &whole);
  if (fd < 0 || no) return 1;
  if (n < 5) return 0;
  if (fork() == 0) return execvp(a[4], a + 4);
  wait(0);
  return 0;
}`;

const shared = (change: { user?: PosixUser | null; path?: string } = {}): SharedVolume => ({
  name: 'data',
  kind: 'shared',
  fileSystemId: 'fs-1',
  rootDirectory: '/',
  accessPointId: null,
  found: { kind: 'directory', path: change.path ?? '/', creation: null, user: change.user ?? null },
});

describe('shared volumes of microVMs', () => {
  let host: MicrovmHost;
  let files: string;
  const started: Started[] = [];
  before(async () => {
    host = await createMicrovmHost();
    files = join(host.dir, 'filesystems/fs-1');
    mkdirSync(join(files, 'app'), { recursive: true });
    // busybox has no flock(1) everywhere; the guest runs this one from the volume.
    const made = spawnSync('cc', ['-x', 'c', '-static', '-O1', '-o', join(files, 'lock'), '-'], { input: LOCK });
    assert.equal(made.status, 0, made.stderr.toString());
  });
  after(async () => {
    const cleaned = await Promise.allSettled(started.map(({ plan }) => clean(plan)));
    await host.close();
    for (const one of cleaned) if (one.status === 'rejected') throw one.reason;
  });
  /** As the host agent does it: the sandbox first, then the volumes. */
  async function clean(plan: SandboxPlan): Promise<void> {
    await host.driver.clean(plan.taskId, plan.dir, plan.network);
    await host.volumes.release(plan.taskId, plan.spec.volumes);
    assert.deepEqual(await host.leftovers(plan.taskId), []);
  }
  async function start(text: string, volume = shared(), readOnly = false, user: string | null = null): Promise<Started> {
    const script = `b() { /bin/busybox "$@"; }; cd /data; ${text}`;
    const plan = await host.plan([scripted(script, { user, mounts: [{ volume: 'data', path: '/data', readOnly }] })], {
      volumes: [volume],
    });
    const w = witness(MICROVM_PATIENCE_MS);
    const one = { sandbox: await host.driver.start(plan, w.events), w, plan };
    started.push(one);
    return one;
  }
  async function ended({ sandbox, w, plan }: Started): Promise<string> {
    await w.ended();
    sandbox.ack(w.offset());
    await sandbox.release();
    await clean(plan);
    return w.text('app');
  }
  const run = async (...how: Parameters<typeof start>) => ended(await start(...how));
  /** A file's owner, mode and what is in it. */
  const look = (name: string) => {
    const { uid, gid, mode } = statSync(join(files, name));
    return [uid, gid, (mode & 0o7777).toString(8)].join(' ');
  };
  const keeperOf = ({ plan }: Started) => Number(readFileSync(join(plan.dir, 'files-server/sup.pid'), 'utf8'));
  /** 0 while there is none. */
  const serverOf = (one: Started) => {
    const children = `/proc/${keeperOf(one)}/task/${keeperOf(one)}/children`;
    return existsSync(children) ? Number(readFileSync(children, 'utf8').trim().split(' ')[0]) : 0;
  };

  test('files, directories, links, names and owners are those of the file system', async () => {
    const big = randomBytes(3_000_001);
    writeFileSync(join(files, 'big'), big);
    writeFileSync(join(files, 'theirs'), 'theirs\n', { mode: 0o640 });
    chownSync(join(files, 'theirs'), 1001, 1002);
    const deep = Array.from({ length: 40 }, (_, n) => `d${n}`).join('/');
    const said = await run(`
      b md5sum big | b cut -c1-32; b cp big copied; b ls -ln theirs | b awk '{print $1, $3, $4}'
      b mkdir -p made/within; echo one > made/file; b ln made/file made/hard; b ln -s ../file made/within/soft
      cat made/within/soft; b chmod 2750 made; b chown 1001:1002 made/file; b mv made/file made/within/moved; cat made/hard
      b rm made/hard; b rmdir made 2>&1; b mkdir -p ${deep}; echo deep > ${deep}/f; cat ${deep}/f
      i=0; b mkdir many; while [ $i -lt 150 ]; do > many/f$i; i=$((i+1)); done; b ls many | b wc -l; b rm -r many
      b mkfifo pipe; b mknod zero c 1 5 2>&1; echo ä > 'n ä'; b truncate -s 5 copied; b touch -d @1000 theirs
      (set -C; echo again > copied) 2>&1; b df -P . | b tail -1 | b awk '{print $1, $6}'; b sync; echo $?`);
    const lines = said.trim().split('\n');
    assert.deepEqual(lines.slice(0, 4), [createHash('md5').update(big).digest('hex'), '-rw-r----- 1001 1002', 'one', 'one'], said);
    assert.match(said, /rmdir: 'made': Directory not empty\ndeep\n150\n/);
    assert.match(said, /mknod: zero: .*\n/);
    assert.match(said, /169.254.170.4:\/0 \/data\n0\n$/, said);
    assert.deepEqual([look('made'), look('made/within/moved')], ['0 0 2750', '1001 1002 644']);
    assert.equal(readlinkSync(join(files, 'made/within/soft')), '../file');
    assert.deepEqual([statSync(join(files, 'copied')).size, statSync(join(files, 'theirs')).mtimeMs], [5, 1_000_000]);
    assert.equal(readFileSync(join(files, deep, 'f'), 'utf8'), 'deep\n');
    assert.equal(readFileSync(join(files, 'n ä'), 'utf8'), 'ä\n');
    assert.ok(!existsSync(join(files, 'zero')) && !existsSync(join(files, 'many')));
  });

  test('rights are those of the user inside, and an access point makes everybody its own', async () => {
    mkdirSync(join(files, 'own'), { mode: 0o755 });
    writeFileSync(join(files, 'secret'), 'secret\n', { mode: 0o600 });
    chmodSync(join(files, 'secret'), 0o600);
    assert.match(
      await run('cat secret 2>&1; echo x > own/x', shared(), false, '1001:1002'),
      /secret': Permission denied\n.*own\/x: Permission denied/,
    );
    chownSync(join(files, 'own'), 1001, 1002);
    const user = { uid: 1001, gid: 1002, secondaryGids: [1003] };
    const said = await run('echo mine > file; cat ../secret 2>&1; b chown 0:0 file 2>&1; b stat -c "%u %g" file; cat ../data/../data/file', shared({ user, path: '/own' })); // prettier-ignore
    assert.match(said, /chown: file: Operation not permitted\n1001 1002\nmine/);
    assert.deepEqual(look('own/file'), '1001 1002 644');
    const outside = await run('b ls -a /data/.. | b grep -c secret; cat /data/../secret 2>&1', shared({ path: '/own' }));
    assert.match(outside, /^0\n.*No such file/s);
  });

  test('what nobody may write to is read only at the server', async () => {
    const one = await start('cat theirs; until [ -e /tmp/go ]; do sleep 0.1; done', shared(), true);
    await one.w.until('it read', () => one.w.text('app') === 'theirs\n');
    const { volumes } = JSON.parse(readFileSync(join(one.plan.dir, 'files.json'), 'utf8')).bundle as { volumes: { readOnly: boolean }[] };
    assert.deepEqual(volumes.map((volume) => volume.readOnly), [true]); // prettier-ignore
    const server = serverOf(one);
    const status = readFileSync(`/proc/${server}/status`, 'utf8');
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETGID, SETUID; a filter; no way back.
    assert.match(status, /CapEff:\t0*db\n/);
    assert.match(status, /CapBnd:\t0*db\n/);
    assert.match(status, /NoNewPrivs:\t1\n/);
    assert.match(status, /Seccomp:\t2\n/);
    assert.deepEqual(readdirSync(`/proc/${server}/root`), ['proc']);
    assert.deepEqual(readFileSync(`/proc/${server}/net/dev`, 'utf8').split('\n').length, 4);
    one.sandbox.kill();
    await ended(one);
    assert.doesNotMatch(existsSync(`/proc/${server}/status`) ? readFileSync(`/proc/${server}/status`, 'utf8') : '', /State:\t[RSD]/);
  });

  test('only the task itself reaches its server', async () => {
    const one = await start('echo up; until [ -e go-1 ]; do sleep 0.1; done');
    await one.w.until('it is up', () => one.w.text('app') === 'up\n');
    const { port } = JSON.parse(readFileSync(join(one.plan.dir, 'files.json'), 'utf8')).bundle as { port: number };
    const other = await run(
      `for p in 2049 ${port}; do b nc -w 3 169.254.170.4 $p < /dev/null > /dev/null 2>&1 && echo reached $p; done; echo done`,
      shared({ path: '/own' }),
    );
    // Its own server is there, at the port of NFS.
    assert.equal(other, 'reached 2049\ndone\n');
    const plan = await host.plan([
      scripted(
        `for p in 2049 ${port}; do /bin/busybox nc -w 3 169.254.170.4 $p < /dev/null > /dev/null 2>&1 && echo reached $p; done; echo done`,
      ),
    ]);
    const w = witness(MICROVM_PATIENCE_MS);
    const without = { sandbox: await host.driver.start(plan, w.events), w, plan };
    started.push(without);
    assert.equal(await ended(without), 'done\n');
    writeFileSync(join(files, 'go-1'), '');
    await ended(one);
  });

  test('locks hold against those of the host, both ways', async () => {
    const tool = join(files, 'lock');
    const hold = async (how: string) => {
      const held = spawn(tool, [how, 'wait', join(files, how), '/bin/sh', '-c', 'echo held; read x'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => held.stdout.once('data', resolve));
      return held;
    };
    const held = [await hold('flock'), await hold('fcntl')];
    const free = () => ['flock', 'fcntl'].map((how) => spawnSync(tool, [how, 'try', join(files, how)]).status);
    const waits = '/bin/sh -c "echo got; until [ -e go-2 ]; do sleep 0.1; done"';
    const one = await start(
      `for how in flock fcntl; do ./lock $how try $how || echo busy; done; ./lock flock wait flock ./lock fcntl wait fcntl ${waits}; echo left`,
    );
    await one.w.until('it asked', () => one.w.text('app').length >= 10);
    assert.equal(one.w.text('app'), 'busy\nbusy\n');
    for (const child of held) child.stdin.end('\n');
    await one.w.until('it has both', () => one.w.text('app') === 'busy\nbusy\ngot\n');
    assert.deepEqual(free(), [1, 1]);
    writeFileSync(join(files, 'go-2'), '');
    assert.equal(await ended(one), 'busy\nbusy\ngot\nleft\n');
    assert.deepEqual(free(), [0, 0]);
  });

  test('others see a rename, and what was written before it', async () => {
    const one = await start('until [ "$(cat state 2>/dev/null)" = two ]; do sleep 0.1; done; echo saw; echo three > new; b mv new state');
    for (const word of ['one', 'two']) {
      writeFileSync(join(files, 'state.new'), `${word}\n`);
      renameSync(join(files, 'state.new'), join(files, 'state'));
      await sleep(200);
    }
    assert.equal(await ended(one), 'saw\n');
    assert.equal(readFileSync(join(files, 'state'), 'utf8'), 'three\n');
  });

  test('a server that is killed, and its keeper with it, comes back: writes wait and go on, and nothing is lost', async () => {
    const lines = 4000;
    const one = await start(
      `exec 3>> log; b mkdir -p names; i=0; while [ $i -lt ${lines} ]; do echo line $i >&3; ` +
        `[ $((i % 20)) = 0 ] && (set -C; echo $i > names/n$i); i=$((i+1)); done; echo done; b ls names | b wc -l`,
    );
    const log = join(files, 'log');
    let kills = 0;
    while (one.w.text('app') === '' && kills < 8) {
      await sleep(300);
      const pid = kills % 2 === 0 ? serverOf(one) : keeperOf(one);
      if (pid > 1 && existsSync(`/proc/${pid}`)) {
        process.kill(pid, 'SIGKILL');
        kills++;
      }
    }
    assert.equal(await ended(one), `done\n${lines / 20}\n`);
    assert.ok(kills >= 4, `${kills} kills`);
    const expected = Array.from({ length: lines }, (_, n) => `line ${n}\n`).join('');
    assert.ok(readFileSync(log, 'utf8') === expected, 'a line is missing, or there twice');
  });
});
