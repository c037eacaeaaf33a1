/** For tests: ports that are named before somebody else binds them. */
import { createServer } from 'node:net';

/** Below those that the kernel gives to whoever asks for any, and to each connection that goes out: one of them may be another's a moment later. */
const FIRST = 20_000;
const SPAN = 12_000;
/** Each process begins at a place of its own. */
const OWN = 40;

let asked = 0;

/** A TCP port of the loopback that nobody has. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < SPAN; tries++) {
    const port = FIRST + ((process.pid * OWN + asked++) % SPAN);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${FIRST} to ${FIRST + SPAN} is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
