/**
 * Sends a container's output to Splunk's HTTP Event Collector. A batch is tried until the collector takes it: meanwhile it stays in the
 * spool, which is the buffer. Only what the collector calls wrong for good is given up, and said in the host's log.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Clock, Timer } from '#base/clock.ts';
import { asFault, Fault } from '#base/fault.ts';
import { http, https } from '#base/http.ts';
import { limits } from '#base/limits.ts';
import type { Log } from '#base/log.ts';
import type { SplunkTarget } from '#domain/task-spec.ts';
import type { OutputBatch } from '#link/protocol.ts';
import { splunkFormat } from './splunk-format.ts';
import type { SplunkFormat, SplunkSource } from './splunk-format.ts';
import type { LogSink } from './task-lanes.ts';

const TIMEOUT_MS = 10_000;
const RETRY_MS = { first: 250, most: 10_000 };
/** What the collector says of data that it will never take: malformed, or too large. Everything else may be mended: a token, an index, a queue. */
const refusedForGood = new Set([413, 422]);

export function createSplunkSink(
  deps: { clock: Clock; log: Log },
  target: SplunkTarget,
  source: SplunkSource,
  acknowledged: (to: number) => void,
): LogSink {
  const { clock, log } = deps;
  const format = splunkFormat(target, source);
  let current: OutputBatch | undefined;
  let retry: Timer | undefined;
  let closed = false;

  const deliver = async (batch: OutputBatch, tries: number): Promise<void> => {
    try {
      const body = batch.events.flatMap((event) => format.encode(event) ?? []).join('');
      if (body !== '') await post(format, target, body);
    } catch (error) {
      if (closed) return;
      const fault = asFault(error);
      if (fault.code !== 'InvalidParameter') {
        if (tries === 0) log.warn('splunk.retry', { container: source.container.name, reason: fault.message });
        const waitMs = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(tries, 10));
        retry = clock.after(waitMs, () => void deliver(batch, tries + 1));
        return;
      }
      log.warn('splunk.refused', { container: source.container.name, events: batch.events.length, reason: fault.message });
    }
    if (closed) return;
    current = undefined;
    acknowledged(batch.to);
  };

  return {
    send(batch) {
      if (closed) return false;
      if (current === undefined) {
        current = batch;
        void deliver(batch, 0);
      }
      return true;
    },
    close() {
      closed = true;
      retry?.cancel();
    },
  };
}

/** Throws InvalidParameter for data that will never be taken, Unavailable for what may be later. */
async function post(format: SplunkFormat, target: SplunkTarget, text: string): Promise<void> {
  const level = format.gzipLevel >= 0 ? { level: format.gzipLevel } : {};
  const body = format.gzip ? gzipSync(text, level) : Buffer.from(text);
  const headers = {
    Authorization: `Splunk ${format.token}`,
    'Content-Type': 'application/json',
    'Content-Length': String(body.length),
    ...(format.gzip ? { 'Content-Encoding': 'gzip' } : {}),
  };
  const answer = await ask(format, target, 'POST', headers, body);
  if (answer.status < 300) return;
  const code = refusedForGood.has(answer.status) ? 'InvalidParameter' : 'Unavailable';
  throw new Fault(code, `failed to send event - ${answer.status} ${answer.reason} - ${answer.text}`);
}

/** With the values that the definition only names. */
export const withSecretOptions = (target: SplunkTarget, secrets: Record<string, string>): SplunkTarget => ({
  ...target,
  options: { ...target.options, ...secrets },
});

/** As Docker's splunk-verify-connection: the collector answers OPTIONS. Throws Unavailable. */
export async function verifySplunk(target: SplunkTarget, source: SplunkSource): Promise<void> {
  const answer = await ask(splunkFormat(target, source), target, 'OPTIONS', {}, Buffer.alloc(0));
  if (answer.status === 200) return;
  throw new Fault('Unavailable', `failed to verify connection - ${answer.status} ${answer.reason} - ${answer.text}`);
}

type Reply = { status: number; reason: string; text: string };

function ask(format: SplunkFormat, target: SplunkTarget, method: string, headers: Record<string, string>, body: Buffer): Promise<Reply> {
  const { options } = target;
  const { url } = format;
  const capath = options['splunk-capath'];
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) =>
      reject(new Fault('Unavailable', `${method} ${url.origin}: ${asFault(error).message}`, { cause: error }));
    const taken = (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        if (text.length < limits.reasonChars) text += part.slice(0, limits.reasonChars - text.length);
      });
      response.on('error', fail);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, reason: response.statusMessage ?? '', text }));
    };
    try {
      const request =
        url.protocol === 'https:'
          ? https().request(
              url,
              {
                method,
                headers,
                timeout: TIMEOUT_MS,
                rejectUnauthorized: options['splunk-insecureskipverify'] !== 'true',
                ...(capath ? { ca: readFileSync(capath) } : {}),
                ...(options['splunk-caname'] ? { servername: options['splunk-caname'] } : {}),
              },
              taken,
            )
          : http.request(url, { method, headers, timeout: TIMEOUT_MS }, taken);
      request.on('error', fail);
      request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      request.end(body);
    } catch (error) {
      fail(error);
    }
  });
}
