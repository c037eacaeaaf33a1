/** `berth install` under a real systemd: at boot, after the keeper was killed, and no more. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '#base/testing.ts';
import { busyboxArchive } from './images.ts';
import { root, until } from './platform.ts';
import { containersOf } from './processes.ts';
import { startSystemd, systemdMissing } from './systemd.ts';
import type { Systemd } from './systemd.ts';

const missing = systemdMissing();
const idle = ['sh', '-c', "trap 'exit 0' TERM; while :; do sleep 0.05; done"];

describe('berth install', { skip: missing ?? false }, () => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'berth-boot-')));
  const state = join(dir, 'state');
  const instance = createHash('sha256').update(state).digest('hex').slice(0, 6);
  const unit = `berth-${instance}.service`;
  let systemd: Systemd;
  const berth = (...args: string[]) => systemd.run(join(root, 'berth'), ['--state', state, ...args], 300_000);
  const tasks = (...args: string[]) => JSON.parse(berth('ps', '--json', ...args)) as { id: string; status: string }[];
  const shown = () =>
    Object.fromEntries(
      systemd
        .run('systemctl', ['show', unit])
        .split('\n')
        .map((line) => line.split('=', 2)),
    ) as Record<string, string>;

  before(async () => {
    chmodSync(dir, 0o755);
    systemd = await startSystemd(dir, `berth-test-${instance}`, { NO_COLOR: '1' });
    berth('up', '--port', String(await freePort()), '--endpoint-port', String(await freePort()), '--isolation', 'container');
    berth('image', 'import', await busyboxArchive(), '--name', 'busybox');
  });
  after(async () => {
    await systemd?.end();
    unplug(instance);
    rmSync(dir, { recursive: true, force: true });
  });

  it('has systemd look after a berth that runs already, and its tasks outlive the keeper and a restart', async () => {
    berth('install');
    assert.equal(shown()['ActiveState'], 'active');
    assert.match(berth('doctor'), new RegExp(`at boot +${unit} starts berth`));
    berth('run', 'idle', '--image', 'busybox', '--', ...idle);
    const [task] = tasks();
    assert.ok(task);
    const former = containersOf(task.id);
    assert.equal(former.length, 1);
    const keeper = shown()['MainPID'] ?? '';
    systemd.run('kill', ['-9', keeper]);
    await until('another keeper', async () => {
      const now = shown();
      return now['ActiveState'] === 'active' && now['MainPID'] !== keeper;
    });
    systemd.run('systemctl', ['restart', unit]);
    assert.deepEqual([tasks()[0]?.status, containersOf(task.id)], ['RUNNING', former]);
  });

  it('starts berth at the next boot, without a hand', async () => {
    await systemd.cut();
    unplug(instance);
    await systemd.boot();
    await until('berth', async () => shown()['ActiveState'] === 'active');
    // The host tells it once it is connected.
    await until('the end of what ran', async () => tasks('-a').every((task) => task.status === 'STOPPED'));
    assert.equal(tasks('-a').length, 1);
    berth('run', 'again', '--image', 'busybox', '--', ...idle);
  });

  it('leaves a berth down that was taken down, and goes when it is told to', async () => {
    berth('down');
    assert.deepEqual([shown()['ActiveState'], shown()['Result']], ['inactive', 'success']);
    berth('install', '--remove');
    assert.equal(shown()['LoadState'], 'not-found');
    assert.match(berth('doctor'), /at boot +berth stays down after a reboot/);
  });
});

/** What of the machine's network a cut of power takes with it. */
function unplug(instance: string): void {
  const shell = `
    for table in $(nft list tables | grep ${instance} | awk '{print $2":"$3}'); do nft delete table "\${table%%:*}" "\${table##*:}"; done
    for link in $(ip -o link | awk -F'[:@ ]+' '{print $2}' | grep ${instance}); do ip link del "$link"; done; true`;
  execFileSync('sh', ['-c', shell], { timeout: 20_000 });
}
