/**
 * The cases of a published policy evaluator, MinIO's, as data: `TestMatch` (pkg/wildcard), `TestStringEqualsFuncEvaluate`, `TestStringLikeFuncEvaluate`,
 * `TestIPAddressFuncEvaluate`, `TestNullFuncEvaluate` with their negations (pkg/policy/condition) and `TestStatementIsAllowed` (pkg/iam/policy), as they were under
 * the Apache License 2.0, (C) 2016-2018 Minio, Inc.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePolicy, decide, parsePolicy } from './index.ts';

type Values = Record<string, string>;

/** Whether these statements allow the call. */
function allows(statements: object[], action: string, resource: string, values: Values): boolean {
  const policy = compilePolicy(parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), 'identity'));
  const facts = new Map(Object.entries(values).map(([key, value]) => [key.toLowerCase(), value]));
  return decide({ identity: [policy], boundary: null, session: null }, { action, resource, facts }).allowed;
}

/** Whether one condition holds. */
function holds(operator: string, key: string, value: string, values: Values): boolean {
  const statement = { Effect: 'Allow', Action: '*', Resource: '*', Condition: { [operator]: { [key]: value } } };
  return allows([statement], 's3:GetObject', 'arn:aws:s3:::mybucket/myobject', values);
}

const wildcards: [pattern: string, text: string, matched: boolean][] = [
  ['*', 's3:GetObject', true],
  ['', 's3:GetObject', false],
  ['', '', true],
  ['s3:*', 's3:ListMultipartUploadParts', true],
  ['s3:ListBucketMultipartUploads', 's3:ListBucket', false],
  ['s3:ListBucket', 's3:ListBucket', true],
  ['s3:ListBucketMultipartUploads', 's3:ListBucketMultipartUploads', true],
  ['my-bucket/oo*', 'my-bucket/oo', true],
  ['my-bucket/In*', 'my-bucket/India/Karnataka/', true],
  ['my-bucket/In*', 'my-bucket/Karnataka/India/', false],
  ['my-bucket/In*/Ka*/Ban', 'my-bucket/India/Karnataka/Ban', true],
  ['my-bucket/In*/Ka*/Ban', 'my-bucket/India/Karnataka/Ban/Ban/Ban/Ban/Ban', true],
  ['my-bucket/In*/Ka*/Ban', 'my-bucket/India/Karnataka/Area1/Area2/Area3/Ban', true],
  ['my-bucket/In*/Ka*/Ban', 'my-bucket/India/State1/State2/Karnataka/Area1/Area2/Area3/Ban', true],
  ['my-bucket/In*/Ka*/Ban', 'my-bucket/India/Karnataka/Bangalore', false],
  ['my-bucket/In*/Ka*/Ban*', 'my-bucket/India/Karnataka/Bangalore', true],
  ['my-bucket/*', 'my-bucket/India', true],
  ['my-bucket/oo*', 'my-bucket/odo', false],
  ['my-bucket?/abc*', 'mybucket/abc', false],
  ['my-bucket?/abc*', 'my-bucket1/abc', true],
  ['my-?-bucket/abc*', 'my--bucket/abc', false],
  ['my-?-bucket/abc*', 'my-1-bucket/abc', true],
  ['my-?-bucket/abc*', 'my-k-bucket/abc', true],
  ['my??bucket/abc*', 'mybucket/abc', false],
  ['my??bucket/abc*', 'my4abucket/abc', true],
  ['my-bucket?abc*', 'my-bucket/abc', true],
  ['my-bucket/abc?efg', 'my-bucket/abcdefg', true],
  ['my-bucket/abc?efg', 'my-bucket/abc/efg', true],
  ['my-bucket/abc????', 'my-bucket/abc', false],
  ['my-bucket/abc????', 'my-bucket/abcde', false],
  ['my-bucket/abc????', 'my-bucket/abcdefg', true],
  ['my-bucket/abc?', 'my-bucket/abc', false],
  ['my-bucket/abc?', 'my-bucket/abcd', true],
  ['my-bucket/abc?', 'my-bucket/abcde', false],
  ['my-bucket/mnop*?', 'my-bucket/mnop', false],
  ['my-bucket/mnop*?', 'my-bucket/mnopqrst/mnopqr', true],
  ['my-bucket/mnop*?', 'my-bucket/mnopqrst/mnopqrs', true],
  ['my-bucket/mnop*?', 'my-bucket/mnopq', true],
  ['my-bucket/mnop*?', 'my-bucket/mnopqr', true],
  ['my-bucket/mnop*?and', 'my-bucket/mnopqand', true],
  ['my-bucket/mnop*?and', 'my-bucket/mnopand', false],
  ['my-bucket/mnop*?', 'my-bucket/mn', false],
  ['my-bucket/mnop*??', 'my-bucket/mnopqrst', true],
  ['my-bucket/mnop*qrst', 'my-bucket/mnopabcdegqrst', true],
  ['my-bucket/mnop*?and?', 'my-bucket/mnopqanda', true],
  ['my-bucket/mnop*?and', 'my-bucket/mnopqanda', false],
  ['my-?-bucket/abc*', 'my-bucket/mnopqanda', false],
];

