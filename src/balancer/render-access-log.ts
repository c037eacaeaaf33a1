/**
 * How HAProxy tells of requests: one line each into a ring in its memory, which it sends to the control plane's socket and keeps while nobody listens there. Only
 * listeners with an access log have any of it. Pure.
 *
 * A process that another one took over from closes its ring (HAProxy 2.6, `stopping`). What it still has under way it sends as a datagram to its successor
 * instead, whose ring takes it; what it hands over (render-listener.ts) it does not log at all.
 */
import { limits } from '#base/limits.ts';
import { word } from './escape.ts';
import type { ListenerDesired } from './types.ts';

const RING = 'access';
const FORMAT = { http: 'h1', tcp: 't1' } as const;
const quoted = (sample: string): string => `%{+Q,+E}[${sample}]`;

/** Fields of a line in their order; access-line.ts reads them. Text that a client chose is quoted, and what may be long comes last. */
const httpFormat = [
  `${FORMAT.http} %f %b %ci %cp %si %sp %Ts %ms %Th %Ti %TR %Tw %Tc %Tr %Td %Ta %ST %U %B %tsc %HM %HV %sslc %sslv`,
  ...['var(txn.rule)', 'var(txn.client)', 'ssl_fc_sni', 'capture.req.hdr(0)', 'var(txn.location)'].map(quoted),
  ...['capture.req.hdr(1)', 'capture.req.hdr(2)'].map(quoted),
  '%{+Q,+E}HU',
].join(' ');
const tcpFormat = [
  `${FORMAT.tcp} %f %b %ci %cp %si %sp %Ts %ms %Th %Tw %Tc %Tt %U %B %tsc %sslc %sslv`,
  ...['ssl_fc_sni', 'ssl_fc_alpn'].map(quoted),
].join(' ');

export const lateSocket = (accessSocket: string): string => `${accessSocket}.late`;

/** What a frontend says about its log; `successor` is the backend of what is handed over. */
export function accessLogLines(listener: ListenerDesired, accessSocket: string, successor: string): string[] {
  if (listener.accessLog === null) return [];
  const to = (target: string, format: string, levels: string) =>
    `log ${target} len ${limits.accessLineBytes} format ${format} local0 ${levels}`;
  const ring = to(`ring@${RING}`, 'raw', 'info');
  if (listener.mode === 'tcp') return [ring, `log-format "${tcpFormat}"`];
  return [
    'option dontlognull',
    ring,
    to(`unix@${word(lateSocket(accessSocket))}`, 'rfc3164', 'notice notice'),
    `log-format "${httpFormat}"`,
    'capture request header Content-Type len 16',
    `capture request header Host len ${limits.accessHostBytes}`,
    `capture request header User-Agent len ${limits.accessAgentBytes}`,
    'http-request set-log-level silent if { stopping }',
    `http-response set-log-level notice if { stopping } !{ be_name ${successor} }`,
    // From its own address come the front door and the former process, which have said who asked.
    `http-request set-var(txn.client) req.hdr(x-forwarded-for,-1),bytes(0,45) if { src ${listener.address} }`,
    `http-after-response set-var(txn.location) res.hdr(location),bytes(0,${limits.accessLocationBytes}) if { be_name -m beg act_ }`,
  ];
}

/** Global settings that access logs need. */
export const accessLogGlobal = `    tune.http.logurilen ${limits.accessUriBytes}\n`;

export function renderAccessLog(accessSocket: string): string {
  return `
ring ${RING}
    format raw
    maxlen ${limits.accessLineBytes}
    size ${limits.accessRingBytes}
    timeout connect 1s
    timeout server 1h
    server control unix@${word(accessSocket)} log-proto octet-count

log-forward late
    dgram-bind unix@${word(lateSocket(accessSocket))} mode 600
    log ring@${RING} len ${limits.accessLineBytes} format raw local0
`;
}
