/**
 * HTTP at 169.254.170.2 inside tasks: on each VPC's uplink, where the router leads it with the task's own address as the caller's. Bounded in
 * everything that a task could send; who may see what is the handler's matter.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '#base/clock.ts';
import { http } from '#base/http.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import { createUplinkServers } from '../uplink-servers.ts';
import { createThrottle } from './throttle.ts';

/** `vpcId` and `ip` say which task asks. `path` is without its query. */
export type MetadataRequest = { vpcId: string; ip: string; method: string; path: string; body: string };
/** `json`: what is written as JSON; `text`: as it is. */
export type MetadataResponse = { status: number; json: unknown } | { status: number; text: string };

export type MetadataServer = {
  /** Listens on an uplink's host address, once; who asks there is of that VPC from now on. Throws Fault Unavailable when the port is taken. */
  listen(vpcId: string, hostIp: string): Promise<void>;
  close(): Promise<void>;
};

export type MetadataServerDeps = {
  clock: Clock;
  log: Log;
  handle(request: MetadataRequest): Promise<MetadataResponse>;
};

export function createMetadataServer(deps: MetadataServerDeps, options: { port: number }): MetadataServer {
  /** By host address, the VPC that has it now. */
  const vpcs = new Map<string, string>();
  const sockets = new Set<Socket>();
  const throttle = createThrottle(deps.clock);
  const connections = new Map<string, number>();

  const answer = async (vpcId: string, request: IncomingMessage): Promise<MetadataResponse> => {
    const ip = request.socket.remoteAddress ?? '';
    // As the agent's limiter says it.
    if (!throttle(`${vpcId}/${ip}`)) return { status: 429, text: 'You have reached maximum request limit.' };
    const body = await readBody(request);
    if (body === undefined) return { status: 413, text: `A request's body may have at most ${limits.metadataBodyBytes} bytes.` };
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    try {
      return await deps.handle({ vpcId, ip, method: request.method ?? 'GET', path, body });
    } catch (error) {
      deps.log.error('metadata.request', { path }, error);
      return { status: 500, json: 'Internal server error' };
    }
  };

  const serve = (hostIp: string) => (request: IncomingMessage, response: ServerResponse) => {
    void answer(vpcs.get(hostIp) ?? '', request)
      .then((said) => write(response, said))
      .catch(() => response.destroy());
  };

  const create = (hostIp: string): Server => {
    const { metadataRequestMs, metadataHeaderBytes } = limits;
    const server = http.createServer(
      { requestTimeout: metadataRequestMs, headersTimeout: metadataRequestMs, maxHeaderSize: metadataHeaderBytes },
      serve(hostIp),
    );
    // As Go's: a client that has said all (a script with nc) still gets its answer. A property of Node's that its types leave out.
    Object.assign(server, { httpAllowHalfOpen: true });
    server.on('connection', (socket) => {
      const key = `${hostIp}/${socket.remoteAddress ?? ''}`;
      const there = connections.get(key) ?? 0;
      if (there >= limits.metadataConnections) return void socket.destroy();
      connections.set(key, there + 1);
      sockets.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        const left = (connections.get(key) ?? 1) - 1;
        if (left > 0) connections.set(key, left);
        else connections.delete(key);
      });
    });
    return server;
  };
  const servers = createUplinkServers('metadata', options.port, create);

  return {
    async listen(vpcId, hostIp) {
      vpcs.set(hostIp, vpcId);
      await servers.listen(hostIp);
    },
    close: () => servers.close(sockets),
  };
}

/** Undefined when it is too long; the rest is not read. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limits.metadataBodyBytes) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function write(response: ServerResponse, said: MetadataResponse): void {
  const isJson = 'json' in said;
  const body = isJson ? JSON.stringify(said.json) : `${said.text}\n`;
  response.writeHead(said.status, {
    'content-type': isJson ? 'application/json' : 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    ...(said.status === 413 ? { connection: 'close' } : {}),
  });
  response.end(body);
}
