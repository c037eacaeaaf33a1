/**
 * A hostile guest in the full size. BERTH_FUZZ_RUNS says how many streams (default: 200000), BERTH_FUZZ_SEED with which seed (default: a
 * new one each time, told when it fails).
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fuzzParser, fuzzSession } from '../fuzz/guest.ts';

const runs = Number(process.env['BERTH_FUZZ_RUNS'] ?? '200000');
const seed = Number(process.env['BERTH_FUZZ_SEED'] ?? Date.now() % 0x7fff_ffff);

it(`the parser withstands ${runs} spoiled streams (seed ${seed})`, () => {
  const before = process.memoryUsage().rss;
  fuzzParser(runs, seed);
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 512 * 1024 * 1024, `${Math.round(grown / 1024 ** 2)} MiB more after it`);
});

it(`a session withstands ${Math.ceil(runs / 100)} hostile peers (seed ${seed})`, () => fuzzSession(Math.ceil(runs / 100), seed));
