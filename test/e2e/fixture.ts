/** The platform that the tests of a file share. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { createSdk } from './aws-sdk.ts';
import type { Sdk } from './aws-sdk.ts';
import { importBusybox } from './images.ts';
import { startPlatform } from './platform.ts';
import type { Platform, StartOptions } from './platform.ts';

export type FixtureOptions = StartOptions & {
  /** How often the SDK tries a call (default: its own 3). */
  maxAttempts?: number;
  /** Whether the image `busybox` is there; it is unless told otherwise. */
  busybox?: boolean;
  /** Undoes what the platform stood on; called when it is gone, or could not be started. */
  afterwards?: () => unknown;
};
export type Fixture = {
  platform: Platform;
  sdk: Sdk;
  /** An empty directory of the file's own. */
  dir: string;
  /** What is deferred here is called at the end, the last first and each whatever the others do, while the platform still runs. */
  ending: AsyncDisposableStack;
};

/** For the top of a file, before its first test: the platform is there now, and goes after the file's last test. What may fail beyond it belongs into `before`. */
export async function platformFixture(options: FixtureOptions = {}): Promise<Fixture> {
  const fixture = await openFixture(options);
  after(() => fixture.ending.disposeAsync());
  return fixture;
}

/** The same for a part of a file: the caller ends it by `ending.disposeAsync()`. */
export async function openFixture({ maxAttempts, busybox = true, afterwards, ...start }: FixtureOptions = {}): Promise<Fixture> {
  const ending = new AsyncDisposableStack();
  try {
    if (afterwards !== undefined) ending.defer(async () => void (await afterwards()));
    const dir = mkdtempSync(join(tmpdir(), 'berth-e2e-own-'));
    ending.defer(() => rmSync(dir, { recursive: true, force: true }));
    const platform = await startPlatform(start);
    ending.defer(() => platform.end());
    const sdk = createSdk(platform, maxAttempts === undefined ? {} : { maxAttempts });
    ending.defer(() => sdk.close());
    if (busybox) await importBusybox(platform);
    return { platform, sdk, dir, ending };
  } catch (error) {
    await ending.disposeAsync().catch(() => undefined);
    throw error;
  }
}
