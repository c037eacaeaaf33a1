/** A target group as HAProxy's backend, and its servers as they are written or added at run time. Pure. */
import type { CheckDesired, GroupDesired } from './types.ts';
import { word } from './escape.ts';

/** How often one that has never passed a check is tried at most: the first pass shall come soon. */
const FIRST_CHECKS_MS = 100;
const CONNECT_SECONDS = 3;
/** The configuration's own defaults; HAProxy 2.6 gives a server that is added at run time 0, which is a connection for each request. */
const KEEPS_CONNECTIONS = 'pool-max-conn -1 pool-purge-delay 5s';

/** The section by which one HAProxy teaches its tables to the next. */
export const PEERS = 'berth';

export const groupName = (id: string): string => `tg_${id}`;

/**
 * `new` has not passed a check yet, and one is enough; `known` needs as many as the group says. `open` has no check and gets traffic only while none of
 * the others is up: it stands there while all targets are unhealthy. They are servers of their own.
 */
export type Generation = 'new' | 'known' | 'open';
/** A target that was registered again is another one: what its former servers still do is let finish. */
export type ServerTarget = { ip: string; port: number; registeredAt: number };
export const serverName = ({ ip, port, registeredAt }: ServerTarget, generation: Generation): string =>
  `t_${ip.replaceAll('.', '-')}_${port}.${generation[0]}.${registeredAt.toString(36)}`;

/** The target behind a server's name; undefined for any other server. */
export function parseServerName(name: string): ServerTarget | undefined {
  const [, ip, port, at] = /^t_([\d-]+)_(\d+)\.[nko]\.([0-9a-z]+)$/.exec(name) ?? [];
  if (ip === undefined || port === undefined || at === undefined) return undefined;
  return { ip: ip.replaceAll('-', '.'), port: Number(port), registeredAt: Number.parseInt(at, 36) };
}

export const isOpen = (name: string): boolean => name.includes('.o.');

/** What follows a server's name, in the configuration and in `add server` alike. */
export function serverArguments(group: GroupDesired, target: { ip: string; port: number }, generation: Generation): string {
  const { check } = group;
  const intervalMs = check.intervalSeconds * 1000;
  const parts = [`${target.ip}:${target.port}`];
  if (generation === 'open') parts.push('backup');
  else {
    const rise = generation === 'new' ? `downinter ${Math.min(intervalMs, FIRST_CHECKS_MS)}ms rise 1` : `rise ${check.healthy}`;
    parts.push(`check inter ${intervalMs}ms ${rise} fall ${check.unhealthy}`);
    if (check.port !== null) parts.push(`port ${check.port}`);
  }
  if (group.tls) parts.push('ssl verify none');
  if (group.http2) parts.push(group.tls ? 'alpn h2' : 'proto h2');
  parts.push(KEEPS_CONNECTIONS);
  if (group.slowStartSeconds > 0) parts.push(`slowstart ${group.slowStartSeconds}s`);
  return parts.join(' ');
}

/** `up`: targets that are known to be; the others come and go through the runtime API. */
export function renderGroup(group: GroupDesired, up: readonly ServerTarget[]): string {
  const lines = [
    `mode ${group.mode}`,
    `balance ${group.balance}`,
    ...(group.balance === 'source' ? ['hash-type consistent'] : []),
    `timeout connect ${CONNECT_SECONDS}s`,
    `timeout server ${group.idleSeconds}s`,
    `timeout tunnel ${group.idleSeconds}s`,
    `timeout check ${group.check.timeoutSeconds}s`,
    'option allbackups',
    ...(group.mode === 'http' ? [nothingAnswers] : []),
    ...stickiness(group),
    ...checks(group.check),
    ...up.map((target) => `server ${serverName(target, 'known')} ${serverArguments(group, target, 'known')}`),
  ];
  return `\nbackend ${groupName(group.id)}\n${lines.map((line) => `    ${line}\n`).join('')}`;
}

/** What HAProxy says by itself; a target's own 503 passes. The header tells our own clients that it is worth waiting. */
const nothingAnswers = [
  'http-error status 503 content-type "text/plain; charset=utf-8"',
  `string ${word('No healthy target is behind this name yet.\nberth ps shows what runs, berth events NAME what happened.\n')}`,
  'hdr cache-control no-store hdr retry-after 1 hdr x-berth-activator waiting',
].join(' ');

function stickiness({ id, stickiness: sticky }: GroupDesired): string[] {
  if (sticky === null) return [];
  if (sticky.kind === 'lb_cookie') {
    return [`cookie AWSALB insert indirect nocache httponly maxidle ${sticky.seconds}s dynamic`, `dynamic-cookie-key ${id}`];
  }
  const name = word(sticky.name);
  return [
    // By its address a target is the same one whichever of its servers it has after a reload.
    `stick-table type string len 128 size 100k expire ${sticky.seconds}s srvkey addr peers ${PEERS}`,
    `stick on req.cook(${name})`,
    `stick store-response res.cook(${name})`,
  ];
}

function checks(check: CheckDesired): string[] {
  if (check.protocol === 'TCP') return ['option tcp-check', 'tcp-check connect'];
  const secure = check.protocol === 'HTTPS';
  const connect = ['http-check connect', ...(secure ? ['ssl'] : []), ...(check.http2 ? [secure ? 'alpn h2' : 'proto h2'] : [])].join(' ');
  return ['option httpchk', connect, send(check), `http-check expect ${expected(check)}`];
}

function send(check: CheckDesired): string {
  const path = word(check.path);
  const agent = 'hdr Host localhost hdr User-Agent ELB-HealthChecker/2.0';
  if (check.grpc) return `http-check send meth POST uri ${path} ver HTTP/2 ${agent} hdr Content-Type application/grpc hdr TE trailers`;
  return `http-check send meth GET uri ${path} ver ${check.http2 ? 'HTTP/2' : 'HTTP/1.1'} ${agent}`;
}

/**
 * Of gRPC the status stands in the headers when there is no message, as for a method that nobody has (12, which is AWS's default). HAProxy's check doesn't see
 * trailers: where a matcher takes code 0 too, any answer of HTTP 200 passes.
 */
function expected(check: CheckDesired): string {
  if (!check.grpc) return `status ${check.matcher}`;
  const codes = check.matcher.split(',').flatMap((part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return Array.from({ length: Math.max(0, Math.min(to, 99) - from + 1) }, (_, at) => from + at);
  });
  return codes.includes(0) ? 'status 200' : `hdr name grpc-status value -m reg ^(${codes.join('|')})$`;
}
