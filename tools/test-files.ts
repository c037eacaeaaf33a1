/**
 * Runs the test files of a part of `npm test`: `node tools/test-files.ts PART`. The runner by itself takes them by name, and whichever long file comes last then runs
 * alone: so the longest begin first, and the short ones fill up what is left.
 */
import { appendFileSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

type Part = {
  files: string[];
  /** Files at a time. */
  concurrency: number;
  /** Of a test. */
  timeoutMs: number;
  /** Which begin first: those that take longest, in the order of how long. */
  first: string[];
};

const cores = availableParallelism();
const parts: Record<string, Part> = {
  unit: {
    files: ['src/**/*.test.ts', 'tools/**/*.test.ts', 'test/conformance/{container,gvisor,host-agent}*.test.ts', 'test/sim/*.test.ts'],
    // The sandboxes wait for health checks and stops most of their time.
    concurrency: cores + 1,
    timeoutMs: 120_000,
    first: ['test/conformance/gvisor', 'test/conformance/container', 'test/conformance/host-agent', 'test/sim/sim'],
  },
  microvm: {
    files: ['test/conformance/{guest,microvm}*.test.ts'],
    concurrency: 2,
    timeoutMs: 300_000,
    first: ['microvm', 'microvm-shared', 'microvm-machine', 'guest', 'microvm-agent'].map((name) => `test/conformance/${name}`),
  },
  e2e: {
    files: ['test/e2e/*.test.ts'],
    concurrency: 3,
    timeoutMs: 600_000,
    first: ['crash', 'kinds', 'isolation', 'way-in', 'task', 'terraform', 'cli', 'metadata', 'aws-cli', 'elbv2-api', 'efs'].map(
      (name) => `test/e2e/${name}`,
    ),
  },
};

function inOrder({ files, first }: Part): string[] {
  const all = globSync(files).toSorted();
  const begin = first.map((name) => `${name}.test.ts`);
  const missing = begin.filter((file) => !all.includes(file));
  if (missing.length > 0) throw new Error(`no such test file: ${missing.join(', ')}`);
  return [...begin, ...all.filter((file) => !begin.includes(file))];
}

type Failure = { name: string; file?: string | undefined; details: { error: Error & { cause?: unknown; failureType?: string } } };

/** For the summary of the run, where what failed is read without looking through thousands of lines: the file, the test, and the beginning of why. */
function failureText({ name, file, details }: Failure): string {
  const { cause, message } = details.error;
  const why = cause instanceof Error ? (cause.stack ?? cause.message) : message;
  const lines = why.split('\n').filter((line) => line.trim() !== '');
  return [
    `  ${file === undefined ? '?' : relative('.', file)}: ${name}`,
    ...lines.slice(0, 20).map((line) => `      ${line.slice(0, 300)}`),
    '',
  ].join('\n');
}

function failed(failure: Failure): void {
  process.exitCode = 1;
  const summary = process.env['TEST_FAILURES'];
  // A suite fails because of a test in it, which has a line of its own.
  if (summary !== undefined && failure.details.error.failureType !== 'subtestsFailed') appendFileSync(summary, failureText(failure));
}

const part = parts[process.argv[2] ?? ''];
if (part === undefined) throw new Error(`usage: node tools/test-files.ts ${Object.keys(parts).join('|')}`);
run({
  files: inOrder(part),
  concurrency: part.concurrency,
  execArgv: ['--import', './test/file-bound.ts', `--test-timeout=${part.timeoutMs}`],
})
  .on('test:fail', failed)
  .compose(new spec())
  .pipe(process.stdout);
