/**
 * A request in the format of Elastic Load Balancing's own access logs, which tools for them read: of application load balancers
 * (docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html, up to `classification_reason`), and of network load balancers
 * (.../network/load-balancer-access-logs.html, version 2.0; AWS has it for TLS alone, here TCP is told in the same form). Pure.
 */
import type { ConnectionSeen, RequestSeen } from './access-line.ts';
import type { ListenerDesired, Route } from './types.ts';

/** A listener whose access log is on. */
export type LoggedListener = ListenerDesired & { accessLog: NonNullable<ListenerDesired['accessLog']> };

export function accessLogLine(seen: RequestSeen | ConnectionSeen, listener: LoggedListener): string {
  return seen.kind === 'request' ? requestLine(seen, listener) : connectionLine(seen, listener);
}

export const groupIdOf = (backend: string): string | null => (backend.startsWith('tg_') ? backend.slice(3) : null);

function requestLine(seen: RequestSeen, listener: LoggedListener): string {
  const { accessLog } = listener;
  const target = seen.target === null ? '-' : `${seen.target.ip}:${seen.target.port}`;
  const status = seen.status > 0 ? String(seen.status) : seen.end.startsWith('C') ? '460' : '-';
  // Of an answer that HAProxy made itself the target's never began.
  const targetStatus = seen.target !== null && seen.answerMs >= 0 ? status : '-';
  const sentMs = seen.connectMs < 0 ? -1 : sum(seen.readMs, seen.queueMs, seen.connectMs);
  const group = groupIdOf(seen.backend);
  return [
    typeOf(seen, listener),
    microseconds(seen.at + Math.max(0, seen.totalMs)),
    accessLog.balancer,
    `${seen.client.ip}:${seen.client.port}`,
    target,
    ...[sentMs, seen.answerMs, seen.bodyMs].map(seconds),
    status,
    targetStatus,
    seen.received,
    seen.sent,
    quote(requestText(seen, listener)),
    quote(seen.agent === '' ? '-' : seen.agent),
    seen.cipher,
    seen.protocol,
    group === null ? '-' : (accessLog.groupArns[group] ?? '-'),
    '"-"',
    quote(seen.serverName === '' ? '-' : seen.serverName),
    quote(certificateOf(listener)),
    accessLog.priorities[seen.rule] ?? '-',
    microseconds(seen.at),
    quote(actionOf(seen, listener)),
    quote(seen.location === '' ? '-' : seen.location),
    '"-"',
    quote(target),
    quote(targetStatus),
    '"-"',
    '"-"',
  ].join(' ');
}

function connectionLine(seen: ConnectionSeen, listener: LoggedListener): string {
  const { tls, accessLog } = listener;
  const text = (one: string): string => (one === '' ? '-' : escape(one));
  return [
    tls === null ? 'tcp' : 'tls',
    '2.0',
    wholeSeconds(seen.at + Math.max(0, seen.totalMs)),
    accessLog.balancer,
    listener.id,
    `${seen.client.ip}:${seen.client.port}`,
    seen.target === null ? '-' : `${seen.target.ip}:${seen.target.port}`,
    Math.max(0, seen.totalMs),
    tls === null ? '-' : seen.handshakeMs,
    seen.received,
    seen.sent,
    '-',
    certificateOf(listener),
    '-',
    seen.cipher,
    seen.protocol.toLowerCase().replaceAll('.', ''),
    '-',
    text(seen.serverName),
    text(seen.alpn),
    '-',
    '-',
    wholeSeconds(seen.at),
  ].join(' ');
}

function typeOf(seen: RequestSeen, { tls }: LoggedListener): string {
  if (seen.status === 101) return tls === null ? 'ws' : 'wss';
  if (tls === null) return 'http';
  if (seen.version !== 'HTTP/2.0') return 'https';
  return seen.contentType.startsWith('application/grpc') ? 'grpcs' : 'h2';
}

/** Method, whole URL, version; what was no request has none of them. */
function requestText(seen: RequestSeen, listener: LoggedListener): string {
  if (seen.method === '<BADREQ>') return '- - -';
  const scheme = listener.tls === null ? 'http' : 'https';
  const host = /:\d+$/.test(seen.host) ? seen.host : `${seen.host}:${listener.port}`;
  // In HTTP/2 the URI has scheme and host itself. One that was cut hides the version from HAProxy, which then says 0.9.
  const path = seen.uri.replace(/^https?:\/\/[^/]*/, '');
  return `${seen.method} ${scheme}://${host}${path} ${seen.version === 'HTTP/0.9' ? 'HTTP/1.1' : seen.version}`;
}

function actionOf(seen: RequestSeen, listener: LoggedListener): string {
  const rule = listener.rules.find(({ id }) => id === seen.rule);
  const route: Route | undefined = seen.rule === 'default' ? listener.otherwise : rule?.route;
  if (route === undefined) return '-';
  return route.kind === 'fixed' ? 'fixed-response' : route.kind;
}

/** Which of several certificates a client got HAProxy doesn't say. */
const certificateOf = ({ accessLog: { certificateArns } }: LoggedListener): string =>
  certificateArns.length === 1 ? (certificateArns[0] ?? '-') : '-';

const sum = (...parts: number[]): number => parts.reduce((all, part) => all + Math.max(0, part), 0);
const seconds = (ms: number): string => (ms < 0 ? '-1' : (ms / 1000).toFixed(3));
const microseconds = (at: number): string => new Date(at).toISOString().replace('Z', '000Z');
const wholeSeconds = (at: number): string => new Date(at).toISOString().slice(0, 19);

/** What isn't printable ASCII, and what would end the field, as `\xNN`. */
function escape(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text, 'latin1')) {
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    out += plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return out;
}
const quote = (text: string): string => `"${text.split(' ').map(escape).join(' ')}"`;
