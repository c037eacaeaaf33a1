import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertBucketVolume, bucketVolume } from './bucket-volume.ts';

const fileSystemArn = 'arn:aws:s3files:eu-west-1:123456789012:file-system/fs-0123456789abcdef0';
const accessPointArn = `${fileSystemArn}/access-point/fsap-0123456789abcdef0`;
const role = 'arn:aws:iam::123456789012:role/task';

test('an S3Files volume names one file system, an access point of it, a port and a task role that are some', () => {
  const refused: [object, RegExp][] = [
    [{ fileSystemArn: undefined }, /fileSystemArn should not be null or empty/],
    [{ fileSystemArn: 'fs-0123456789abcdef0' }, /invalid fileSystemArn/],
    [{ fileSystemArn: accessPointArn }, /invalid fileSystemArn/],
    [{ accessPointArn: 'fsap-0123456789abcdef0' }, /invalid accessPointArn/],
    [{ accessPointArn: accessPointArn.replace('cdef0/', 'cdef1/') }, /belongs to another file system/],
    [{ accessPointArn, rootDirectory: '/a' }, /root directory must either be set to "\/" or be omitted/],
    [{ transitEncryptionPort: 65_536 }, /invalid transitEncryptionPort/],
  ];
  for (const [change, message] of refused)
    assert.throws(() => assertBucketVolume('v', { fileSystemArn, ...change }, role), { code: 'ClientError', message });
  assert.throws(() => assertBucketVolume('v', { fileSystemArn }, undefined), { code: 'ClientError', message: /task role/ });
  assertBucketVolume('v', { fileSystemArn, accessPointArn, rootDirectory: '/', transitEncryptionPort: 2050 }, role);
});

test('it is a directory of the file system that its ARN says', () => {
  const whole = { name: 'v', kind: 'bucket', account: '123456789012', region: 'eu-west-1', fileSystemId: 'fs-0123456789abcdef0' };
  assert.deepEqual(bucketVolume('v', { fileSystemArn, rootDirectory: '/a' }), { ...whole, rootDirectory: '/a', accessPointId: null });
  assert.deepEqual(bucketVolume('v', { fileSystemArn, accessPointArn }), {
    ...whole,
    rootDirectory: '/',
    accessPointId: 'fsap-0123456789abcdef0',
  });
});
