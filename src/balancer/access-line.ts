/** Reads what HAProxy says of a request or a connection (render-access-log.ts). Pure; a line that isn't one gives undefined. */

/** Times are milliseconds, -1 where it did not come so far. Text is as the client sent it, cut at its bound. */
type Common = {
  /** Ids of listener and backend as HAProxy names them. */
  frontend: string;
  backend: string;
  client: { ip: string; port: number };
  target: { ip: string; port: number } | null;
  /** When the request (the connection) began, and how long it took altogether. */
  at: number;
  totalMs: number;
  handshakeMs: number;
  queueMs: number;
  connectMs: number;
  received: number;
  sent: number;
  /** How it ended, in HAProxy's letters (management guide 8.5); `--` for well. */
  end: string;
  cipher: string;
  protocol: string;
  serverName: string;
};
export type RequestSeen = Common & {
  kind: 'request';
  readMs: number;
  answerMs: number;
  bodyMs: number;
  status: number;
  method: string;
  version: string;
  rule: string;
  contentType: string;
  location: string;
  host: string;
  agent: string;
  uri: string;
};
export type ConnectionSeen = Common & { kind: 'connection'; alpn: string };

export function parseAccessLine(line: string): RequestSeen | ConnectionSeen | undefined {
  const fields = split(line);
  const kind = fields.shift();
  if (kind === 'h1') return request(fields);
  return kind === 't1' ? connection(fields) : undefined;
}

function request(fields: readonly string[]): RequestSeen | undefined {
  const [head, [handshake, idle, read, queue, connect, answer, body, active], more] = [
    fields.slice(0, 8),
    numbers(fields, 8, 8),
    fields.slice(16),
  ];
  const [status, received, sent] = numbers(more, 0, 3);
  const [end, method, version, cipher, protocol, rule, client, serverName, contentType, location, host, agent, uri] = more.slice(3);
  const common = begin(head, Math.max(0, handshake ?? 0) + Math.max(0, idle ?? 0));
  if (common === undefined || uri === undefined || ![status, received, sent, active].every(Number.isFinite)) return undefined;
  const forwarded = client === undefined || client === '' ? common.client : { ip: client, port: 0 };
  const times = {
    handshakeMs: handshake,
    queueMs: queue,
    connectMs: connect,
    readMs: read,
    answerMs: answer,
    bodyMs: body,
    totalMs: active,
  };
  const texts = { end, method, version, cipher, protocol, rule, serverName, contentType, location, host, agent, uri: decoded(uri) };
  return { kind: 'request', ...common, ...times, ...texts, client: forwarded, status, received, sent } as RequestSeen;
}

function connection(fields: readonly string[]): ConnectionSeen | undefined {
  const [handshakeMs, queueMs, connectMs, totalMs, received, sent] = numbers(fields, 8, 6);
  const [end, cipher, protocol, serverName, alpn] = fields.slice(14);
  const common = begin(fields.slice(0, 8), 0);
  if (common === undefined || alpn === undefined || ![totalMs, received, sent].every(Number.isFinite)) return undefined;
  const rest = { handshakeMs, queueMs, connectMs, totalMs, received, sent, end, cipher, protocol, serverName, alpn };
  return { kind: 'connection', ...common, ...rest } as ConnectionSeen;
}

function begin(fields: readonly string[], afterMs: number) {
  const [frontend = '', backend = '', ip = '', port, targetIp = '', targetPort, seconds, ms] = fields;
  const at = Number(seconds) * 1000 + Number(ms) + afterMs;
  if (!Number.isSafeInteger(at) || at < 0 || !Number.isInteger(Number(port))) return undefined;
  const target = /^[\d.]+$/.test(targetIp) ? { ip: targetIp, port: Number(targetPort) } : null;
  return { frontend, backend, client: { ip, port: Number(port) }, target, at };
}

/** In a URI HAProxy writes what isn't printable, `"` and `#` as `#NN`. */
const decoded = (uri: string): string =>
  uri.replaceAll(/#([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

const numbers = (fields: readonly string[], from: number, count: number): number[] =>
  Array.from({ length: count }, (_, at) => Number(fields[from + at] ?? Number.NaN));

/** Words between single spaces, or text in quotation marks wherein `"`, `\` and `]` follow a backslash. The last may have been cut. */
function split(line: string): string[] {
  const fields: string[] = [];
  const pattern = /"((?:[^"\\]|\\.)*)(?:"|\\?$)|([^ "]+)/gsy;
  while (pattern.lastIndex < line.length) {
    const found = pattern.exec(line);
    if (found === null) return fields;
    fields.push(found[2] ?? (found[1] ?? '').replaceAll(/\\(.)/gs, '$1'));
    // The space between.
    if (pattern.lastIndex < line.length && line[pattern.lastIndex] !== ' ') return fields;
    pattern.lastIndex += 1;
  }
  return fields;
}
