import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { virtualClock } from '#base/clock.ts';
import { limits } from '#base/limits.ts';
import type { MessageSocket } from './channel.ts';
import { acceptSocket } from './socket.ts';

test('a caller who is not listened to for long is not taken for one who is gone', async () => {
  const clock = virtualClock();
  const accepted = Promise.withResolvers<MessageSocket>();
  const server = createServer().on('upgrade', (request, socket, head) => {
    acceptSocket(clock, request, socket, head).then(accepted.resolve, accepted.reject);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const caller = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    const socket = await accepted.promise;
    const said = new Promise<string>((resolve, reject) => {
      socket.onMessage((data) => resolve(data.toString()));
      socket.onClose(() => reject(new Error('he was cut off')));
    });
    await once(caller, 'open');
    // The command takes no input: what the caller sends waits, and so do his answers to pings.
    socket.pause();
    await clock.advance(limits.execLostMs * 2);
    caller.send('still here');
    socket.resume();
    assert.equal(await said, 'still here');
  } finally {
    caller.close();
    server.close();
  }
});
