/** `berth up --dns`: names under berth.internal on the machine itself, by a hosts file of the test's own that the configuration names. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { before, it } from 'node:test';
import { script } from './aws-sdk.ts';
import { platformFixture } from './fixture.ts';
import { until } from './platform.ts';

const own = '127.0.0.1 localhost\n';
const { platform, sdk } = await platformFixture();
const file = join(platform.state, 'hosts-of-a-test');

before(() => writeFile(file, own));
const addressIn = (text: string, name: string) =>
  text.split('\n').find((line) => line.endsWith(` ${name}`))?.split(' ')[0]; // prettier-ignore

function get(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host, port: 80, timeout: 10_000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => resolve(body));
    });
    call.on('timeout', () => call.destroy(new Error('no answer'))).on('error', reject).end(); // prettier-ignore
  });
}

it('are written where up was told so, follow the tasks, and are gone after down', async () => {
  const config = join(platform.state, 'config.json');
  await platform.ok(['down']);
  await writeFile(config, JSON.stringify({ ...JSON.parse(await readFile(config, 'utf8')), hostsFile: file }));
  await platform.ok(['up', '--dns'], { timeoutMs: 120_000 });

  const serve = "mkdir /w; echo hello > /w/index.html; trap 'exit 0' TERM; httpd -f -p 80 -h /w & wait";
  const definition = await sdk.register('web', [script(serve)]);
  const tasks = await sdk.running(await sdk.run(definition, { tags: [{ key: 'berth:endpoint', value: 'shop' }] }));
  const address = await until('the name is there', async () => addressIn(await readFile(file, 'utf8'), 'shop.berth.internal'));
  assert.match(await until('the task serves', () => get(address).catch(() => undefined)), /hello/);
  await sdk.stop(tasks);
  await sdk.stopped(tasks);
  await until('the name is gone', async () => addressIn(await readFile(file, 'utf8'), 'shop.berth.internal') === undefined);

  await sdk.running(await sdk.run(definition, { tags: [{ key: 'berth:endpoint', value: 'shop' }] }));
  await until('the name is there again', async () => addressIn(await readFile(file, 'utf8'), 'shop.berth.internal'));
  await platform.ok(['down'], { timeoutMs: 120_000 });
  assert.equal(await readFile(file, 'utf8'), own);
});
