/**
 * HAProxy's configuration for a set of endpoints (HAProxy 2.6 configuration manual). Pure: golden files stand in golden/.
 *
 * Only the names, and the servers that were seen up, are part of it; every other server comes and goes through the runtime API, DOWN
 * until its first passed check. Each backend has one static backup server, berth's activator, which answers while no target does.
 */

export type HaproxySpec = {
  listen: string;
  port: number;
  /** Admin socket of the worker. */
  statsSocket: string;
  activatorSocket: string;
  maxConnections: number;
  backends: { name: string; servers: { id: string; ip: string; port: number }[] }[];
};

/** How a target's port is tried: often while it is down, so that a fresh task is found soon; once a second while it is up. */
export const CHECK = 'check inter 1s downinter 100ms fastinter 200ms rise 1 fall 2';

export const backendName = (endpoint: string): string => `ep_${endpoint}`;
export const serverName = (targetId: string): string => `t_${targetId.slice(0, 12)}`;

export function renderHaproxy(spec: HaproxySpec): string {
  const head = `# Written by berth; changes are lost.
global
    maxconn ${spec.maxConnections}
    nbthread 2
    stats socket ${spec.statsSocket} mode 600 level admin expose-fd listeners
    hard-stop-after 30s
    log stderr format raw local0 notice

defaults
    mode http
    option http-server-close
    option redispatch
    retries 2
    timeout connect 500ms
    timeout client 1h
    timeout server 1h
    timeout http-request 30s
    timeout http-keep-alive 60s
    timeout check 1s
`;
  return head + frontend(spec) + spec.backends.map((b) => backend(spec, b)).join('');
}

function frontend(spec: HaproxySpec): string {
  const rules = spec.backends.map((b) => `    use_backend ${backendName(b.name)} if { var(txn.name) -m str ${b.name} }\n`).join('');
  return `
frontend endpoints
    bind ${spec.listen}:${spec.port}
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    http-request set-var(txn.name) req.hdr(host),lower,field(1,:),regsub(\\.localhost\\.?$,)
${rules}    default_backend nothing

backend nothing
    server activator unix@${spec.activatorSocket}
`;
}

function backend(spec: HaproxySpec, b: HaproxySpec['backends'][number]): string {
  const servers = b.servers.map((s) => `    server ${serverName(s.id)} ${s.ip}:${s.port} ${CHECK}\n`).join('');
  return `
backend ${backendName(b.name)}
    balance leastconn
${servers}    server activator unix@${spec.activatorSocket} backup
`;
}
