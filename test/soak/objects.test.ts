/**
 * The store of objects under kill -9 and on a disk that fills up. What was acknowledged is there, what is there is whole, and nothing else is left. Parameters: BERTH_OBJECT_ROUNDS (kills),
 * BERTH_OBJECT_WRITERS.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';

const ROUNDS = Number(process.env['BERTH_OBJECT_ROUNDS'] ?? 25);
const WRITERS = Number(process.env['BERTH_OBJECT_WRITERS'] ?? 6);
const KEYS = 12;
const PART = 5 * 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'berth-soak-objects-'));
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

type Server = { child: ChildProcess; s3: S3Client; kill(): Promise<void> };

async function start(dir: string): Promise<Server> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'objects-server.ts'), dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line')) as [string];
  const { port, accessKeyId, secretAccessKey } = JSON.parse(line) as { port: number; accessKeyId: string; secretAccessKey: string };
  const s3 = new S3Client({
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
  });
  return {
    child,
    s3,
    async kill() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      running.delete(child);
      s3.destroy();
    },
  };
}

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const filesOf = (dir: string) => readdirSync(join(dir, 'objects/data')).flatMap((sub) => readdirSync(join(dir, 'objects/data', sub)));

describe('objects under kill -9', () => {
  it(`are as they were acknowledged, ${ROUNDS} times`, { timeout: 1_800_000 }, async () => {
    const dir = join(folder, 'kill');
    mkdirSync(dir);
    /** What a name may hold: what was acknowledged last, or what was under way since. null: no object. */
    const may = new Map<string, Set<string | null>>(Array.from({ length: KEYS }, (_, i) => [`key-${i}`, new Set<string | null>([null])]));
    let server = await start(dir);
    await server.s3.send(new CreateBucketCommand({ Bucket: 'soak' }));
    let acknowledged = 0;
    let cut = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { s3 } = server;
      let ended = false;
      /** Each name has one writer, so that it is known what comes after what. */
      const writer = async (index: number) => {
        while (!ended) {
          const key = `key-${index + WRITERS * randomInt(Math.floor(KEYS / WRITERS))}`;
          const states = may.get(key) ?? new Set();
          const what = randomInt(10);
          const body = randomBytes(what < 7 ? randomInt(200_000) : PART + randomInt(1000));
          const wish = what === 0 ? null : digest(body);
          states.add(wish);
          try {
            if (wish === null) await s3.send(new DeleteObjectCommand({ Bucket: 'soak', Key: key }));
            else if (what < 7) await s3.send(new PutObjectCommand({ Bucket: 'soak', Key: key, Body: body }));
            else await inParts(s3, key, body);
            states.clear();
            states.add(wish);
            acknowledged++;
          } catch (error) {
            if (!ended) throw error;
            cut++;
          }
        }
      };
      const writers = Array.from({ length: WRITERS }, (_, index) => writer(index));
      await setTimeout(randomInt(50, 900));
      ended = true;
      await server.kill();
      await Promise.all(writers);
      server = await start(dir);
      await check(server.s3, may);
    }
    // What no name leads to is swept at the start; parts of uploads that nobody completed are somebody's still.
    await setTimeout(1000);
    const { Contents = [] } = await server.s3.send(new ListObjectsV2Command({ Bucket: 'soak' }));
    const left = filesOf(dir).length;
    console.log(`${acknowledged} acknowledged, ${cut} cut off; ${Contents.length} objects in ${left} files`);
    assert.deepEqual(readdirSync(join(dir, 'objects/incoming')), []);
    await server.kill();
  });
});

async function inParts(s3: S3Client, Key: string, body: Buffer): Promise<void> {
  const at = { Bucket: 'soak', Key };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at));
  const bodies = [body.subarray(0, PART), body.subarray(PART)];
  const Parts = await Promise.all(
    bodies.map(async (Body, i) => {
      const { ETag } = await s3.send(new UploadPartCommand({ ...at, UploadId, PartNumber: i + 1, Body }));
      return { ETag, PartNumber: i + 1 };
    }),
  );
  await s3.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
}

/** Every name holds one of what it may; from then on it is known which. */
async function check(s3: S3Client, may: Map<string, Set<string | null>>): Promise<void> {
  for (const [key, states] of may) {
    let found: string | null;
    try {
      const answer = await s3.send(new GetObjectCommand({ Bucket: 'soak', Key: key }));
      found = digest((await answer.Body?.transformToByteArray()) ?? new Uint8Array());
    } catch (error) {
      assert.equal((error as Error).name, 'NoSuchKey');
      found = null;
    }
    assert.ok(states.has(found), `${key} holds ${found}, which is none of ${[...states].join(', ')}`);
    states.clear();
    states.add(found);
  }
}

describe('objects on a disk that fills up', () => {
  it('are refused in words, leave nothing, and fit again once there is room', { timeout: 300_000 }, async () => {
    const dir = join(folder, 'full');
    mkdirSync(dir);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=420m', 'berth-soak', dir]).status, 0);
    try {
      const server = await start(dir);
      const { s3 } = server;
      await s3.send(new CreateBucketCommand({ Bucket: 'soak' }));
      const body = randomBytes(60 * 1024 * 1024);
      let stored = 0;
      const put = () => s3.send(new PutObjectCommand({ Bucket: 'soak', Key: `k${stored}`, Body: body }));
      await assert.rejects(
        async () => {
          for (;;) {
            await put();
            stored++;
          }
        },
        (error: any) => error.name === 'InsufficientStorage' && error.$metadata.httpStatusCode === 507,
      );
      console.log(`${stored} objects of 60 MiB fit on 420 MiB, of which 256 stay free`);
      assert.ok(stored >= 1);
      assert.equal(filesOf(dir).length, stored);
      assert.deepEqual(readdirSync(join(dir, 'objects/incoming')), []);
      await s3.send(new DeleteObjectCommand({ Bucket: 'soak', Key: 'k0' }));
      await put();
      // Somebody else fills the rest: even then nothing half is left, and what was there can be read.
      spawnSync('sh', ['-c', `head -c 400M /dev/zero > ${join(dir, 'other')}`]);
      await assert.rejects(put(), (error: any) => error.name === 'InsufficientStorage');
      const answer = await s3.send(new GetObjectCommand({ Bucket: 'soak', Key: `k${stored}` }));
      assert.equal(digest((await answer.Body?.transformToByteArray()) ?? new Uint8Array()), digest(body));
      await server.kill();
    } finally {
      spawnSync('umount', [dir]);
    }
  });
});
