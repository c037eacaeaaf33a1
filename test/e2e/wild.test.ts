/** Applications whose task definitions are publicly known run unchanged and do their job; `test/soak/wild.test.ts` has all of them. */
import { it } from 'node:test';
import { platformFixture } from './fixture.ts';
import { applications } from './wild/applications.ts';
import { runApplication } from './wild/run.ts';

const { platform, sdk } = await platformFixture({ busybox: false });

it('a job waits for its init container to succeed', async () => {
  await runApplication(platform, sdk, applications.migration);
});

it('nginx and PHP share a volume, and serve what is in MariaDB and Redis', async () => {
  await runApplication(platform, sdk, applications.wordpress);
});

it('a broker for sensors has a subscriber and a publisher', async () => {
  await runApplication(platform, sdk, applications.mqtt);
});
