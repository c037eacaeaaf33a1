import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { virtualClock } from '#base/clock.ts';
import { formatAge, formatBytes, formatCpu, formatMemory, formatSeconds, parseDuration } from './format.ts';
import { parseCpu, parseMemory, smallestSize } from './sizes.ts';
import { createSteps } from './steps.ts';
import { renderTable } from './table.ts';
import { createTerminal } from './terminal.ts';

type Row = { name: string; image: string; age: string };
const columns = [
  { title: 'NAME', value: (row: Row) => row.name, shrinkTo: 4 },
  { title: 'IMAGE', value: (row: Row) => row.image, shrinkTo: 6 },
  { title: 'AGE', value: (row: Row) => row.age, align: 'right' as const },
  { title: 'URL', value: () => '', optional: true },
];
const plain = (_style: string, text: string) => text;

it('aligns columns and leaves out empty optional ones', () => {
  const rows = [
    { name: 'web', image: 'nginx', age: '4s' },
    { name: 'longer', image: 'x', age: '12m' },
  ];
  assert.deepEqual(renderTable(columns, rows, Infinity, plain), ['NAME    IMAGE  AGE', 'web     nginx   4s', 'longer  x      12m']);
});

it('cuts the widest column first when the terminal is narrow', () => {
  const rows = [{ name: 'web', image: 'registry.example.com/a/very/long/name', age: '4s' }];
  const lines = renderTable(columns, rows, 24, plain);
  assert.deepEqual(lines, ['NAME  IMAGE          AGE', 'web   registry.exa…   4s']);
});

it('never breaks a line, never passes a control character, never exceeds the width while it can shrink', () => {
  const cells = fc.record({ name: fc.string(), image: fc.string({ unit: 'binary' }), age: fc.string({ maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(cells), fc.integer({ min: 20, max: 60 }), (rows, width) => {
      for (const line of renderTable(columns, rows, width, plain)) {
        assert.ok([...line].every((c) => c >= ' ' && c !== '\u007f'));
        assert.ok([...line].length <= width);
      }
    }),
  );
});

it('puts numbers and times as people read them', () => {
  assert.deepEqual([999, 1000, 12_345_678, 999_960_000].map(formatBytes), ['999 B', '1.0 kB', '12 MB', '1.0 GB']);
  assert.deepEqual([formatMemory(512), formatMemory(2048), formatCpu(256), formatCpu(4096)], ['512 MB', '2 GB', '0.25 vCPU', '4 vCPU']);
  assert.deepEqual([340, 12_100, 185_000].map(formatSeconds), ['0.34 s', '12.1 s', '3 min 05 s']);
  assert.deepEqual([4000, 720_000, 3 * 3_600_000, 9 * 86_400_000].map(formatAge), ['4s', '12m', '3h', '9d']);
  assert.deepEqual(['90s', '10m', '2h', '5', 'soon'].map(parseDuration), [90_000, 600_000, 7_200_000, 5000, undefined]);
});

it('finds the smallest Fargate size', () => {
  assert.deepEqual(smallestSize(1, 1), { cpu: 256, memory: 512 });
  assert.deepEqual(smallestSize(256, 3000), { cpu: 512, memory: 3072 });
  assert.deepEqual(smallestSize(1024, 512), { cpu: 1024, memory: 2048 });
  assert.deepEqual(smallestSize(8192, 17_000), { cpu: 8192, memory: 20_480 });
  assert.throws(() => smallestSize(16_385, 1), /no task size holds/);
  assert.deepEqual(['256', '0.25', '1 vCPU', '4'].map(parseCpu), [256, 256, 1024, 4096]);
  assert.deepEqual(['512', '512MB', '0.5GB', '2g'].map(parseMemory), [512, 512, 512, 2048]);
});

it('ticks steps off with their seconds, in plain lines without a terminal', async () => {
  const clock = virtualClock();
  const lines: string[] = [];
  const terminal = createTerminal({
    write: (text) => void lines.push(text),
    writeError: () => undefined,
    interactive: false,
    colours: false,
    width: () => 80,
  });
  const steps = createSteps(terminal, clock);
  const slow = steps.run(
    'Supervisor built',
    async () => clock.sleep(4200),
    () => 'ok',
  );
  await clock.advance(5000);
  await slow;
  await assert.rejects(steps.run('Broken', () => Promise.reject(new Error('no'))));
  steps.already('User');
  assert.deepEqual(lines, ['… Supervisor built\n', '✓ Supervisor built  ok  4.20 s\n', '✗ Broken  0.00 s\n', '✓ User  already there\n']);
});