test('wildcards', () => {
  for (const [pattern, text, matched] of wildcards) {
    const said = `${pattern} and ${text}`;
    assert.equal(holds('StringLike', 's3:prefix', pattern, { 's3:prefix': text }), matched, said);
    if (pattern === '' || pattern.includes(':') || text.includes(':')) continue;
    const statement = { Effect: 'Allow', Action: 's3:*', Resource: `arn:aws:s3:::${pattern}` };
    assert.equal(allows([statement], 's3:GetObject', `arn:aws:s3:::${text}`, {}), matched, `resource: ${said}`);
  }
});

const source = 's3:x-amz-copy-source';
const encryption = 's3:x-amz-server-side-encryption';
const directive = 's3:x-amz-metadata-directive';
const location = 's3:LocationConstraint';

/** Each value and whether it meets what is wanted; besides, a call without the key, and one with another key, never do. */
const conditions: [operator: string, negated: string, key: string, wanted: string, values: Record<string, boolean>][] = [
  ['StringEquals', 'StringNotEquals', source, 'mybucket/myobject', { 'mybucket/myobject': true, 'yourbucket/myobject': false }],
  ['StringEquals', 'StringNotEquals', encryption, 'AES256', { AES256: true }],
  ['StringEquals', 'StringNotEquals', directive, 'REPLACE', { REPLACE: true, COPY: false }],
  ['StringEquals', 'StringNotEquals', location, 'eu-west-1', { 'eu-west-1': true, 'us-east-1': false }],
  ['StringLike', 'StringNotLike', source, 'mybucket/myobject*', { 'mybucket/myobject': true, 'mybucket/myobject.png': true, 'yourbucket/myobject': false }],
  ['StringLike', 'StringNotLike', source, 'mybucket/myobject', { 'mybucket/myobject': true, 'mybucket/myobject.png': false, 'yourbucket/myobject': false }],
  ['StringLike', 'StringNotLike', encryption, 'AES*', { AES256: true, AES512: true }],
  ['StringLike', 'StringNotLike', encryption, 'AES256', { AES256: true, AES512: false }],
  ['StringLike', 'StringNotLike', directive, 'REPL*', { REPLACE: true, 'REPLACE/COPY': true, COPY: false }],
  ['StringLike', 'StringNotLike', directive, 'REPLACE', { REPLACE: true, 'REPLACE/COPY': false, COPY: false }],
  ['StringLike', 'StringNotLike', location, 'eu-west-*', { 'eu-west-1': true, 'eu-west-2': true, 'us-east-1': false }],
  ['StringLike', 'StringNotLike', location, 'eu-west-1', { 'eu-west-1': true, 'eu-west-2': false, 'us-east-1': false }],
  ['IpAddress', 'NotIpAddress', 'aws:SourceIp', '192.168.1.0/24', { '192.168.1.10': true, '192.168.2.10': false }],
]; // prettier-ignore

test('conditions and their negations', () => {
  let cases = 0;
  for (const [operator, negated, key, wanted, values] of conditions) {
    const calls: [Values, boolean][] = Object.entries(values).map(([value, met]) => [{ [key]: value }, met]);
    calls.push([{}, false], [{ 's3:delimiter': '/' }, false]);
    for (const [call, met] of calls) {
      assert.equal(holds(operator, key, wanted, call), met, `${operator} ${wanted} ${JSON.stringify(call)}`);
      assert.equal(holds(negated, key, wanted, call), !met, `${negated} ${wanted} ${JSON.stringify(call)}`);
      cases += 2;
    }
  }
  assert.ok(cases > 100, `${cases} cases`);
});

test('Null', () => {
  for (const prefix of ['true', 'false', 'mybucket/foo']) {
    assert.equal(holds('Null', 's3:prefix', 'true', { 's3:prefix': prefix }), false);
    assert.equal(holds('Null', 's3:prefix', 'false', { 's3:prefix': prefix }), true);
  }
  for (const call of [{}, { 's3:delimiter': '/' }]) {
    assert.equal(holds('Null', 's3:prefix', 'true', call), true);
    assert.equal(holds('Null', 's3:prefix', 'false', call), false);
  }
});

test('statements', () => {
  const address = { IpAddress: { 'aws:SourceIp': '192.168.1.0/24' } };
  const objects = { Effect: 'Allow', Action: ['s3:GetObject', 's3:PutObject'], Resource: 'arn:aws:s3:::mybucket/myobject*' };
  const anything = { Effect: 'Allow', Action: ['s3:GetBucketLocation', 's3:PutObject'], Resource: 'arn:aws:s3:::*' };
  const near = { ...objects, Condition: address };
  // MinIO asks a statement alone, where a Deny that doesn't apply lets the call be: here beside one that allows all.
  const notNear = [
    { Effect: 'Allow', Action: '*', Resource: '*' },
    { ...near, Effect: 'Deny' },
  ];
  const put = { [source]: 'mybucket/myobject', 'aws:SourceIp': '192.168.1.10' };
  const calls: [string, string, Values][] = [
    ['s3:GetBucketLocation', 'arn:aws:s3:::mybucket', {}],
    ['s3:PutObject', 'arn:aws:s3:::mybucket/myobject', put],
    ['s3:GetObject', 'arn:aws:s3:::mybucket/myobject', {}],
  ];
  const asked = (statements: object[]) => calls.map(([action, resource, values]) => allows(statements, action, resource, values));
  assert.deepEqual(asked([anything]), [true, true, false]);
  assert.deepEqual(asked([objects]), [false, true, true]);
  assert.deepEqual(asked([near]), [false, true, false]);
  assert.deepEqual(asked(notNear), [true, false, true]);
});
