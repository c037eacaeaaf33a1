/** Buckets, objects and uploads on this machine's disk. */
export { checksumAlgorithms, isCrc } from './checksums.ts';
export { s3Fault } from './faults.ts';
export { openObjects, type Objects, type PutWish } from './objects.ts';
export { DEFAULT_CHECKSUM, type CompletedPart } from './uploads.ts';
export type * from './types.ts';
