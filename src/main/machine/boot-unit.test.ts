import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { instancePaths } from '../paths.ts';
import { renderEnvironment, renderUnit, unitName } from './boot-unit.ts';

const golden = (name: string) => readFileSync(new URL(`golden/${name}`, import.meta.url), 'utf8');

test('the unit renders as its golden file', () => {
  const paths = instancePaths('/var/lib/berth');
  assert.equal(renderUnit({ home: '/opt/berth', paths, env: {} }), golden('berth.service'));
  assert.equal(unitName(paths), 'berth.service');
});

test('a path with anything in it is still one word', () => {
  const paths = instancePaths('/srv/my "100%" $tate');
  assert.equal(renderUnit({ home: '/opt/a b', paths, env: {} }), golden('berth-odd.service'));
  assert.equal(unitName(paths), `berth-${paths.instance}.service`);
});

test('the environment is quoted, and has no more lines than names', () => {
  const env = { NO_PROXY: 'localhost', HTTPS_PROXY: 'http://u:p"$\\@proxy:3128', HOME: '/root\nEVIL=1' };
  assert.equal(renderEnvironment({ env }), 'HTTPS_PROXY="http://u:p\\"\\$\\\\@proxy:3128"\nNO_PROXY="localhost"\n');
});

test('systemd takes the unit', { skip: existsSync('/usr/bin/systemd-analyze') ? false : 'this machine has no systemd-analyze' }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-unit-'));
  try {
    for (const [home, state] of [
      [join(dir, 'home'), '/var/lib/berth'],
      [join(dir, 'a b 100% $x'), '/srv/my "100%" $tate'],
    ] as const) {
      // It looks for the program that is to be started.
      mkdirSync(home);
      writeFileSync(join(home, 'berth'), '#!/bin/sh\n');
      chmodSync(join(home, 'berth'), 0o755);
      const paths = instancePaths(state);
      const unit = join(dir, unitName(paths));
      writeFileSync(unit, renderUnit({ home, paths, env: {} }));
      const said = execFileSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8', stdio: 'pipe', timeout: 30_000 });
      assert.equal(said, '');
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
