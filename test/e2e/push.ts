/** A push by the distribution protocol, as a client does it: blobs that aren't there, then the manifest. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

type Descriptor = { digest: string; mediaType: string };

/** `archive`: an OCI layout in a tar. `registry`: `http://HOST:PORT`. Returns the manifest's digest. */
export async function pushArchive(archive: string, registry: string, name: string, authorization: string): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-push-'));
  try {
    execFileSync('tar', ['-C', dir, '-xf', archive]);
    const blob = ({ digest }: Descriptor) => join(dir, 'blobs', digest.replace(':', '/'));
    const [entry] = (JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8')) as { manifests: Descriptor[] }).manifests;
    assert.ok(entry);
    const bytes = readFileSync(blob(entry));
    const { config, layers } = JSON.parse(bytes.toString()) as { config: Descriptor; layers: Descriptor[] };
    const [repository = '', tag = ''] = name.split(':');
    const send = async (path: string, init: RequestInit & { duplex?: 'half' }) => {
      const answer = await fetch(`${registry}/v2/${repository}/${path}`, {
        ...init,
        headers: { authorization, ...(init.headers as object) },
      });
      assert.equal(answer.status, 201, await answer.text());
    };
    for (const part of [config, ...layers]) {
      const body = Readable.toWeb(createReadStream(blob(part))) as ReadableStream;
      await send(`blobs/uploads/?digest=${part.digest}`, { method: 'POST', body, duplex: 'half' });
    }
    await send(`manifests/${tag}`, { method: 'PUT', body: bytes, headers: { 'content-type': entry.mediaType } });
    return entry.digest;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
