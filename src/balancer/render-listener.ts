/** A listener as HAProxy's frontend, and the backends of its redirects and fixed answers. Pure. */
import type { ListenerDesired, Route } from './types.ts';
import { literal, word } from './escape.ts';
import { accessLogLines } from './render-access-log.ts';
import { conditions } from './render-conditions.ts';
import { groupName } from './render-group.ts';

export type ListenerSpec = ListenerDesired & {
  /** Descriptor number of its socket. */
  fd: number;
  /** The file that lists its certificates; null without TLS. */
  crtList: string | null;
};

export const listenerName = (id: string): string => `l_${id}`;
const routeName = (listenerId: string, ruleId: string): string => `act_${listenerId}_${ruleId}`;
const GROUP_COOKIE = 'AWSALBTG';

/** `acmeDomain`, `accessSocket`: see HaproxySpec. */
export function renderListener(listener: ListenerSpec, acmeDomain: string | null, accessSocket: string): string {
  const lines = [`bind fd@${listener.fd}${tls(listener)}`, `mode ${listener.mode}`, `timeout client ${listener.idleSeconds}s`];
  const rules = [...listener.rules, { id: 'default', conditions: [], route: listener.otherwise }];
  lines.push(...accessLogLines(listener, accessSocket, successorName(listener.id)));
  if (listener.mode === 'http') lines.push(...headers(listener), ...foundRule(rules, listener.accessLog !== null), ...stickyCookies(rules));
  if (listener.mode === 'http') lines.push(...handOver(successorName(listener.id)));
  if (acmeDomain !== null && answersChallenges(listener)) lines.push(challenges(acmeDomain));
  for (const rule of rules) lines.push(...uses(listener.id, rule.id, rule.route, conditions(rule.conditions)));
  const body = lines.map((line) => `    ${line}\n`).join('');
  const answers = rules.flatMap(({ id, route }) => answer(listener, id, route)).join('');
  const successor = listener.mode === 'http' ? renderSuccessor(successorName(listener.id), listener, listener.tls !== null) : '';
  return `\nfrontend ${listenerName(listener.id)}\n${body}${answers}${successor}`;
}

const successorName = (listenerId: string): string => `next_${listenerId}`;

/**
 * After a reload the former process still has its clients' connections (an idle one that it closed could cross a request). What comes over them is for the
 * configuration that holds now: it goes to the process that has the listening socket, and the answer is the connection's last.
 */
export function handOver(successor: string): string[] {
  return ['http-after-response set-header Connection close if { stopping }', `use_backend ${successor} if { stopping }`];
}

export function renderSuccessor(name: string, at: { address: string; port: number }, secure: boolean): string {
  const tls = secure ? ' ssl verify none sni req.hdr(host),host_only' : '';
  return `\nbackend ${name}\n    server next ${at.address}:${at.port}${tls}\n`;
}

/** HTTP-01 is asked for on port 80 alone (RFC 8555, section 8.3). */
const answersChallenges = ({ mode, tls: wanted, port }: ListenerSpec): boolean => mode === 'http' && wanted === null && port === 80;

/** Before every rule: a redirect to HTTPS must not stand in the way of the certificate that HTTPS wants. */
function challenges(domain: string): string {
  const asked = '{ path_beg /.well-known/acme-challenge/ }';
  const host = 'req.hdr(host),host_only,lower';
  return `use_backend nothing if ${asked} { ${host} -m str ${domain} } or ${asked} { ${host} -m end .${domain} }`;
}

function tls({ tls: wanted, crtList }: ListenerSpec): string {
  if (wanted === null || crtList === null) return '';
  const alpn = wanted.alpn.length === 0 ? '' : ` alpn ${wanted.alpn.join(',')}`;
  return ` ssl crt-list ${word(crtList)}${alpn} ssl-min-ver ${wanted.minVersion} ssl-max-ver ${wanted.maxVersion}`;
}

function headers(listener: ListenerSpec): string[] {
  const lines = [`timeout http-keep-alive ${Math.min(listener.idleSeconds, listener.keepAliveSeconds)}s`];
  if (listener.dropInvalidHeaders) lines.push('option http-restrict-req-hdr-names delete');
  // What comes from its own address comes by the front door or the former process, which have said who asked.
  if (listener.forwardedFor === 'append') lines.push(`option forwardfor except ${listener.address}`);
  if (listener.forwardedFor === 'remove') lines.push('http-request del-header X-Forwarded-For');
  lines.push(`http-request set-header X-Forwarded-Proto ${listener.tls === null ? 'http' : 'https'}`);
  return [...lines, `http-request set-header X-Forwarded-Port ${listener.port}`];
}

