/** Calls an API destination. Source: EventBridge user guide, "API destinations": what is sent, which answers are tried again, how long one may take. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '#base/clock.ts';
import { http, https } from '#base/http.ts';
import { limits } from '#base/limits.ts';
import { connectionContext } from '#domain/event.ts';
import type { Delivery } from '#domain/event.ts';
import type { CallSecrets } from '#front/events/index.ts';
import type { Outcome } from '#plan/event-rules.ts';
import type { Vault } from '#vault/index.ts';
import type { Store } from '#store/types.ts';
import { addressOf, assertOpen, closedAddresses, ClosedAddress, openLookup, type Closed, type WebhookRules } from './webhook-addresses.ts';

export type Deps = { store: Pick<Store, 'read'>; clock: Clock; vault: Pick<Vault, 'decrypt'>; webhooks: WebhookRules };

type Call = { url: URL; method: string; headers: Record<string, string>; body: string };
type Parameters = {
  PathParameterValues?: string[];
  HeaderParameters?: Record<string, string>;
  QueryStringParameters?: Record<string, string>;
};

/** What else may be mended by waiting, beside 5xx. */
const again = new Set([401, 407, 408, 409, 425, 429]);

export function createWebhooks(deps: Deps): (delivery: Delivery, text: string) => Promise<Outcome> {
  const isClosed = closedAddresses(deps.webhooks);
  /** When the next call of a destination may be, by its ARN. */
  const nextAt = new Map<string, number>();
  const turn = async (arn: string, rate: number) => {
    const now = deps.clock.now();
    const at = Math.max(now, nextAt.get(arn) ?? 0);
    nextAt.set(arn, at + 1000 / rate);
    if (nextAt.size > limits.eventConnectionsPerRegion) for (const [old, time] of nextAt) if (time < now) nextAt.delete(old);
    if (at > now) await deps.clock.sleep(at - now);
  };
  return async (delivery, text) => {
    const { account, region, target } = delivery;
    const name = target.arn.split('api-destination/')[1]?.split('/')[0] ?? '';
    const found = await deps.store.read(async (tx) => {
      const destination = await tx.eventDestinations.get({ account, region, name });
      const connection =
        destination === undefined ? undefined : await tx.eventConnections.get({ account, region, name: destination.connection });
      const vpcs = (await tx.vpcs.list({})).map(({ cidr }) => cidr);
      return destination === undefined || connection === undefined ? undefined : { destination, connection, vpcs };
    });
    if (found === undefined) return { ok: false, again: false, code: 'NO_RESOURCE', message: `the API destination ${name} does not exist` };
    const { destination, connection, vpcs } = found;
    const secrets = JSON.parse(deps.vault.decrypt(connection.secret, connectionContext(connection.id)).toString()) as CallSecrets;
    await turn(target.arn, destination.rate);
    const call = callOf(destination.endpoint, destination.method, target.parameters as Parameters, secrets, text);
    try {
      const { status, retryAfter } = await send(call, vpcs, isClosed);
      if (status >= 200 && status < 300) return { ok: true };
      const waitMs = waitOf(retryAfter, deps.clock.now());
      return {
        ok: false,
        again: (status >= 500 || again.has(status)) && waitMs >= 0,
        code: 'SDK_CLIENT_ERROR',
        message: `${destination.endpoint} answered ${status}`,
        waitMs,
      };
    } catch (error) {
      return {
        ok: false,
        again: !(error instanceof ClosedAddress),
        code: 'SDK_CLIENT_ERROR',
        message: `${destination.endpoint} can't be reached: ${(error as Error).message}`,
      };
    }
  };
}

/** Retry-After in ms from now: seconds or a date (RFC 9110, 10.2.3); below 0: it wants no other try. What can't be read is no wish. */
function waitOf(retryAfter: string | undefined, now: number): number {
  if (retryAfter === undefined) return 0;
  if (/^-?\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1000;
  const at = Date.parse(retryAfter);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}

/** The connection's parameters go before the target's own, as the reference has it (HttpParameters); stars in the URL are filled in from left to right. */
function callOf(endpoint: string, method: string, parameters: Parameters, secrets: CallSecrets, text: string): Call {
  const values = [...(parameters.PathParameterValues ?? [])];
  const url = new URL(endpoint.replaceAll('*', () => encodeURIComponent(values.shift() ?? '')));
  for (const [name, value] of Object.entries({ ...parameters.QueryStringParameters, ...secrets.query })) url.searchParams.set(name, value);
  const headers = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'berth/events', ...lower(parameters.HeaderParameters ?? {}), ...lower(secrets.headers) };
  return { url, method, headers, body: method === 'GET' || method === 'HEAD' ? '' : withMembers(text, secrets.body) };
} // prettier-ignore

const lower = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** The connection's members beside the event's own, where that is an object. */
function withMembers(text: string, members: Record<string, string>): string {
  if (Object.keys(members).length === 0) return text;
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? JSON.stringify({ ...body, ...members }) : text;
  } catch {
    return text;
  }
}

/** Follows no redirect: only the address that was named is called. Resolves with the status and how long it asks to be left alone; rejects with ClosedAddress for one that may not be. */
function send(
  { url, method, headers, body }: Call,
  vpcs: readonly string[],
  isClosed: Closed,
): Promise<{ status: number; retryAfter: string | undefined }> {
  return new Promise((resolve, reject) => {
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
    const address = addressOf(url.hostname);
    if (address !== undefined) assertOpen(address, port, vpcs, isClosed);
    const client = url.protocol === 'https:' ? https() : http;
    const signal = AbortSignal.timeout(limits.webhookMs);
    const request = client.request(url, {
      method,
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      agent: false,
      lookup: openLookup(port, vpcs, isClosed),
      signal,
    });
    request.on('error', (error) => reject(signal.aborted ? new Error(`no answer within ${limits.webhookMs / 1000} s`) : error));
    request.on('response', (answer: IncomingMessage) => {
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > limits.webhookAnswerBytes) answer.destroy();
      });
      const told = { status: answer.statusCode ?? 0, retryAfter: answer.headers['retry-after'] };
      answer.on('error', () => resolve(told));
      answer.on('close', () => resolve(told));
    });
    request.end(body);
  });
}
