/**
 * Pull and import: streaming paths, since a person waits and watches. Both answer with NDJSON: `{"progress": PullProgress}` lines while
 * it goes on, then one `{"image": {ref, digest, sizeBytes, exposedPorts}}` or one `{"error": {code, message}}`.
 */
import { asFault, Fault } from '#base/fault.ts';
import type { Json } from '#base/fault.ts';
import { limits } from '#base/limits.ts';
import type { StreamAnswer, StreamRoute } from '#gateway/types.ts';
import { hostOps } from '#link/operations.ts';
import type { ByteStream } from '#link/types.ts';
import { imageHost } from './hosts.ts';
import type { BerthApiDeps } from './types.ts';

export function pullRoute(deps: BerthApiDeps): StreamRoute {
  return {
    method: 'POST',
    path: '/_berth/images/pull',
    action: 'berth:PullImage',
    resources: () => ['*'],
    async handle({ query, signal }) {
      const ref = required(query, 'ref');
      const check = query.get('check') ?? 'if-missing';
      if (check !== 'if-missing' && check !== 'always')
        throw new Fault('InvalidParameter', `check must be if-missing or always, not '${check}'.`);
      return streamed(deps, { op: hostOps.imagePull, body: { ref, check }, ref, signal });
    },
  };
}

export function importRoute(deps: BerthApiDeps): StreamRoute {
  return {
    method: 'POST',
    path: '/_berth/images/import',
    action: 'berth:ImportImage',
    resources: () => ['*'],
    async handle({ query, body, signal }) {
      const ref = required(query, 'ref');
      return streamed(deps, { op: hostOps.imageImport, body: { ref }, ref, signal, upload: body });
    },
  };
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null || value === '') throw new Fault('InvalidParameter', `The query parameter '${name}' is missing.`);
  return value;
}

type Work = { op: string; body: Json; ref: string; signal: AbortSignal; upload?: AsyncIterable<Uint8Array> };

async function streamed(deps: BerthApiDeps, work: Work): Promise<StreamAnswer> {
  const host = await imageHost(deps);
  const stream = await deps.hosts.openStream(host.key.hostId);
  work.signal.addEventListener('abort', () => stream.end('the client went away'), { once: true });
  const answer = deps.hosts.request(host.key.hostId, work.op, work.body, { timeoutMs: limits.imageTransferMs, stream });
  // Its failure is told in the body; until then nobody waits for it.
  answer.catch(() => undefined);
  const sending = upload(stream, work.upload);
  return {
    status: 200,
    contentType: 'application/x-ndjson',
    body: lines(deps, work, { hostId: host.key.hostId, stream, answer, sending }),
  };
}

async function upload(stream: ByteStream, body: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  if (body === undefined) return stream.end();
  let sent = 0;
  try {
    for await (const chunk of body) {
      sent += chunk.length;
      if (sent > limits.importBytes) throw new Fault('LimitExceeded', `An archive may have at most ${limits.importBytes} bytes.`);
      await stream.write(chunk);
    }
    stream.end();
  } catch (error) {
    // The host refused and ended the stream (its answer says why), or the client broke off.
    stream.end(asFault(error).message);
  }
}

type Running = { hostId: string; stream: ByteStream; answer: Promise<Json>; sending: Promise<void> };

async function* lines(deps: BerthApiDeps, work: Work, running: Running): AsyncGenerator<string> {
  try {
    for await (const progress of jsonLines(running.stream)) yield line({ progress });
    const answer = await running.answer;
    await running.sending;
    yield line({ image: await summary(deps, running.hostId, work.ref, answer) });
  } catch (error) {
    // A broken stream is only the shadow of what the call itself has to say.
    const fault = await running.answer.then(
      () => asFault(error),
      (failure: unknown) => asFault(failure),
    );
    yield line({ error: { code: fault.code, message: fault.message } });
  }
}

const line = (value: Json): string => `${JSON.stringify(value)}\n`;

async function* jsonLines(stream: ByteStream): AsyncGenerator<Json> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream.read()) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    if (rest.length > limits.frameBytes) throw new Fault('ProtocolError', 'the host wrote a progress line without an end');
    for (const part of parts) if (part !== '') yield JSON.parse(part) as Json;
  }
}

/** A pull answers with what it resolved, an import with the image's summary; the size stands in the list. */
async function summary(deps: BerthApiDeps, hostId: string, ref: string, answer: Json): Promise<Json> {
  const object = answer as { [name: string]: Json };
  const imported = object['image'] as { [name: string]: Json } | undefined;
  if (imported !== undefined) return { ref, exposedPorts: [], ...imported };
  const list = await deps.hosts.request(hostId, hostOps.imageList, {}, { timeoutMs: limits.imageCallMs });
  const images = (list as { images: { digest: string; sizeBytes: number }[] }).images;
  const sizeBytes = images.find((image) => image.digest === object['digest'])?.sizeBytes ?? 0;
  return { ref, exposedPorts: [], ...object, sizeBytes };
}
