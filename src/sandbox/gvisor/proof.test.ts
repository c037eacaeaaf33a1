import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '#base/fault.ts';
import { proven } from './proof.ts';

test('a proof holds for the programs that it was made with; a failure is asked again', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-proof-'));
  try {
    const [file, program] = [join(dir, 'kept/proof.json'), join(dir, 'runsc')];
    let asked = 0;
    const ask = () => proven(file, [program], async () => void asked++);
    await assert.rejects(ask, (error) => isFault(error, 'Unavailable'));
    writeFileSync(program, 'one');
    const fails = proven(file, [program], async () => {
      throw new Error('it does not start');
    });
    await assert.rejects(fails, /does not start/);
    await ask();
    await ask();
    assert.equal(asked, 1);
    writeFileSync(program, 'another');
    await ask();
    assert.equal(asked, 2);
    writeFileSync(file, 'half');
    await ask();
    await ask();
    assert.equal(asked, 3);
    assert.deepEqual(readdirSync(join(dir, 'kept')), ['proof.json']);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