type Rule = ListenerDesired['rules'][number];

/** Which rule a request met, where a cookie or the access log needs it; in the same order as below. */
function foundRule(rules: Rule[], logged: boolean): string[] {
  if (!logged && rules.every(({ route }) => stickySeconds(route) === null)) return [];
  return rules.map((rule) =>
    `http-request set-var(txn.rule) str(${rule.id}) if !{ var(txn.rule) -m found } ${conditions(rule.conditions)}`.trimEnd(),
  );
}

/** A client that got one of several groups says so with a cookie. */
function stickyCookies(rules: Rule[]): string[] {
  const sticky = rules.flatMap(({ id, route }) => (stickySeconds(route) === null ? [] : [{ id, seconds: stickySeconds(route) }]));
  return sticky.map(
    ({ id, seconds }) =>
      `http-response add-header Set-Cookie ${GROUP_COOKIE}=%[be_name];\\x20Path=/;\\x20Max-Age=${seconds} if { var(txn.rule) -m str ${id} }`,
  );
}

const stickySeconds = (route: Route): number | null => (route.kind === 'forward' && route.groups.length > 1 ? route.stickySeconds : null);

/** The first line whose condition holds decides; of several groups each gets its share of what the ones before left. */
function uses(listenerId: string, ruleId: string, route: Route, when: string): string[] {
  const use = (name: string, ...parts: string[]): string => {
    const all = parts.filter((part) => part !== '').join(' ');
    return all === '' ? `default_backend ${name}` : `use_backend ${name} if ${all}`;
  };
  const groups = route.kind === 'forward' ? route.groups.filter((group) => group.weight > 0) : [];
  if (groups.length === 0) return [use(routeName(listenerId, ruleId), when)];
  const kept =
    stickySeconds(route) === null
      ? []
      : groups.map(({ id }) => use(groupName(id), when, `{ req.cook(${GROUP_COOKIE}) -m str ${groupName(id)} }`));
  let left = groups.reduce((sum, group) => sum + group.weight, 0);
  const shares = groups.map(({ id, weight }, at) => {
    const share = at === groups.length - 1 ? '' : `{ rand(${left}) lt ${weight} }`;
    left -= weight;
    return use(groupName(id), when, share);
  });
  return [...kept, ...shares];
}

function answer(listener: ListenerSpec, ruleId: string, route: Route): string[] {
  if (route.kind === 'forward' && route.groups.some((group) => group.weight > 0)) return [];
  // Without a target a TCP connection is closed.
  const lines = listener.mode === 'tcp' ? [] : route.kind === 'redirect' ? redirect(listener, route) : [fixed(route)];
  const mode = listener.mode === 'http' ? 'mode http' : 'mode tcp';
  return [`\nbackend ${routeName(listener.id, ruleId)}\n    ${mode}\n${lines.map((line) => `    ${line}\n`).join('')}`];
}

function fixed(route: Extract<Route, { kind: 'fixed' | 'forward' }>): string {
  if (route.kind === 'forward') return 'http-request return status 503';
  const body = route.body ?? '';
  const content = body === '' ? '' : ` content-type ${word(route.contentType ?? 'text/plain')} string ${word(body)}`;
  return `http-request return status ${route.status}${content}`;
}

/** `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}` stand for the request's own (API reference, RedirectActionConfig). */
function redirect(listener: ListenerSpec, route: Extract<Route, { kind: 'redirect' }>): string[] {
  const protocol = (route.protocol === '#{protocol}' ? (listener.tls === null ? 'http' : 'https') : route.protocol).toLowerCase();
  const fill = (text: string): string =>
    text
      .split(/(#\{(?:protocol|host|port|path|query)\})/)
      .map((part) => variables(listener, protocol)[part] ?? literal(part))
      .join('');
  const path = fill(route.path.replace(/^(?!\/)/, '/'));
  const to = (query: string) => `${literal(protocol)}://${fill(route.host)}:${fill(route.port)}${path}${query === '' ? '' : `?${query}`}`;
  const line = (location: string, when: string) => `http-request redirect code ${route.status} location ${location}${when}`;
  if (route.query === '') return [line(to(''), '')];
  // A request without a query is sent on without a question mark.
  if (route.query === '#{query}') return [line(to(fill(route.query)), ' if { query -m found }'), line(to(''), '')];
  return [line(to(fill(route.query)), '')];
}

const variables = (listener: ListenerSpec, protocol: string): Record<string, string> => ({
  '#{protocol}': literal(protocol),
  '#{host}': '%[req.hdr(host),host_only]',
  '#{port}': String(listener.port),
  '#{path}': '%[path,regsub(^/,)]',
  '#{query}': '%[query]',
});
