/**
 * Tasks that write as fast as they can onto a host's disk of its own: each ends before it is full, and no write of another task fails.
 * BERTH_SOAK_DISK_MIB (default: 6144), BERTH_SOAK_WRITERS (default: 4, one after the other).
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { script } from '../e2e/aws-sdk.ts';
import { platformFixture } from '../e2e/fixture.ts';
import { until } from '../e2e/platform.ts';

const MIB = 1024 ** 2;
const DISK_MIB = Number(process.env['BERTH_SOAK_DISK_MIB'] ?? 6144);
const WRITERS = Number(process.env['BERTH_SOAK_WRITERS'] ?? 4);

const base = mkdtempSync(join(tmpdir(), 'berth-soak-fast-'));
const image = join(base, 'image');
const disk = join(base, 'disk');
execFileSync('truncate', ['-s', `${DISK_MIB}M`, image]);
execFileSync('mkfs.ext4', ['-q', '-m', '0', image]);
execFileSync('mkdir', [disk]);
execFileSync('mount', ['-o', 'loop', image, disk]);
const { sdk } = await platformFixture({
  parent: disk,
  maxAttempts: 10,
  afterwards() {
    execFileSync('umount', ['-l', disk]);
    rmSync(base, { recursive: true, force: true });
  },
});

it(`${WRITERS} tasks that write as fast as they can end, and another one loses nothing`, async () => {
  const careful =
    'n=0; while :; do n=$((n+1)); if echo $n > /x && sync && [ "$(cat /x)" = $n ]; then :; else echo lost $n; fi; [ $((n % 50)) = 0 ] && echo wrote $n; sleep 0.02; done';
  const inContainer = { tags: [{ key: 'berth:isolation', value: 'container' }] };
  const [witness] = await sdk.running(await sdk.run(await sdk.register('careful', [script(careful)]), inContainer));
  assert.ok(witness);
  const greedy = await sdk.register('greedy', [
    script('for n in 1 2 3 4; do dd if=/dev/zero of=/x$n bs=1M count=8000 & done; wait; sleep 1000'),
  ]);
  let least = Infinity;
  const looking = setInterval(() => {
    const { bavail, bsize } = statfsSync(disk);
    least = Math.min(least, bavail * bsize);
  }, 10);
  looking.unref();
  for (let n = 0; n < WRITERS; n++) {
    // Refused until the room of the one before is back.
    const begun = await until('there is room', () => sdk.run(greedy, inContainer).catch(() => undefined));
    const [ended] = await sdk.stopped(begun, 200);
    assert.match(ended?.stoppedReason ?? '', /^The host's disk is nearly full/, JSON.stringify(ended));
  }
  clearInterval(looking);
  console.log(`  least that was free: ${Math.floor(least / MIB)} MiB of ${DISK_MIB}`);
  assert.ok(least > 0);
  const [still] = await sdk.describe([witness]);
  assert.equal(still?.lastStatus, 'RUNNING');
  await sdk.stop([witness]);
  await sdk.stopped([witness]);
  const said = await sdk.lines(witness, 'main');
  assert.ok(said.length > 0 && said.every((line) => line.startsWith('wrote ')), said.join('\n'));
});
