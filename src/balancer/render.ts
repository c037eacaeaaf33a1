/**
 * HAProxy's whole configuration (HAProxy 2.6 configuration manual). Pure: golden files stand in golden/.
 *
 * Only what a reload is for is part of it, and the servers that are up: every other server comes and goes through the runtime API, DOWN until its first passed
 * check. Listening sockets are held by another process (supervisor/src/balance.rs), which reads from the comments at the top what they are.
 */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { accessLogGlobal, renderAccessLog } from './render-access-log.ts';
import { PEERS, renderGroup } from './render-group.ts';
import type { ServerTarget } from './render-group.ts';
import { handOver, renderListener, renderSuccessor } from './render-listener.ts';
import type { ListenerSpec } from './render-listener.ts';
import type { AliasDesired, GroupDesired } from './types.ts';

export type HaproxySpec = {
  /** The front door. */
  listen: string;
  port: number;
  /** Admin socket. */
  statsSocket: string;
  activatorSocket: string;
  /** Where access logs go; beside it HAProxy makes one of its own (render-access-log.ts). */
  accessSocket: string;
  /** Challenges of an ACME server for names under this domain go to the activator; null: there is no real domain. */
  acmeDomain: string | null;
  /** Two for each connection; as far as the machine lets a process have them. */
  maxFiles: number;
  threads: number;
  /** Changes with the files that the configuration names. */
  stamp: string;
  endpoints: { name: string; servers: { id: string; ip: string; port: number }[] }[];
  aliases: AliasDesired[];
  listeners: ListenerSpec[];
  groups: { group: GroupDesired; up: ServerTarget[] }[];
};

/** Descriptor number of the front door's socket; those of listeners follow. */
export const FRONT_FD = 100;

/** How an endpoint's port is tried: often while it is down, so that a fresh task is found soon; once a second while it is up. */
export const CHECK = 'check inter 1s downinter 100ms fastinter 200ms rise 1 fall 2';

export const backendName = (endpoint: string): string => `ep_${endpoint}`;
export const endpointServer = (targetId: string): string => `t_${targetId.slice(0, 12)}`;

/** What a running HAProxy tells as its description: equal as long as no reload is needed. */
export function structureOf(spec: HaproxySpec): string {
  const bare = {
    ...spec,
    endpoints: spec.endpoints.map((endpoint) => ({ ...endpoint, servers: [] })),
    groups: spec.groups.map(({ group }) => ({ group: { ...group, targets: [] }, up: [] })),
  };
  return createHash('sha256')
    .update(spec.stamp + render(bare, ''))
    .digest('hex')
    .slice(0, 16);
}

export const renderHaproxy = (spec: HaproxySpec): string => render(spec, structureOf(spec));

function render(spec: HaproxySpec, structure: string): string {
  const sockets = [{ fd: FRONT_FD, address: spec.listen, port: spec.port }, ...spec.listeners];
  const holds = sockets.map(({ fd, address, port }) => `# hold ${fd} ${address} ${port}\n`).join('');
  const parts = [
    ...spec.endpoints.map((endpoint) => endpointBackend(spec, endpoint)),
    ...spec.aliases.map(aliasBackend),
    ...spec.listeners.map((listener) => renderListener(listener, spec.acmeDomain, spec.accessSocket)),
    ...spec.groups.map(({ group, up }) => renderGroup(group, up)),
    ...(logs(spec) ? [renderAccessLog(spec.accessSocket)] : []),
    ...(remembers(spec) ? [peers(spec)] : []),
  ];
  return `# Written by berth; changes are lost.\n${holds}${head(spec, structure)}${frontDoor(spec)}${parts.join('')}`;
}

const logs = (spec: HaproxySpec): boolean => spec.listeners.some((listener) => listener.accessLog !== null);

/** Which target an application's cookie leads to is known to HAProxy alone: the former one teaches it to the one that takes over. */
const remembers = (spec: HaproxySpec): boolean => spec.groups.some(({ group }) => group.stickiness?.kind === 'app_cookie');
const peers = (spec: HaproxySpec): string => `
peers ${PEERS}
    bind unix@${join(dirname(spec.statsSocket), 'peers.sock')} mode 600
    server ${PEERS}
`;

function head(spec: HaproxySpec, structure: string): string {
  return `global
    description ${structure}
    fd-hard-limit ${spec.maxFiles}
    nbthread ${spec.threads}
    stats socket ${spec.statsSocket} mode 600 level admin
    hard-stop-after 30m
    close-spread-time infinite
    log stderr format raw local0 notice
${remembers(spec) ? `    localpeer ${PEERS}\n` : ''}${logs(spec) ? accessLogGlobal : ''}
defaults
    mode http
    option redispatch 1
    retries 3
    timeout connect 500ms
    timeout client 1h
    timeout server 1h
    timeout http-request 30s
    timeout http-keep-alive 60s
    timeout check 1s
`;
}

function frontDoor(spec: HaproxySpec): string {
  const names = [
    ...spec.endpoints.map(({ name }) => [name, backendName(name)]),
    ...spec.aliases.map(({ name }) => [name, aliasName(name)]),
  ];
  const rules = names.map(([name, backend]) => `    use_backend ${backend} if { var(txn.name) -m str ${name} }\n`).join('');
  return `
frontend endpoints
    bind fd@${FRONT_FD}
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    http-request set-var(txn.name) req.hdr(host),lower,field(1,:),regsub(\\.localhost\\.?$,)
${handOver(NEXT)
  .map((line) => `    ${line}\n`)
  .join('')}${rules}    default_backend nothing
${renderSuccessor(NEXT, { address: spec.listen === '0.0.0.0' ? '127.0.0.1' : spec.listen, port: spec.port }, false)}
backend nothing
    option http-server-close
    server activator unix@${spec.activatorSocket}
`;
}

function endpointBackend(spec: HaproxySpec, endpoint: HaproxySpec['endpoints'][number]): string {
  const servers = endpoint.servers.map((s) => `    server ${endpointServer(s.id)} ${s.ip}:${s.port} ${CHECK}\n`).join('');
  return `
backend ${backendName(endpoint.name)}
    balance leastconn
    option http-server-close
${servers}    server activator unix@${spec.activatorSocket} backup
`;
}

const NEXT = 'next';
const aliasName = (name: string): string => `alias_${name}`;

/** One hop more, to the load balancer's own address. */
function aliasBackend(alias: AliasDesired): string {
  const tls = alias.tls ? ' ssl verify none sni req.hdr(host),host_only' : '';
  return `\nbackend ${aliasName(alias.name)}\n    server lb ${alias.ip}:${alias.port}${tls}\n`;
}
