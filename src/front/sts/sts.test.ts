import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { AssumeRoleCommand, GetCallerIdentityCommand, GetSessionTokenCommand, STSClient } from '@aws-sdk/client-sts';
import { realClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { authorizeRoot, createGateway, openKeys, type Gateway } from '#gateway/index.ts';
import { createStsApi } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-sts-'));
const deps = { clock: realClock(), random: realRandom(), log: silentLog };
const keys = openKeys(deps, { path: join(folder, 'keys.json'), account: '123456789012' });
let gateway: Gateway;
let sts: STSClient;

before(async () => {
  gateway = createGateway({ ...deps, apis: [createStsApi()], keys, authorize: authorizeRoot, version: 'test' });
  const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
  sts = new STSClient({ endpoint: `http://127.0.0.1:${port}`, region: 'us-west-2', maxAttempts: 1, credentials: keys.root });
});

after(async () => {
  sts.destroy();
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});

it('says who calls', async () => {
  const { $metadata, ...identity } = await sts.send(new GetCallerIdentityCommand({}));
  assert.equal($metadata.httpStatusCode, 200);
  assert.deepEqual(identity, { UserId: '123456789012', Account: '123456789012', Arn: 'arn:aws:iam::123456789012:root' });
});

it('names what it does not do', async () => {
  for (const command of [
    new GetSessionTokenCommand({}),
    new AssumeRoleCommand({ RoleArn: 'arn:aws:iam::1:role/r', RoleSessionName: 's' }),
  ]) {
    await assert.rejects(sts.send(command as GetSessionTokenCommand), {
      name: 'UnsupportedOperation',
      message: /^berth does not implement sts:\w+ yet\.$/,
    });
  }
});
