import assert from 'node:assert/strict';
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { createFileSystemSizes } from './sizes.ts';

test('what is allocated is measured in the background, links once', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-sizes-'));
  try {
    const inside = join(dir, 'filesystems/fs-1/app');
    mkdirSync(inside, { recursive: true });
    writeFileSync(join(inside, 'file'), Buffer.alloc(1 << 20, 1));
    linkSync(join(inside, 'file'), join(inside, 'link'));
    const sizes = createFileSystemSizes({ clock: realClock(), log: silentLog }, dir);
    assert.deepEqual(sizes.look(), []);
    for (let waited = 0; sizes.look().length === 0 && waited < 20_000; waited += 20)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const [size] = sizes.look();
    assert.equal(size?.id, 'fs-1');
    assert.ok(size.bytes >= 1 << 20 && size.bytes < (1 << 20) + 64 * 1024, `${size.bytes}`);
    assert.ok(Math.abs(size.at - Date.now()) < 30_000);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
