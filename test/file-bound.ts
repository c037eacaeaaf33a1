/**
 * Loaded into each process of the test runner (`--import`). A time-out of the runner ends a test, but not the process of its file: that stays for as long as
 * anything keeps it, a socket of the test that was given up. So a file that takes longer than any may, or whose tests have been over for long, says what it
 * still has and fails.
 */
import { after } from 'node:test';

/** Longer than any file takes on a busy machine, and a platform to go. */
const FILE_MS = 900_000;
const OVER_MS = 150_000;

function bound(ms: number, what: string): void {
  // It holds nothing itself: a file that ends by itself does so.
  setTimeout(() => {
    process.stderr.write(`${process.argv[1]}: ${what}; it still has ${process.getActiveResourcesInfo().join(', ')}\n`);
    process.exit(1);
  }, ms).unref();
}

if (process.env['NODE_TEST_CONTEXT'] !== undefined) {
  bound(FILE_MS, `not done within ${FILE_MS / 1000} s`);
  after(() => bound(OVER_MS, `its tests have been over for ${OVER_MS / 1000} s`));
}
