/** Is a port free, and who has it if not. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

export type PortProblem = { text: string; fix: 'port' | 'address' };

/** null when `port` can be listened on; else why not. */
export function portProblem(host: string, port: number): Promise<PortProblem | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve({ text: inUse(port), fix: 'port' });
      else resolve({ text: `nobody can listen on ${host} here (${error.code ?? error.message})`, fix: 'address' });
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

function inUse(port: number): string {
  const owner = portOwner(port);
  return `port ${port} is in use${owner === null ? '' : ` by ${owner.command} (pid ${owner.pid})`}`;
}

const LISTEN = '0A';

/** The process that listens on a TCP port (proc(5)); null when none does or we may not look. */
export function portOwner(port: number): { pid: number; command: string } | null {
  const inodes = new Set([...listeners('/proc/net/tcp', port), ...listeners('/proc/net/tcp6', port)]);
  if (inodes.size === 0) return null;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (openInodes(pid).some((inode) => inodes.has(inode))) return { pid: Number(pid), command: commandOf(pid) };
  }
  return null;
}

function listeners(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return readOr(table)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${wanted}`) && fields[3] === LISTEN)
    .map((fields) => fields[9] ?? '');
}

function openInodes(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => inodeOf(`/proc/${pid}/fd/${fd}`));
  } catch {
    return []; // it ended, or isn't ours to look at
  }
}

function inodeOf(link: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1] ?? '';
  } catch {
    return '';
  }
}

export function commandOf(pid: string | number): string {
  const words = readOr(`/proc/${pid}/cmdline`)
    .split('\0')
    .filter((word) => word !== '');
  return words.length === 0 ? 'an unknown process' : words.slice(0, 3).join(' ').slice(0, 80);
}

export function readOr(path: string, otherwise = ''): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
