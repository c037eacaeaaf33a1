/** What the store refuses, by S3's codes and in its words (S3 API reference, "Error responses"). */
import { Fault, type FaultCode, type Json } from '#base/fault.ts';

const codes: Record<string, FaultCode> = {
  NoSuchBucket: 'ResourceNotFound',
  NoSuchKey: 'ResourceNotFound',
  NoSuchUpload: 'ResourceNotFound',
  BucketAlreadyExists: 'AlreadyExists',
  BucketAlreadyOwnedByYou: 'AlreadyExists',
  BucketNotEmpty: 'Conflict',
  PreconditionFailed: 'Conflict',
};

/** `members`: further elements of the error. */
export function s3Fault(name: string, message: string, members: Record<string, Json> = {}): Fault {
  return new Fault(codes[name] ?? 'InvalidParameter', message, { details: { errorName: name, errorMembers: members } });
}

export const noBucket = (bucket: string) => s3Fault('NoSuchBucket', 'The specified bucket does not exist', { BucketName: bucket });
export const noKey = (key: string) => s3Fault('NoSuchKey', 'The specified key does not exist.', { Key: key });
export const noUpload = (id: string) =>
  s3Fault('NoSuchUpload', 'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.', { UploadId: id }); // prettier-ignore
