/** Applications whose task definitions are publicly known run unchanged and do their job; `test/soak/wild.test.ts` has all of them. */
import { after, before, it } from 'node:test';
import { createSdk } from './aws-sdk.ts';
import type { Sdk } from './aws-sdk.ts';
import { startPlatform } from './platform.ts';
import type { Platform } from './platform.ts';
import { applications } from './wild/applications.ts';
import { runApplication } from './wild/run.ts';

let platform: Platform;
let sdk: Sdk;
before(async () => {
  platform = await startPlatform();
  sdk = createSdk(platform);
});
after(async () => {
  sdk?.close();
  await platform?.end();
});

it('a job waits for its init container to succeed', async () => {
  await runApplication(platform, sdk, applications.migration);
});

it('nginx and PHP share a volume, and serve what is in MariaDB and Redis', async () => {
  await runApplication(platform, sdk, applications.wordpress);
});
