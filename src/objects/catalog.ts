/** The rows: which buckets there are, which names lead to which files. A database of its own, as metrics have, since it grows with what users keep. */
import { openSqlite, type Cell, type Line, type Sqlite } from '#store/sqlite.ts';
import { full } from './files.ts';
import { isFault } from '#base/fault.ts';
import type { BucketRecord, ObjectRecord, ObjectSummary, PartRecord, UploadRecord } from './types.ts';

/** Keys are bytes: S3 lists in the order of UTF-8 (ListObjectsV2). */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS buckets(name TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects(bucket TEXT NOT NULL, key BLOB NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL,
  storage TEXT NOT NULL, algorithm TEXT NOT NULL, type TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY(bucket, key));
CREATE TABLE IF NOT EXISTS uploads(id TEXT PRIMARY KEY, bucket TEXT NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uploadsOfBucket ON uploads(bucket);
CREATE TABLE IF NOT EXISTS parts(upload TEXT NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY(upload, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files(file TEXT PRIMARY KEY) WITHOUT ROWID;
`;

export type Span = { bucket: string; from: Uint8Array; below: Uint8Array | null; limit: number };

export type Catalog = ReturnType<typeof openCatalog>;

export function openCatalog(path: string) {
  const db = openSqlite(path, undefined);
  db.exec(SCHEMA);
  /** How often a bucket's objects changed since this was opened. */
  const changes = new Map<string, number>();
  const changed = (bucket: string) => void changes.set(bucket, (changes.get(bucket) ?? 0) + 1);
  let waiting: Waiting[] = [];
  const flush = (): void => {
    const batch = waiting;
    waiting = [];
    runBatch(db, batch);
  };
  return {
    /** Everything in it or nothing. Synchronous: nothing comes between. */
    write<T>(fn: () => T): T {
      return transaction(db, fn);
    },
    /** The same in a moment, together with all that wait by then, after one sync of the disk for them all: it holds up everything else meanwhile. */
    commit<T>(fn: () => T): Promise<T> {
      return new Promise((resolve, reject) => {
        waiting.push({ fn, resolve: resolve as Waiting['resolve'], reject });
        if (waiting.length === 1) setImmediate(flush);
      });
    },
    bucket: (name: string): BucketRecord | undefined => read(db.first('SELECT record FROM buckets WHERE name = ?', [name])),
    buckets: (): BucketRecord[] => db.all('SELECT record FROM buckets ORDER BY name', []).map((line) => read(line) as BucketRecord),
    putBucket: (record: BucketRecord) =>
      void db.run('INSERT OR REPLACE INTO buckets(name, record) VALUES (?, ?)', [record.name, JSON.stringify(record)]),
    removeBucket: (name: string) => void db.run('DELETE FROM buckets WHERE name = ?', [name]),

    object: (bucket: string, key: string): ObjectRecord | undefined =>
      read(db.first('SELECT record FROM objects WHERE bucket = ? AND key = ?', [bucket, bytes(key)])),
    putObject(bucket: string, record: ObjectRecord): void {
      const { key, size, etag, modifiedAt, headers, checksum } = record;
      changed(bucket);
      const cells: Cell[] = [bucket, bytes(key), size, etag, modifiedAt, headers.storageClass, checksum.algorithm, checksum.type, JSON.stringify(record)]; // prettier-ignore
      db.run('INSERT OR REPLACE INTO objects(bucket, key, size, etag, modified, storage, algorithm, type, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', cells); // prettier-ignore
    },
    removeObject(bucket: string, key: string): void {
      changed(bucket);
      db.run('DELETE FROM objects WHERE bucket = ? AND key = ?', [bucket, bytes(key)]);
    },
    changes: (bucket: string): number => changes.get(bucket) ?? 0,
    /** In the order of their keys. */
    list({ bucket, from, below, limit }: Span): ObjectSummary[] {
      const end = below === null ? '' : ' AND key < ?';
      const sql = `SELECT key, size, etag, modified, storage, algorithm, type FROM objects WHERE bucket = ? AND key >= ?${end} ORDER BY key LIMIT ?`;
      return db.all(sql, [bucket, from, ...(below === null ? [] : [below]), limit]).map(summary);
    },

    upload: (bucket: string, id: string): UploadRecord | undefined =>
      read(db.first('SELECT record FROM uploads WHERE id = ? AND bucket = ?', [id, bucket])),
    uploads: (bucket: string): UploadRecord[] =>
      db.all('SELECT record FROM uploads WHERE bucket = ?', [bucket]).map((line) => read(line) as UploadRecord),
    uploadCount: (bucket: string): number => Number(db.first('SELECT count(*) AS n FROM uploads WHERE bucket = ?', [bucket])?.['n'] ?? 0),
    putUpload: (bucket: string, record: UploadRecord) =>
      void db.run('INSERT INTO uploads(id, bucket, record) VALUES (?, ?, ?)', [record.id, bucket, JSON.stringify(record)]),
    removeUpload(id: string): void {
      db.run('DELETE FROM uploads WHERE id = ?', [id]);
      db.run('DELETE FROM parts WHERE upload = ?', [id]);
    },
    part: (upload: string, number: number): PartRecord | undefined =>
      read(db.first('SELECT record FROM parts WHERE upload = ? AND number = ?', [upload, number])),
    parts: (upload: string): PartRecord[] =>
      db.all('SELECT record FROM parts WHERE upload = ? ORDER BY number', [upload]).map((line) => read(line) as PartRecord),
    putPart: (upload: string, record: PartRecord) =>
      void db.run('INSERT OR REPLACE INTO parts(upload, number, record) VALUES (?, ?, ?)', [upload, record.number, JSON.stringify(record)]),

    useFile: (file: string) => void db.run('INSERT INTO files(file) VALUES (?)', [file]),
    unuseFiles(files: string[]): void {
      for (const file of files) db.run('DELETE FROM files WHERE file = ?', [file]);
    },
    /** Those of these files that are in use. */
    used: (files: string[]): Set<string> =>
      new Set(files.filter((file) => db.first('SELECT 1 AS yes FROM files WHERE file = ?', [file]) !== undefined)),
    close() {
      flush();
      db.close();
    },
  };
}

type Waiting = { fn: () => unknown; resolve(value: unknown): void; reject(error: unknown): void };

/** Each in a savepoint of its own; they are answered after the commit. */
function runBatch(db: Sqlite, batch: Waiting[]): void {
  if (batch.length === 0) return;
  let answers: (() => void)[];
  try {
    answers = transaction(db, () => batch.map((one) => runOne(db, one)));
  } catch (error) {
    answers = batch.map(
      ({ reject }) =>
        () =>
          reject(error),
    );
  }
  for (const answer of answers) answer();
}

function runOne(db: Sqlite, { fn, resolve, reject }: Waiting): () => void {
  db.exec('SAVEPOINT one');
  try {
    const value = fn();
    db.exec('RELEASE one');
    return () => resolve(value);
  } catch (error) {
    // SQLite gives up the whole transaction by itself on a full disk and the like: then nobody's work stands.
    if (!db.inTransaction()) throw error;
    db.exec('ROLLBACK TO one; RELEASE one');
    return () => reject(inWords(error));
  }
}

const bytes = (key: string) => Buffer.from(key, 'utf8');

function read<T>(line: Line | undefined): T | undefined {
  return line === undefined ? undefined : (JSON.parse(String(line['record'])) as T);
}

function summary(line: Line): ObjectSummary {
  return {
    key: Buffer.from(line['key'] as Uint8Array).toString('utf8'),
    size: Number(line['size']),
    etag: String(line['etag']),
    modifiedAt: Number(line['modified']),
    storageClass: String(line['storage']),
    checksum: {
      algorithm: String(line['algorithm']) as ObjectSummary['checksum']['algorithm'],
      type: String(line['type']) as ObjectSummary['checksum']['type'],
    },
  };
}

function transaction<T>(db: Sqlite, fn: () => T): T {
  try {
    db.exec('BEGIN IMMEDIATE');
    const result = fn();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.inTransaction()) db.exec('ROLLBACK');
    throw inWords(error);
  }
}

const inWords = (error: unknown) => (isFault(error, 'Unavailable') ? full(error) : error);
