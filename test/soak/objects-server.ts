/** S3's front door over a store of objects, alone in a process that may be killed: node test/soak/objects-server.ts DIR. Says its port and keys on standard output. */
import { join } from 'node:path';
import { realClock } from '#base/clock.ts';
import { createLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { createS3Api } from '#front/s3/index.ts';
import { authorizeRoot, createGateway, openKeys } from '#gateway/index.ts';
import { openObjects } from '#objects/index.ts';

const dir = process.argv[2] ?? '';
const deps = { clock: realClock(), random: realRandom(), log: createLog(realClock(), (line) => void process.stderr.write(line), 'info') };
const keys = openKeys(deps, { path: join(dir, 'keys.json'), account: '123456789012' });
const objects = await openObjects(deps, { dir: join(dir, 'objects') });
const gateway = createGateway({
  ...deps,
  apis: [createS3Api({ objects, clock: deps.clock })],
  keys,
  authorize: authorizeRoot,
  version: '1',
});
const port = await gateway.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${JSON.stringify({ port, ...keys.root })}\n`);
