/** What is kept of buckets, objects and uploads. */

export type ChecksumAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256';
/** `FULL_OBJECT`: of the bytes. `COMPOSITE`: of the parts' checksums, and how many there are: `BASE64-N`. */
export type Checksum = { algorithm: ChecksumAlgorithm; type: 'FULL_OBJECT' | 'COMPOSITE'; value: string };

export type Tag = { key: string; value: string };

/** What comes with an object and is told again with it. */
export type ObjectHeaders = {
  contentType: string | null;
  cacheControl: string | null;
  contentDisposition: string | null;
  contentEncoding: string | null;
  contentLanguage: string | null;
  /** As it was given. */
  expires: string | null;
  redirect: string | null;
  /** Names in lower case. */
  metadata: Record<string, string>;
  storageClass: string;
};

/** A file of the store and its bytes: an object is one, or, if it came in parts, several one behind the other. */
export type Piece = [file: string, bytes: number];

export type ObjectRecord = {
  key: string;
  /** In hex without quotes, with `-N` behind it for an object of N parts. */
  etag: string;
  size: number;
  /** Milliseconds since the epoch. */
  modifiedAt: number;
  headers: ObjectHeaders;
  tags: Tag[];
  checksum: Checksum;
  pieces: Piece[];
  /** Of an object that came in parts: their checksums, in the order of `pieces`, where they were asked for. */
  partChecksums: (string | null)[] | null;
};

export type ObjectSummary = Pick<ObjectRecord, 'key' | 'etag' | 'size' | 'modifiedAt'> & {
  storageClass: string;
  checksum: Pick<Checksum, 'algorithm' | 'type'>;
};

/** PublicAccessBlock as AWS's API has it. */
export type AccessBlock = { acls: boolean; ignoreAcls: boolean; policy: boolean; restrict: boolean };

export type BucketRecord = {
  name: string;
  account: string;
  region: string;
  createdAt: number;
  tags: Tag[];
  /** null once it was deleted. New buckets have all of it. */
  accessBlock: AccessBlock | null;
  /** Ownership is always the bucket's owner's, since there are no ACLs; false once the setting was deleted. */
  ownershipShown: boolean;
  lifecycle?: Lifecycle | null;
};

/** `transitionSize`: as it was given, since nothing makes transitions. */
export type Lifecycle = { rules: LifecycleRule[]; transitionSize: string };
export type LifecycleRule = {
  id: string;
  enabled: boolean;
  filter: LifecycleFilter;
  /** Days after the object was written, or a midnight in milliseconds since the epoch. */
  expiration: { days: number } | { at: number } | null;
  /** Days after an upload's start. */
  abortDays: number | null;
  /** Of versions, which are not here: kept to be told again. */
  deleteMarkers: boolean | null;
  noncurrent: { days: number; newer: number | null } | null;
};
/** `form`: how it was said. Sizes in bytes, both exclusive. */
export type LifecycleFilter = {
  form: 'rule' | 'filter' | 'and';
  prefix: string | null;
  tags: Tag[];
  largerThan: number | null;
  smallerThan: number | null;
};

export type UploadRecord = {
  id: string;
  key: string;
  startedAt: number;
  initiator: string;
  headers: ObjectHeaders;
  tags: Tag[];
  /** What its parts have checksums of; null where the caller asked for none: then each has CRC64NVME, and the object the whole's. */
  checksum: Pick<Checksum, 'algorithm' | 'type'> | null;
};

export type PartRecord = {
  number: number;
  file: string;
  size: number;
  etag: string;
  modifiedAt: number;
  algorithm: ChecksumAlgorithm;
  checksum: string;
};

/** Under which an object is written: `*` for "none there yet". ETags without quotes. */
export type WriteCondition = { ifNoneMatch?: '*' | undefined; ifMatch?: string | undefined };

/** What the sender says of the body, known once it was read. Base64. */
export type Expected = { md5?: string | undefined; checksum?: string | undefined };
