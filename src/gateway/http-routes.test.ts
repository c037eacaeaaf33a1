import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { realClock } from '#base/clock.ts';
import { Fault } from '#base/fault.ts';
import { createLog } from '#base/log.ts';
import { realRandom } from '#base/random.ts';
import { authorizeRoot, createGateway, type Gateway } from './index.ts';
import type { HttpRoute } from './types.ts';

const log = createLog(realClock(), () => {}, 'debug');
let gateway: Gateway;
let port = 0;

const route: HttpRoute = {
  matches: ({ path }) => path.startsWith('/plain/'),
  async handle({ request, body, length }) {
    if (request.path === '/plain/fail') throw new Fault('InvalidParameter', 'no good');
    if (request.path === '/plain/count') {
      let bytes = 0;
      for await (const chunk of body) bytes += chunk.length;
      return { status: 201, headers: { 'X-Length': String(length) }, body: String(bytes) };
    }
    return { status: 200, headers: { 'Content-Type': 'application/octet-stream' }, body };
  },
  fail: (fault, { requestId }) => ({ status: 418, headers: {}, body: `${fault.code} ${fault.message} ${requestId.length}` }),
};

before(async () => {
  const deps = { clock: realClock(), random: realRandom(), log };
  gateway = createGateway({
    ...deps,
    apis: [],
    keys: { lookup: () => undefined },
    authorize: authorizeRoot,
    version: '1',
    httpRoutes: [route],
  });
  port = await gateway.listen({ host: '127.0.0.1', port: 0 });
});
after(() => gateway.close());

const url = (path: string) => `http://127.0.0.1:${port}${path}`;

describe('plain HTTP routes', () => {
  it('take and give bodies beyond what is read whole', async () => {
    const bytes = Buffer.alloc(20 * 1024 * 1024, 'abcdefg');
    const counted = await fetch(url('/plain/count'), { method: 'PUT', body: bytes });
    assert.equal(counted.headers.get('x-length'), String(bytes.length));
    assert.equal(await counted.text(), String(bytes.length));
    const echoed = await fetch(url('/plain/echo'), { method: 'POST', body: bytes });
    assert.ok(Buffer.from(await echoed.arrayBuffer()).equals(bytes));
  });

  it('answer in their own words what failed, also while an upload is still coming', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /plain/fail HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nabc');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'end');
    assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 418 [^]*Connection: close[^]*InvalidParameter no good 36/);
    socket.destroy();
  });

  it('have no body in the answer to HEAD', async () => {
    const answer = await fetch(url('/plain/count'), { method: 'HEAD' });
    assert.equal(answer.headers.get('content-length'), '1');
    assert.equal(await answer.text(), '');
  });

  it('leave all else to the APIs', async () => {
    assert.equal((await fetch(url('/other'))).status, 403);
  });
});
