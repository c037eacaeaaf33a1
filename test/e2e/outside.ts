/** A network namespace that plays the world outside of the machine: reached over a veth, from an address range kept for documentation. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

export type Outside = {
  /** The machine's own address towards the outside. */
  machineIp: string;
  /** A web server out there, which answers with the address that it saw the request come from. */
  url: string;
  close(): Promise<void>;
};

/** RFC 5737, TEST-NET-2. */
const MACHINE = '198.51.100.1';
const WORLD = '198.51.100.2';
const PORT = 8000;

const WORLD_SERVER = `require('node:http')
  .createServer((request, answer) => answer.end('you are ' + request.socket.remoteAddress))
  .listen(${PORT}, '${WORLD}', () => console.log('listens'));`;

/** `tag`: makes the names unique on the machine. */
export async function createOutside(tag: string): Promise<Outside> {
  const [namespace, link] = [`out-${tag}`, `out${tag}`];
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 10_000 });
  const undo = () =>
    execFileSync('sh', ['-c', `ip netns del ${namespace} 2>/dev/null; ip link del ${link} 2>/dev/null; true`], { timeout: 10_000 });
  try {
    ip('netns', 'add', namespace);
    ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'world', 'netns', namespace);
    ip('addr', 'add', `${MACHINE}/30`, 'dev', link);
    ip('link', 'set', link, 'up');
    ip('-n', namespace, 'addr', 'add', `${WORLD}/30`, 'dev', 'world');
    ip('-n', namespace, 'link', 'set', 'world', 'up');
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    const server = spawn('ip', ['netns', 'exec', namespace, process.execPath, '-e', WORLD_SERVER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(server, 'close');
    await Promise.race([once(server.stdout, 'data'), ended.then(() => Promise.reject(new Error('the server outside ended')))]);
    return {
      machineIp: MACHINE,
      url: `http://${WORLD}:${PORT}/`,
      async close() {
        server.kill('SIGKILL');
        await ended;
        undo();
      },
    };
  } catch (error) {
    undo();
    throw error;
  }
}
